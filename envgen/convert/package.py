"""An extracted conda package: a directory with `info/index.json` and `info/paths.json` (CEP 34).

Whatever makes a package (a wheel, a recipe, Debian packages) lays out its files in a directory and then calls `seal`.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from envgen.digest import Sha256, copy_hashed
from envgen.documents import read_json
from envgen.errors import ArtifactError
from envgen.names import CondaName
from envgen.paths import check_prefix_paths, parse_file_name
from envgen.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from envgen.packages import Origin

PLACEHOLDER = "/opt/envgen" + "_placeholder" * 20 + "_pad"
"""Stands in files for the prefix that they will be installed to; linking replaces it.

255 characters, the length that conda-build settled on: a binary file can only take a prefix that is not longer.
One constant for every package, since a build folder's own path would make the bytes depend on where it was built.
"""

FileMode = Literal["text", "binary"]
"""How linking replaces the placeholder in a file: binary files keep their length."""

_EMPTY = (Sha256.of(b""), 0)

_NAMING = frozenset({"name", "version", "build", "subdir"})
"""Fields of `info/index.json` that become names of files and folders."""


class PathEntry(Struct, frozen=True, kw_only=True):
    """One path of a package.

    Attributes:
        path: relative to the package and to the prefix, with forward slashes.
        link: target of a symbolic link, relative to the link's own folder; None for a file.
        sha256: of the file's bytes; of the bytes it leads to, for a link (CEP 34); of nothing, for a link that
            leads to a folder or to a file of another package.
        size: bytes of what `sha256` was taken of.
        executable: whether the file has mode 0755 rather than 0644.
    """

    path: str
    link: str | None
    sha256: Sha256
    size: int
    executable: bool


def seal(
    package_dir: Path,
    *,
    index: Mapping[str, Any],
    placeholders: Mapping[str, FileMode],
    about: Mapping[str, Any] | None = None,
    digests: Mapping[str, tuple[Sha256, int]] | None = None,
    licenses: Mapping[str, Path] | None = None,
) -> None:
    """Write `info/` into a directory of files, which makes it an extracted conda package.

    Modes become 0644 or 0755. Deterministic: the same tree and arguments give the same bytes.

    Args:
        package_dir: holds the files as they will stand in a prefix; an `info/` that is there stays, with
            `index.json`, `paths.json` and `about.json` written.
        index: fields of `info/index.json`.
        placeholders: path -> how to replace `PLACEHOLDER` in it.
        about: fields of `info/about.json`.
        digests: path -> sha256 and size of regular files, where the caller knows them: those are not read again.
        licenses: name below `info/licenses/` -> file to copy there.

    Raises:
        ArtifactError: a device, socket or pipe; a link that is absolute or leaves the package; a path that may not be
            in a prefix.
    """
    info = package_dir / "info"
    info.mkdir(exist_ok=True)
    entries = list(scan(package_dir, digests=digests or {}))
    try:
        check_prefix_paths([entry.path for entry in entries])
    except ValueError as e:
        raise ArtifactError(f"`{index['name']}` contains a path that no package may have: {e}") from e
    _write_json(info / "index.json", index)
    _write_json(info / "about.json", about or {})
    (info / "paths.json").write_text(_render_paths(entries, placeholders), encoding="utf-8")
    for name, source in sorted((licenses or {}).items()):
        target = info / "licenses" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    _settle_modes(info)


def scan(package_dir: Path, *, digests: Mapping[str, tuple[Sha256, int]]) -> Iterator[PathEntry]:
    """Yield every path of a package outside `info/`, sorted, after giving files and folders their final mode.

    Raises:
        ArtifactError: see `seal`.
    """
    root = package_dir.resolve()
    known = dict(digests)
    found = sorted(_walk(root), key=lambda item: item[0])
    for path, entry in found:
        if stat.S_ISREG(entry.st_mode) and path not in known:
            known[path] = _digest_file(root / path)
    for path, entry in found:
        if stat.S_ISLNK(entry.st_mode):
            link = str((root / path).readlink())
            sha256, size = known.get(_follow(root, path, link), _EMPTY)
            yield PathEntry(path=path, link=link, sha256=sha256, size=size, executable=False)
        else:
            sha256, size = known[path]
            yield PathEntry(path=path, link=None, sha256=sha256, size=size, executable=bool(entry.st_mode & 0o100))


def read_index(package_dir: Path, *, what: str | None = None) -> dict[str, Any]:
    """Read `info/index.json`, with words that may become names of files.

    Args:
        package_dir: an extracted package.
        what: name of the package for messages; that of the folder without.

    Raises:
        ArtifactError: it is missing, or no JSON object with a name, a version and a build; or one of them, or the
            subdir, is not a plain name; or a field that a record holds is malformed.
    """
    path, what = package_dir / "info" / "index.json", what or package_dir.name
    try:
        found = read_json(path.read_bytes())
    except OSError as e:
        raise ArtifactError(f"`{what}` is not a conda package: `info/index.json`: {e.strerror}") from e
    except ValueError as e:
        raise ArtifactError(f"`{what}` is not a conda package: `info/index.json`: {e}") from e
    if not isinstance(found, dict) or not {"name", "version", "build"} <= found.keys():
        raise ArtifactError(f"`info/index.json` of `{what}` has no name, version or build")
    for key in _NAMING & found.keys():
        try:
            parse_file_name(found[key])
        except ValueError as e:
            raise ArtifactError(f"`{what}`: `info/index.json`: `{key}`: {e}") from e
    for key, expected in _SHAPES.items():
        if key in found and not expected(found[key]):
            raise ArtifactError(f"`{what}`: `info/index.json`: `{key}`: unexpected value {found[key]!r}")
    return found


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


_SHAPES: Mapping[str, Callable[[object], bool]] = {
    "depends": _is_texts,
    "constrains": _is_texts,
    "build_number": lambda value: isinstance(value, int),
}
"""Further fields of `info/index.json` that a record holds, and what tells whether they are well-formed."""


def record_of(package_dir: Path, origin: Origin, *, subdir: str = "noarch") -> Record:
    """Read the record of an extracted package.

    Args:
        package_dir: an extracted package.
        origin: where its bytes come from.
        subdir: of a package that does not state it.

    Raises:
        ArtifactError: see `read_index`.
    """
    index = read_index(package_dir)
    return Record(
        name=CondaName(index["name"]),
        version=index["version"],
        build=index["build"],
        build_number=index.get("build_number", 0),
        subdir=index.get("subdir", subdir),
        depends=tuple(index.get("depends", ())),
        constrains=tuple(index.get("constrains", ())),
        noarch=index.get("noarch"),
        origin=origin,
    )


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every path outside `info/`; a `Path` for each would take half of the time."""
    top = str(root)
    for folder, folders, files in os.walk(top):
        below = folder[len(top) + 1 :]
        if not below:
            folders.remove("info")
        Path(folder).chmod(0o755)
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114
        for name in (*files, *links):
            path = f"{below}/{name}" if below else name
            yield path, _settle_mode(f"{folder}/{name}", path)


