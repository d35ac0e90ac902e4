"""Source archives: unpacked safely, and what they say of themselves without a build.

A source archive tells its requirements where `PKG-INFO` has metadata 2.2 or later and declares none of them `Dynamic`,
or where `pyproject.toml` lists them. https://packaging.python.org/en/latest/specifications/core-metadata/#dynamic
"""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from packaging.metadata import parse_email
from packaging.version import InvalidVersion, Version

from envgen import limits
from envgen.documents import read_toml
from envgen.errors import ArtifactError
from envgen.names import project_name
from envgen.paths import parse_relative_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from envgen.names import ProjectName

_STATIC_SINCE = Version("2.2")
"""Metadata version from which on `PKG-INFO` says what a build may change."""

_DECIDING = frozenset({"requires-dist", "requires-python", "provides-extra"})
"""Fields that a solve needs beside name and version, which may not be dynamic in an archive."""

_DECIDING_KEYS = ("version", "dependencies", "optional-dependencies", "requires-python")
"""The same in `[project]` of `pyproject.toml`."""

_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)
"""What the libraries raise for archives that are damaged or leave their folder."""

_NO_TAR = "file could not be opened successfully"

ENDINGS = (".tar.gz", ".zip", ".tar.bz2", ".tgz")
"""Ends of the names of source archives that can be unpacked."""


def unpack_sdist(archive: Path, *, filename: str, dest: Path) -> Path:
    """Unpack a source archive and return its one folder.

    Args:
        archive: the file, whatever its name.
        filename: says the format, and is used in messages.
        dest: an empty folder.

    Raises:
        ArtifactError: it is damaged, too large, leaves its folder, or has more than one.
    """
    try:
        (_unzip if filename.endswith(".zip") else _untar)(archive, dest)
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno:  # the disk's fault; those of damaged streams have no number
            raise
        # tarfile lists what each compression says that it tried
        why = "not an archive" if str(error).startswith(_NO_TAR) else str(error)
        raise ArtifactError(f"failed to unpack `{filename}`: {why}") from error
    folders = [path for path in dest.iterdir() if path.is_dir() and not path.is_symlink()]
    if len(folders) != 1:
        raise ArtifactError(f"`{filename}` has {len(folders)} folders at its top, expected one")
    return folders[0]


def static_project(folder: Path, project: ProjectName) -> bytes | None:
    """Return METADATA as the `pyproject.toml` of a source tree states it; None where only a build can tell.

    Raises:
        ArtifactError: it is of another project.
    """
    return project_table_metadata(_pyproject(folder), project=project, version=None)


def static_metadata(folder: Path, *, project: ProjectName, version: str | None) -> bytes | None:
    """Return METADATA as an unpacked archive states it; None where only a build can tell.

    Args:
        folder: of the archive.
        project: that the index lists it for.
        version: in its name; None takes any.

    Raises:
        ArtifactError: it is the archive of another project or version.
    """
    raw = _read(folder / "PKG-INFO")
    if raw is not None:
        _check_identity(raw, project, version)
        if _is_static(raw):
            return raw
    return project_table_metadata(_pyproject(folder), project=project, version=version)


def _is_static(raw: bytes) -> bool:
    fields, _ = parse_email(raw)
    try:
        is_new = Version(fields.get("metadata_version", "0")) >= _STATIC_SINCE
    except InvalidVersion:
        return False
    return is_new and _DECIDING.isdisjoint(name.lower() for name in fields.get("dynamic", ()))


def _check_identity(raw: bytes, project: ProjectName, version: str | None) -> None:
    fields, _ = parse_email(raw)
    name, said = fields.get("name", ""), fields.get("version", "")
    if project_name(name or "?") != project or not (version is None or _is_same(said, version)):
        expected = f"`{project}` {version or ''}".rstrip()
        raise ArtifactError(f"the source of {expected} has the metadata of `{name}` {said}")


def _is_same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def project_table_metadata(document: Mapping[str, Any], *, project: ProjectName, version: str | None) -> bytes | None:
    """Write METADATA from `[project]` of `pyproject.toml`; None where a backend decides on a field that counts.

    Args:
        document: the whole file.
        project: that it must be of.
        version: that it must have; None takes any.

    Raises:
        ArtifactError: it is of another project or version.
    """
    table = document.get("project")
    if not isinstance(table, dict) or not {"name", "version"} <= table.keys():
        return None
    dynamic = table.get("dynamic", [])
    if not isinstance(dynamic, list) or any(key in dynamic for key in _DECIDING_KEYS):
        return None
    try:
        raw = "".join(f"{key}: {_one_line(value)}\n" for key, value in _fields(table)).encode()
    except (TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"`pyproject.toml` of `{project}`: `[project]` cannot be read: {error}") from error
    _check_identity(raw, project, version)
    return raw


def _fields(table: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "Metadata-Version", "2.2"
    yield "Name", table["name"]
    yield "Version", table["version"]
    if "requires-python" in table:
        yield "Requires-Python", table["requires-python"]
    for text in table.get("dependencies", []):
        yield "Requires-Dist", text
    for extra, texts in table.get("optional-dependencies", {}).items():
        yield "Provides-Extra", extra
        for text in texts:
            yield "Requires-Dist", _with_extra(text, extra)


def _with_extra(text: str, extra: str) -> str:
    requirement, semicolon, marker = text.partition(";")
    own = f'extra == "{extra}"'
    return f"{requirement}; ({marker.strip()}) and {own}" if semicolon else f"{requirement}; {own}"


def _one_line(value: object) -> str:
    if not isinstance(value, str) or "\n" in value:
        raise ValueError(f"expected a text of one line, got {value!r}")
    return value


def _pyproject(folder: Path) -> Mapping[str, Any]:
    raw = _read(folder / "pyproject.toml")
    try:
        return read_toml(raw.decode()) if raw is not None else {}
    except ValueError:  # the build tells what is wrong with it
        return {}


def _read(path: Path) -> bytes | None:
    """Read a small file of an archive; None where there is none, or none that can be read."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(limits.METADATA + 1)
    except OSError:
        return None
    return raw if len(raw) <= limits.METADATA else None


def _untar(archive: Path, dest: Path) -> None:
    with tarfile.open(archive) as tar:
        sizes = _Sizes()
        for member in tar:
            sizes.count(member.size)
            # `data` refuses absolute names, `..`, devices, and links out of the folder (PEP 706)
            tar.extract(member, dest, filter="data")


def _unzip(archive: Path, dest: Path) -> None:
    with zipfile.ZipFile(archive) as source:
        sizes = _Sizes()
        for info in source.infolist():
            sizes.count(info.file_size)
            parse_relative_path(info.filename.rstrip("/"))
            target = source.extract(info, dest)
            if mode := info.external_attr >> 16 & 0o111:
                (dest / target).chmod(0o644 | mode)


class _Sizes:
    """Counts what an archive unpacks to, and refuses too much of it."""

    def __init__(self) -> None:
        self._files = self._bytes = 0

    def count(self, size: int) -> None:
        self._files += 1
        self._bytes += size
        if self._files > limits.SOURCE_FILES or self._bytes > limits.SOURCE:
            raise ValueError(
                f"it has more than {limits.SOURCE_FILES} files or {limits.SOURCE} bytes, which is the limit"
            )
