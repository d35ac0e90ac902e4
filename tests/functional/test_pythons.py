"""Pythons of a Debian recipe: which one a spec gets, and an image of one that is too new for this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.structs import replace
from envgen.system.host import probe_host
from tests.builders.debian import Deb
from tests.builders.stubs import RECIPE, debian_python, python_script
from tests.builders.system import base_debs
from tests.builders.tree import File

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "{python}"
platforms: {{linux-64: {{glibc: "2.99"}}, linux-aarch64: {{glibc: "2.99"}}}}
image: {{base: {{suites: [bookworm, bookworm-security]}}}}
"""
PYTHONS = """\
pythons:
  "3.11":
    suites: [bookworm, bookworm-security]
    packages: [python3.11-minimal]
    depends: ["__glibc >=2.98"]
  "3.13":
    suites: [trixie]
    packages: []
    depends: ["__glibc >=2.99"]
"""


@pytest.fixture
def served(project: Project) -> Project:
    """Make a project whose recipe has two Pythons."""
    text = RECIPE["recipes/python/debian.yaml"]
    text = text.replace("suites: [bookworm, bookworm-security]\n", "").replace("\n  - __glibc >=2.36", "")
    text = text.replace("packages: [python3.11]", "packages: ['python${{ python }}']")
    text = text.replace("version-from: python3.11-", "version-from: python${{ python }}-")
    project.write("recipes/python/debian.yaml", text + PYTHONS)
    return project


@pytest.mark.parametrize("python", ["3.9", "3.12", "3.15", "4.0"])
def test_a_python_that_no_release_has_is_told_with_those_that_there_are(
    served: Project, cli: Command, python: str
) -> None:
    served.spec("demo", SPEC.format(python=python))
    outcome = cli("lock")
    assert outcome.code == 1, outcome.err
    words = " ".join(outcome.err.split())
    assert "error: environments/demo.yaml:2: `python` is built from Debian packages by `recipes/python/debian" in words
    assert "3.11 (bookworm, glibc 2.98 or newer) and 3.13 (trixie, glibc 2.99 or newer), not " + python in words
    assert "`channels: [conda-forge]`" in words
    assert served.locks() == {}


def test_the_names_of_packages_are_those_of_the_python(served: Project, cli: Command) -> None:
    served.spec("demo", SPEC.format(python="3.11").replace("image", "#image"))
    cli("lock").succeeded()
    told = cli("why", "python3.11", "--platform", "linux-64").succeeded().out
    assert "listed" in told
    cli("lock", "--check").succeeded()


LOADER = b"""#!/bin/bash
[ "$1 $2" = "--inhibit-cache --library-path" ] && [ -e "$3/libc.so.6" ] || exit 9
shift 3
UNDER_LOADER=1 exec "$@"
"""


def c_library(architecture: str) -> tuple[Deb, ...]:
    """Make a C library, whose loader tells the program that it started it, and a package that needs it."""
    multiarch, loader = {
        "amd64": ("x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
        "arm64": ("aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
    }[architecture]
    files = {f"usr/lib/{multiarch}/libc.so.6": File(b"libc"), f"usr/lib/{multiarch}/{loader}": File(LOADER, 0o755)}
    shell = {"usr/bin/bash": File(b"bash", 0o755)}
    return (
        Deb(name="libc6", version="2.99-1", architecture=architecture, files=files),
        Deb(name="bash", architecture=architecture, fields={"Depends": "libc6"}, files=shell),
    )


def test_an_image_is_made_where_the_c_library_is_too_old_for_its_python(
    served: Project, cli: Command, registries: Registries
) -> None:
    """The Python that compiles is started by the loader of the base, which is the one that fits."""
    platform = probe_host().platform
    picky = python_script().replace(b"exec", b'[ "$UNDER_LOADER" ] || exit 8\nexec')
    registries.security.remove("python3.11-minimal")
    for architecture in ("amd64", "arm64"):
        minimal = next(deb for deb in debian_python(architecture) if deb.name == "python3.11-minimal")
        registries.security.add(replace(minimal, files={"usr/bin/python3.11": File(picky, 0o755)}))
        others = (deb for deb in base_debs(architecture) if deb.name != "bash")
        registries.debian.add(*others, *c_library(architecture))
    registries.publish()
    served.spec("demo", SPEC.format(python="3.11"))
    cli("lock").succeeded()
    refused = cli("create")
    assert refused.code == 1
    assert "`python` requires glibc 2.98" in " ".join(refused.err.split())
    cli("image", "--platform", str(platform)).succeeded()
