"""What the dynamic loader reads of a file: a program, a shared library or a Python extension."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping

Versions = dict[str, tuple[str, ...]]
"""Library -> names of symbol versions, such as `libc.so.6` -> `GLIBC_2.34`."""


class Binary(Struct, frozen=True, kw_only=True):
    """One ELF file of a package.

    Attributes:
        path: relative to the prefix, with forward slashes.
        machine: `e_machine` of its header, such as 62 for x86-64.
        soname: the name that it gives itself, or None.
        needed: names of libraries that it loads, in their order (`DT_NEEDED`).
        rpath: folders of `DT_RPATH`; empty where there is a `DT_RUNPATH`, which the loader then obeys alone.
        runpath: folders of `DT_RUNPATH`.
        wants: library -> symbol versions that it must define; those that are weak are left out.
        defines: symbol versions that it defines.
        level: x86-64 level that its property note demands, 2 to 4; 0 where it demands none.
        exports: which of the symbols of `MARKERS` it defines for others.
        program: whether it is started rather than loaded.
        content: sha256 of the file as its package has it; empty where that is not known.
    """

    path: str
    machine: int
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    wants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defines: tuple[str, ...] = ()
    level: int = 0
    exports: tuple[str, ...] = ()
    program: bool = False
    content: str = ""

    @property
    def name(self) -> str:
        """Name of the file."""
        return posixpath.basename(self.path)

    @property
    def folder(self) -> str:
        """Folder of the file, relative to the prefix."""
        return posixpath.dirname(self.path)

    @property
    def called(self) -> str:
        """Return the name by which the loader knows it once it is loaded."""
        return self.soname or self.name


class Unreadable(Struct, frozen=True, kw_only=True):
    """A file that begins as ELF and cannot be read, and why."""

    path: str
    why: str


class PackageFiles(Struct, frozen=True, kw_only=True):
    """What is known of the files of one package.

    Attributes:
        binaries: its ELF files, sorted by path.
        links: symbolic link -> where it leads, both relative to the prefix; only those named as shared libraries.
        unreadable: files that cannot be read.
        built_against: what a file of it says that it was built with, such as `cuda` -> `12.8`.
        requires: of a wheel, what its METADATA asks for of NVIDIA's projects, markers left out.
    """

    binaries: tuple[Binary, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    built_against: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()


MARKERS = ("__kmpc_fork_call", "GOMP_parallel", "omp_get_num_threads", "kmp_set_blocktime", "__kmpc_get_target_offload")
"""Symbols by which OpenMP runtimes are recognised, whatever their files are called.

`__kmpc_fork_call` is of LLVM's and Intel's runtime, which also define `GOMP_parallel`; GNU's defines that one alone.
"""


def to_json(files: PackageFiles) -> dict[str, Any]:
    """Return facts as a document that `from_json` reads."""
    return {
        "binaries": [_binary_json(one) for one in files.binaries],
        "links": dict(files.links),
        "unreadable": [[one.path, one.why] for one in files.unreadable],
        "built_against": dict(files.built_against),
        "requires": list(files.requires),
    }


def from_json(document: Any) -> PackageFiles:
    """Read facts that `to_json` made.

    Raises:
        KeyError, TypeError, ValueError: another document.
    """
    return PackageFiles(
        binaries=tuple(_binary(one) for one in document["binaries"]),
        links=dict(document["links"]),
        unreadable=tuple(Unreadable(path=path, why=why) for path, why in document["unreadable"]),
        built_against=dict(document["built_against"]),
        requires=tuple(document["requires"]),
    )


def _binary_json(binary: Binary) -> dict[str, Any]:
    empty = Binary(path="", machine=-1)
    fields = {name: getattr(binary, name) for name in Binary.__struct_fields__}
    return {name: value for name, value in fields.items() if value != getattr(empty, name)}


def _binary(document: dict[str, Any]) -> Binary:
    wants = {name: tuple(versions) for name, versions in document.pop("wants", {}).items()}
    lists = {name: tuple(value) for name, value in document.items() if isinstance(value, list)}
    return Binary(**{**document, **lists, "wants": wants})
