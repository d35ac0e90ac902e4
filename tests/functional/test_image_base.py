"""The base of an image in the lock: resolved with the rest, kept, and held against the spec."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from envgen import ops
from envgen.image.assemble import planned, write
from envgen.image.entries import File, OnDisk
from envgen.image.inputs import open_images
from envgen.oci.compress import Compression
from tests.builders.debian import Deb
from tests.builders.stubs import debian_libraries
from tests.builders.system import base_debs
from tests.functional.test_lock import DEBIAN_LOCK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envgen.image.entries import Entry
    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
pypi: [eggs <2]
image: {base: {suites: [bookworm, bookworm-security]}}
"""


@pytest.fixture
def imaged(project: Project, registries: Registries, cli: Command) -> Project:
    """Lock an environment with an image."""
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    return project


def base(project: Project) -> dict[str, str]:
    """Read the locked base: name -> version."""
    lock = yaml.safe_load((project.root / "locks" / DEBIAN_LOCK).read_text())
    return {p["name"]: p["version"] for p in lock["packages"] if "image" in p["used_by"]}


def test_the_base_is_locked_without_what_it_excludes(imaged: Project) -> None:
    found = base(imaged)
    assert {"bash", "tini", "openssh-server", "g++", "libze1"} <= found.keys()
    assert "debconf" not in found
    assert "python3.11" not in found


def test_the_security_suite_counts(imaged: Project, registries: Registries, cli: Command) -> None:
    registries.security.add(Deb(name="openssh-server", version="1.0-1+deb12u1"))
    registries.publish()
    cli("lock").succeeded()
    assert base(imaged)["openssh-server"] == "1.0-1"
    cli("lock", "--upgrade", "openssh-server").succeeded()
    assert base(imaged)["openssh-server"] == "1.0-1+deb12u1"


def test_a_package_that_no_suite_has_is_told_with_its_line(imaged: Project, cli: Command) -> None:
    lines = ["image:", "  base:", "    suites: [bookworm]", "    packages:", "      - bash", "      - tinni [amd64]"]
    imaged.spec("demo", SPEC.partition("image:")[0] + "\n".join(lines))
    outcome = cli("lock")
    assert outcome.code == 1
    fault = "environments/demo.yaml:10: `image.base.packages`: `tinni` is not in the Debian suites for linux-64"
    assert f"{fault} (did you mean `tini`?)" in outcome.err


def test_locking_again_changes_nothing(imaged: Project, cli: Command) -> None:
    before = imaged.locks()
    cli("lock").succeeded()
    assert imaged.locks() == before
    cli("lock", "--check").succeeded()


def test_what_is_no_longer_offered_is_replaced_and_told(imaged: Project, registries: Registries, cli: Command) -> None:
    registries.debian.remove("tini")
    registries.debian.add(Deb(name="tini", version="2.0-1"))
    registries.publish()
    told = cli("lock").succeeded().err
    assert "Debian no longer offers `tini` 1.0-1, locked 2.0-1 instead" in told
    assert base(imaged)["tini"] == "2.0-1"


def test_a_changed_base_makes_the_lock_stale_for_images_alone(imaged: Project, cli: Command) -> None:
    imaged.spec("demo", SPEC.replace("{suites", "{packages: [git], suites"))
    verdict = cli("lock", "--check")
    assert verdict.code == 1
    assert "`image.base.packages` contains `git`, the base was locked without it" in verdict.out + verdict.err
    cli("create").succeeded()


def test_an_environment_needs_no_base_on_disk(imaged: Project, cli: Command, registries: Registries) -> None:
    registries.debian.remove(*(deb.name for deb in base_debs("amd64")))
    registries.debian.add(*debian_libraries("amd64"))
    registries.publish()
    cli("create").succeeded()


def test_a_package_that_is_not_there_is_named(imaged: Project, cli: Command) -> None:
    before = imaged.locks()
    imaged.spec("demo", SPEC.replace("{suites", "{packages: [no-such-package], suites"))
    outcome = cli("lock")
    assert outcome.code == 1, outcome.err
    assert "`no-such-package` is not in the Debian suites" in outcome.err
    assert imaged.locks() == before


def test_without_an_image_there_is_no_base(imaged: Project, cli: Command) -> None:
    imaged.spec("demo", SPEC.partition("image:")[0])
    cli("lock").succeeded()
    assert base(imaged) == {}


def test_the_files_of_the_base_go_when_its_layer_is_written(imaged: Project, cli: Command) -> None:
    """They are thousands, and removing them is not left to the end."""
    context = ops.open_context(directory=imaged.root, environment=cli.variables, now=dt.datetime.now(dt.UTC))
    inputs = open_images(context, env=None, platforms=(), frozen=False)
    with planned(context, inputs, compression=Compression.ZSTD) as (image,):
        before = files_of(image.base.entries)
        write(context, [image], imaged.root / "layout", sbom=False)
        assert not any(Path(file).exists() for file in before)
        again = files_of(image.base.entries)
        assert before == again
        assert all(Path(file).exists() for file in again)


def files_of(entries: Iterable[Entry]) -> list[str]:
    return [e.source.on_disk for e in entries if isinstance(e, File) and isinstance(e.source, OnDisk)]
