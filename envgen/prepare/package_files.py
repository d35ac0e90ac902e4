"""Facts of the files of packages in the store, read once for each package and kept there."""

from __future__ import annotations

import json
import posixpath
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from envgen.check.binary import PackageFiles, Unreadable, from_json, to_json
from envgen.check.elf import MAGIC, ElfFile, read_binary
from envgen.check.symbols import extensions_of_torch, missing_symbols, torch_libraries
from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.errors import ArtifactError, EnvgenError
from envgen.metadata import active_requirements, parse_metadata
from envgen.packages import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from envgen.check.binary import Binary
    from envgen.check.subject import Subject
    from envgen.platforms import Target
    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context

_KIND, _SYMBOLS = "package-files-1", "torch-symbols-1"
"""Where facts are kept; the number is that of their format and of how they are read."""

_READERS = 4
"""Packages at once: reading waits for the disk."""

_PLAIN = (".py", ".pyc", ".pyi", ".h", ".hpp", ".cuh", ".txt", ".json", ".html", ".js", ".css", ".svg", ".png", ".md")
"""Ends of names that no library has: nine of ten files need not be opened."""

_LIBRARY = re.compile(r".*\.so(?:\.[\w.]+)?")
_STATED = re.compile(r"^cuda(?:: [\w\[\] |]+)? = '([\d.]+)'$", re.MULTILINE)
"""`cuda: Optional[str] = '12.8'` in `torch/version.py`."""

_BUILT_WITH = re.compile(r"(?:nvidia-.+|torch|triton)")
"""Projects whose exact version a wheel was compiled against."""

_WORDS = 64 << 10
"""Bytes of a file of words that are read."""


def files_of(context: Context, items: Sequence[PlannedPackage], target: Target) -> dict[str, PackageFiles | None]:
    """Read facts of the files of packages: name -> facts, None where the store does not have the package."""
    with (
        context.reporter.progress("checking packages", total=len(items), unit="packages") as bar,
        ThreadPoolExecutor(_READERS) as pool,
    ):

        def one(item: PlannedPackage) -> PackageFiles | None:
            found = _known(context, item) or _read(context, item, target)
            bar.advance(1)
            return found

        return dict(zip((item.wanted.name for item in items), pool.map(one, items), strict=True))


def sizes_of(folder: Path) -> dict[str, int]:
    """Read path -> bytes of the files of an extracted package; links are left out.

    Raises:
        ArtifactError: `info/paths.json` cannot be read.
    """
    try:
        return {
            path: int(entry.get("size_in_bytes") or 0)
            for path, entry in _listed(folder)
            if entry.get("path_type") != "softlink"
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise ArtifactError(f"package `{folder.name}`: failed to read `info/paths.json`: {error}") from error


def lacking_symbols(context: Context, subject: Subject, folders: Mapping[str, Path]) -> dict[str, Any]:
    """Return package -> file -> symbols of torch that it wants and this torch does not define.

    Args:
        context: the world.
        subject: packages and their files.
        folders: name -> extracted package.
    """
    libraries = torch_libraries(subject)
    return {
        package: lacking
        for package, files in extensions_of_torch(subject).items()
        if (lacking := _lacking(context, subject, folders, files, libraries))
    }


def _lacking(
    context: Context, subject: Subject, folders: Mapping[str, Path], files: Sequence[Binary], torch: Sequence[Binary]
) -> dict[str, list[str]]:
    own = [b for b in subject.binaries.values() if subject.owner(b) is subject.owner(files[0])]
    providers = [*torch, *own]
    identity = json.dumps([[b.path, b.content] for b in (*files, *providers)])
    key = Sha256.of(identity.encode())
    if (raw := context.store.cached(_SYMBOLS, key)) is not None:
        kept: dict[str, list[str]] = json.loads(raw)
        return kept
    paths = {b.path: folders[subject.owner(b).name] / b.path for b in (*files, *providers)}
    defined = [_symbols(paths[b.path])[1] for b in providers]
    found = {b.path: list(missing_symbols(_symbols(paths[b.path])[0], defined)) for b in files}
    lacking = {path: names for path, names in found.items() if names}
    context.store.put(_SYMBOLS, key, json.dumps(lacking).encode())
    return lacking


def _symbols(path: Path) -> tuple[dict[bytes, bool], set[bytes]]:
    with path.open("rb") as stream:
        stream.seek(16)
        return ElfFile(stream).split()


def _known(context: Context, item: PlannedPackage) -> PackageFiles | None:
    raw = context.store.cached(_KIND, item.wanted.key)
    try:
        return from_json(json.loads(raw)) if raw is not None else None
    except (ValueError, TypeError, KeyError):
        return None


def _read(context: Context, item: PlannedPackage, target: Target) -> PackageFiles | None:
    folder = context.store.package(item.wanted.key)
    if folder is None:
        return None
    found = read_files(folder, target=target, wheel=isinstance(item.package, Wheel))
    context.store.put(_KIND, item.wanted.key, json.dumps(to_json(found)).encode())
    return found


def read_files(folder: Path, *, target: Target, wheel: bool) -> PackageFiles:
    """Read facts of the files of an extracted package.

    Raises:
        ArtifactError: `info/paths.json` cannot be read.
    """
    binaries: list[Binary] = []
    unreadable: list[Unreadable] = []
    links: dict[str, str] = {}
    built: dict[str, str] = {}
    requires: tuple[str, ...] = ()
    for path, entry in _listed(folder):
        if entry.get("path_type") == "softlink":
            links.update(_link(folder, path))
        elif path.endswith("/torch/version.py"):
            built.update(_stated(folder / path))
        elif wheel and path.endswith(".dist-info/METADATA"):
            requires = _requires(folder / path, target)
        elif not path.endswith(_PLAIN):
            try:
                found = _binary(folder / path, path, str(entry.get("sha256", "")))
            except (ArtifactError, OSError) as error:
                unreadable.append(Unreadable(path=path, why=str(error)))
            else:
                binaries += [found] if found else []
    return PackageFiles(
        binaries=tuple(sorted(binaries, key=lambda b: b.path)),
        links=links,
        unreadable=tuple(unreadable),
        built_against=built,
        requires=requires,
    )


def _listed(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        entries = read_json((folder / "info/paths.json").read_bytes())["paths"]
        yield from ((entry["_path"], entry) for entry in entries)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"package `{folder.name}`: failed to read `info/paths.json`: {error}") from error


def _binary(file: Path, path: str, sha: str) -> Binary | None:
    with file.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            return None
        stream.seek(0)
        return read_binary(stream, path, content=sha)


def _link(folder: Path, path: str) -> Iterator[tuple[str, str]]:
    """Yield a link that the loader or a person may follow to a library or a program."""
    if _LIBRARY.fullmatch(path) or path.startswith("bin/"):
        yield path, posixpath.normpath(posixpath.join(posixpath.dirname(path), (folder / path).readlink().as_posix()))


def _stated(file: Path) -> Iterator[tuple[str, str]]:
    with file.open("rb") as stream:
        text = stream.read(_WORDS).decode("utf-8", "replace")
    if match := _STATED.search(text):
        yield "cuda", match[1]


def _requires(file: Path, target: Target) -> tuple[str, ...]:
    try:
        asked = active_requirements(parse_metadata(file.read_bytes()), target)
    except (EnvgenError, ValueError):
        return ()  # `lock` and `create` refuse what counts in it
    return tuple(f"{one.name}{one.specifier}" for one in asked if _BUILT_WITH.fullmatch(one.name) and one.specifier)
