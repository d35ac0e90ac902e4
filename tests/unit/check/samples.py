"""Packages to be checked, made of ELF files in memory."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from envgen.check.binary import Binary, PackageFiles
from envgen.check.check import find_misfits
from envgen.check.elf import read_binary
from envgen.check.subject import Part, Subject
from envgen.platforms import Platform, PythonMinor, Target
from tests.builders.elf import make_elf
from tests.builders.extracted import wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.checks import Misfit

SITE = "lib/python3.11/site-packages"
TARGET = Target(platform=Platform.LINUX_64, python=PythonMinor(3, 11), glibc=(2, 36), archspec="x86_64_v3")
GOMP = make_elf(soname="libgomp.so.1", defines=["GOMP_parallel", "omp_get_num_threads"])
KMPC = ["__kmpc_fork_call", "GOMP_parallel", "omp_get_num_threads"]
IOMP = make_elf(soname="libiomp5.so", defines=KMPC)
OMP = make_elf(soname="libomp.so", defines=KMPC)


def binary(path: str, raw: bytes) -> Binary:
    """Read a file that must be one for the loader."""
    found = read_binary(io.BytesIO(raw), path, content=hashlib.sha256(raw).hexdigest())
    assert found is not None
    return found


def part(name: str, files: Mapping[str, bytes] | None, *, version: str = "1.0", **links: str) -> Part:
    """Make a package; None stands for one that the store does not have."""
    found = None
    if files is not None:
        found = PackageFiles(binaries=tuple(binary(path, raw) for path, raw in files.items()), links=links)
    return Part(name=name, package=wheel(name, version), files=found)


def subject(*parts: Part, target: Target = TARGET, **more: object) -> Subject:
    """Build a subject of packages."""
    return Subject(target=target, parts={one.name: one for one in parts}, **more)  # type: ignore[arg-type]


def found(*parts: Part, target: Target = TARGET, **more: object) -> dict[str, Misfit]:
    """Check packages, and return what was found by rule."""
    return {misfit.rule: misfit for misfit in find_misfits(subject(*parts, target=target, **more))}