def _settle_mode(file: str, path: str) -> os.stat_result:
    found = os.lstat(file)
    if stat.S_ISLNK(found.st_mode):
        return found
    if not stat.S_ISREG(found.st_mode):
        raise ArtifactError(f"`{path}` is neither a file nor a link")
    mode = 0o755 if found.st_mode & 0o100 else 0o644
    if stat.S_IMODE(found.st_mode) != mode:
        Path(file).chmod(mode)
    return found


def _settle_modes(folder: Path) -> None:
    for below, _folders, files in os.walk(folder):
        Path(below).chmod(0o755)
        for name in files:
            _settle_mode(f"{below}/{name}", name)


def _digest_file(file: Path) -> tuple[Sha256, int]:
    with file.open("rb") as source, Path(os.devnull).open("wb") as nowhere:
        return copy_hashed(source, nowhere)


def _follow(root: Path, path: str, link: str) -> str:
    """Name the file that a link leads to, through further links, relative to the package."""
    target = Path(os.path.realpath(root / path))
    if link.startswith("/") or not target.is_relative_to(root):
        raise ArtifactError(f"`{path}` is a link to outside the package: {link!r}")
    return target.relative_to(root).as_posix()


def _render_paths(entries: list[PathEntry], placeholders: Mapping[str, FileMode]) -> str:
    """Render `info/paths.json`, one path a line: Python's fast encoder cannot indent."""
    encode = json.JSONEncoder(ensure_ascii=False).encode  # `json.dumps` makes an encoder for each
    lines = ",\n".join(encode(_path_json(e, placeholders.get(e.path))) for e in entries)
    return f'{{"paths_version": 1, "paths": [\n{lines}\n]}}\n'


def _path_json(entry: PathEntry, mode: FileMode | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"_path": entry.path, "path_type": "hardlink" if entry.link is None else "softlink"}
    if mode:
        fields |= {"file_mode": mode, "prefix_placeholder": PLACEHOLDER}
    return {**fields, "sha256": entry.sha256, "size_in_bytes": entry.size}


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
