"""Libraries that a wheel expects of the system: `lock` names the Debian package, and the line to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.builders.debian import Deb
from tests.builders.elf import make_elf
from tests.builders.system import base_debs
from tests.builders.tree import File
from tests.builders.wheels import make_wheel, wheel_filename
from tests.unit.convert.test_elf import place

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
pypi: [viewer]
image: {base: {suites: [bookworm, bookworm-security]@}}
"""
TAG = "cp311-cp311-manylinux_2_17_x86_64"
WARNING = (
    "warning: linux-64: neither the environment nor the image has `libwindow.so.1`, for `viewer`; add to the "
    "spec, beside what is there: `image: {base: {packages: [libwindow1]}}`"
)


def publish(registries: Registries) -> None:
    files = {"viewer/_c.abi3.so": make_elf(needed=["libwindow.so.1", "libc.so.6"])}
    registries.index.add(wheel_filename("viewer", "1.0", TAG), make_wheel("viewer", files=files, tag=TAG))
    library = make_elf(soname="libwindow.so.1", needed=["libc.so.6"])
    folder = "usr/lib/x86_64-linux-gnu"
    registries.debian.add(
        *base_debs("amd64"),
        *base_debs("arm64"),
        Deb(name="git"),
        Deb(name="libwindow1", files={f"{folder}/libwindow.so.1": File(library)}),
        Deb(name="libwindow1-dbg", files={f"{folder}/libwindow.so.1": File(library)}),
    )
    registries.publish()


def test_lock_names_the_package_that_has_a_library(demo: Project, registries: Registries, cli: Command) -> None:
    publish(registries)
    demo.spec("demo", SPEC.replace("@", ", packages: [git]"))
    first = cli("lock").succeeded().err
    assert "libraries that packages need of the image are not known for 1 of" in first
    cli("create").succeeded()
    locks = demo.locks()
    assert WARNING in " ".join(cli("lock").succeeded().err.split())
    assert demo.locks() == locks
    # what the archive said is known without a network from now on
    assert "packages: [libwindow1]" in cli("check", "--json").out
    assert cli("image").code == 1
    demo.spec("demo", SPEC.replace("@", ", packages: [git, libwindow1]"))
    assert "libwindow" not in cli("lock").succeeded().err
    cli("image").succeeded()


def test_what_the_spec_accepts_is_not_told(demo: Project, registries: Registries, cli: Command) -> None:
    publish(registries)
    demo.spec("demo", SPEC.replace("@", "") + 'check: {accept: {LIB001 viewer: "no window here"}}\n')
    cli("lock").succeeded()
    cli("create").succeeded()
    assert "libwindow" not in cli("lock").succeeded().err


RECIPE = """\
name: player
version-from: player
summary: plays
license: MIT
home: https://example.org
suites: [bookworm, bookworm-security]
packages: [player]
drop: [usr/shrae/player/**]
links: {bin/player: opt/debian/usr/bin/player}
depends: ["__glibc >=2.36"]
"""


def test_a_recipe_names_every_library_that_it_lacks_in_one_run(
    demo: Project, registries: Registries, cli: Command, tmp_path: Path
) -> None:
    program = place(tmp_path, "player", "libwindow.so.1", "libsound.so.2", "libnone.so.3")
    files = {"usr/bin/player": File(program.read_bytes(), 0o755), "usr/share/player/skin": File(b"blue")}
    registries.debian.add(
        Deb(name="player", files=files),
        *(
            Deb(name=name, files={f"usr/lib/x86_64-linux-gnu/{library}": File(make_elf(soname=library))})
            for name, library in (("libwindow1", "libwindow.so.1"), ("libsound2", "libsound.so.2"))
        ),
    )
    registries.publish()
    demo.write("recipes/player/debian.yaml", RECIPE)
    demo.spec("demo", SPEC.partition("pypi")[0] + "dependencies: [player]\n")
    outcome = cli("lock")
    assert outcome.code == 5
    for said in (
        (
            "warning: recipe `player`: the pattern `usr/shrae/player/**` under `drop` matches nothing, did you mean "
            "`usr/share/player`"
        ),
        "  - `libsound.so.2`, needed by `usr/bin/player`",
        "  - `libwindow.so.1`, needed by `usr/bin/player`",
        (
            "hint: add to `packages` in `recipes/player/debian.yaml`, or exclude less: libsound2, libwindow1; "
            "no package of its suites has `libnone.so.3`"
        ),
    ):
        assert said in outcome.err


def test_a_program_is_not_looked_for_in_the_wheel_index(demo: Project, registries: Registries, cli: Command) -> None:
    registries.index.add("gitpython-3.0-py3-none-any.whl", make_wheel("gitpython", "3.0"))
    registries.index.add("git-1.0-py3-none-any.whl", make_wheel("git"))
    registries.publish()
    demo.spec("demo", SPEC.partition("pypi")[0] + "dependencies: [git]\n")
    outcome = cli("lock")
    assert outcome.code == 3
    assert "`recipes/git/debian.yaml`, or into the image with `image: {base: {packages: [git]}}`" in outcome.err
    assert "pypi" not in outcome.err
