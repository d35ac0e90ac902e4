"""An extracted archive, held against the lock and against its own `info/`, once, before anybody uses it.

Linking believes `info/paths.json`: it neither hashes nor asks where a path leads. So everything that it will believe
is proved here: names against the lock, digests against bytes, and every listed path against a walk of the tree that
follows no link. A path below a link of the package is not in that walk, so no system call for each of its parts is
needed.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.convert.package import read_index
from envgen.digest import CHUNK, Digest, Sha256, chunks
from envgen.errors import ArtifactError
from envgen.paths import check_prefix_paths, folders_above, parse_file_name, parse_prefix_path
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envgen.packages import BuiltPackage, ChannelPackage
    from envgen.records import Record

_SHOWN = 5
"""Faults that are told one by one."""

_KINDS = {"hardlink": "file", "softlink": "link", "directory": "folder"}
"""`path_type` of CEP 34, and what has to be there."""

_FILE_MODES = (None, "text", "binary")


class Identity(Struct, frozen=True, kw_only=True):
    """What conda calls a package, and the platform that it is for."""

    name: str
    version: str
    build: str
    subdir: str

    @classmethod
    def of(cls, package: ChannelPackage | BuiltPackage | Record) -> Identity:
        """Return the identity that a lock or an `info/index.json` gives a package."""
        return cls(name=package.name, version=package.version, build=package.build, subdir=package.subdir)

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.build} ({self.subdir})"


def check_identity(got: Identity, expected: Identity, *, what: str) -> None:
    """Refuse a package with another name, version or build than the locked one.

    Args:
        got: what its `info/index.json` says.
        expected: what the lock says.
        what: name of the archive for messages.

    Raises:
        ArtifactError: they differ.
    """
    if got != expected:
        raise ArtifactError(f"`{what}`: `info/index.json` names another package: expected {expected}, got {got}")


def check_extracted(package_dir: Path, *, what: str, expected: Identity | None = None) -> None:
    """Verify an extracted archive's own records, and add digests that they leave out to `paths.json`.

    Reads every listed file, at about 1.8 GB/s a core.

    Args:
        package_dir: just extracted; nobody else has it.
        what: name of the archive for messages.
        expected: what the lock calls the package; not compared without.

    Raises:
        ArtifactError: it is another package; it lists a path that is not in it, lies below a link, may not be in a
            prefix or has other bytes than stated; its `info/` is malformed or links out of the package.
    """
    tree = dict(_walk(str(package_dir)))
    _check_info_links(package_dir, tree, what)
    index = read_index(package_dir, what=what)
    if expected is not None:
        subdir = index.get("subdir", expected.subdir)
        got = Identity(name=index["name"], version=index["version"], build=index["build"], subdir=subdir)
        check_identity(got, expected, what=what)
    _check_places(package_dir, index, what)
    document = _read_object(package_dir / "info" / "paths.json", what)
    entries = _entries(document, what)
    _check_listed(entries, tree, what)
    if _prove(package_dir, entries, what):
        atomic_write(package_dir / "info" / "paths.json", json.dumps(document), sync=False)


def check_stored(package_dir: Path) -> None:
    """Verify a package of the store that another version of envgen extracted or converted.

    Raises:
        ArtifactError: as `check_extracted`; or it is not the package that its store key names.
    """
    what = package_dir.name
    check_extracted(package_dir, what=what)
    index = read_index(package_dir, what=what)
    if not what.startswith(stem := f"{index['name']}-{index['version']}-{index['build']}-"):
        raise ArtifactError(f"`{what}`: `info/index.json` names another package: {stem.rstrip('-')}")


def _walk(root: str) -> Iterator[tuple[str, str]]:
    """Yield each path of a tree and its kind; links are not followed."""
    folders = [""]
    while folders:
        start = folders.pop()
        with os.scandir(f"{root}/{start}") as found:
            for entry in found:
                path = f"{start}{entry.name}"
                kind = _kind(entry)
                yield path, kind
                if kind == "folder":
                    folders.append(f"{path}/")


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "device"


def _check_info_links(package_dir: Path, tree: Mapping[str, str], what: str) -> None:
    """Refuse links of `info/` that leave the package: licences and recipes there are read and copied."""
    root = os.path.realpath(package_dir)
    for path, kind in tree.items():
        if kind == "link" and (path == "info" or path.startswith("info/")):
            target = os.path.realpath(f"{root}/{path}")
            if not target.startswith(f"{root}/"):
                raise ArtifactError(f"`{what}`: `{path}`: expected a file of the package, got a link to `{target}`")


def _check_places(package_dir: Path, index: Mapping[str, Any], what: str) -> None:
    """Refuse a path for files of `noarch: python` packages that is not inside a prefix."""
    try:
        if (place := index.get("python_site_packages_path")) is not None:
            parse_prefix_path(place)
    except ValueError as error:
        raise ArtifactError(f"`{what}`: `info/index.json`: `python_site_packages_path`: {error}") from error
    if os.path.lexists(link := package_dir / "info" / "link.json"):
        check_entry_points(_read_object(link, what), what=what)


def check_entry_points(document: Mapping[str, Any], *, what: str) -> None:
    """Refuse commands of a `link.json` that are not file names.

    Raises:
        ArtifactError: names the command.
    """
    noarch = document.get("noarch", {})
    entries = noarch.get("entry_points", []) if isinstance(noarch, dict) else None
    if not isinstance(entries, list):
        raise ArtifactError(f"`{what}`: `info/link.json`: expected `noarch` with a list of `entry_points`")
    try:
        for entry in entries:
            parse_file_name(entry.partition("=")[0].strip() if isinstance(entry, str) else entry)
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"`{what}`: `info/link.json`: entry point: {error}") from error


def _read_object(path: Path, what: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"failed to extract `{what}`: `info/{path.name}`: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"failed to extract `{what}`: `info/{path.name}`: {error}") from error
    if not isinstance(document, dict):
        raise ArtifactError(f"`{what}`: `info/{path.name}`: expected a JSON object, got {type(document).__name__}")
    return document


def _entries(document: Mapping[str, Any], what: str) -> list[dict[str, Any]]:
    entries = document.get("paths")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ArtifactError(f"`{what}`: `info/paths.json`: `paths`: expected a list of objects")
    for entry in entries:
        if entry.get("path_type") not in tuple(_KINDS):  # a foreign value may have no hash
            raise ArtifactError(
                f"`{what}`: `info/paths.json`: {entry.get('_path')!r}: `path_type`: expected one of "
                f"{', '.join(_KINDS)}, got {entry.get('path_type')!r}"
            )
        if entry.get("file_mode") not in _FILE_MODES or not _is_placeholder(entry.get("prefix_placeholder")):
            raise ArtifactError(f"`{what}`: `info/paths.json`: {entry.get('_path')!r}: not a placeholder of a prefix")
    try:
        check_prefix_paths([entry.get("_path") for entry in entries])
    except ValueError as error:
        raise ArtifactError(f"`{what}`: `info/paths.json`: {error}") from error
    return entries


def _is_placeholder(text: object) -> bool:
    return text is None or (isinstance(text, str) and bool(text))


def _check_listed(entries: list[dict[str, Any]], tree: Mapping[str, str], what: str) -> None:
    """Compare every listed path with the tree."""
    for entry in entries:
        path, expected = entry["_path"], _KINDS[entry["path_type"]]
        got = tree.get(path)
        links = (above for above in folders_above(path) if tree.get(above) == "link")
        if got is None and (link := next(links, None)):
            raise ArtifactError(f"`{what}`: `{path}` lies below `{link}`: expected a folder there, got a link")
        if got is not None and got != expected:
            raise ArtifactError(f"`{what}`: `{path}`: expected a {expected} as `info/paths.json` says, got a {got}")
    missing = sorted(entry["_path"] for entry in entries if entry["_path"] not in tree)
    if missing:
        raise ArtifactError(f"`{what}` lacks {len(missing)} listed paths, the first is `{missing[0]}`")


def _prove(package_dir: Path, entries: list[dict[str, Any]], what: str) -> bool:
    """Hash every listed file against what is stated; put in what is not stated, and return whether that was so."""
    faults: list[str] = []
    filled = False
    for entry in entries:
        if entry["path_type"] != "hardlink":
            continue
        sha256, size = _digest(f"{package_dir}/{entry['_path']}")
        for key, got in (("sha256", str(sha256)), ("size_in_bytes", size)):
            expected = entry.get(key)
            if expected is None:
                entry[key], filled = got, True
            elif expected != got:
                faults.append(f"`{entry['_path']}`: `{key}`: expected {expected} as `info/paths.json` says, got {got}")
    if faults:
        more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise ArtifactError("\n".join(f"`{what}`: {fault}" for fault in [*faults[:_SHOWN], *more]))
    return filled


def _digest(path: str) -> tuple[Sha256, int]:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb", buffering=0) as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):  # between the walk and now
            return Sha256.of(b""), -1
        digest = Digest()
        for chunk in chunks(file, min(CHUNK, status.st_size + 1)):  # a buffer of 1 MB for each small file takes longer
            digest.update(chunk)
        return digest.sha256, digest.size
