"""What an extracted package will put where: its paths as they will stand in a prefix."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.documents import read_json
from envgen.errors import ArtifactError
from envgen.packages import ChannelArchive, Wheel
from envgen.paths import check_prefix_paths, parse_file_name, parse_prefix_path
from envgen.platforms import Platform
from envgen.prefix.clobber import LINK, Claim, Claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from envgen.records import Record


class LinkPackage(Struct, frozen=True, kw_only=True):
    """A package that is ready to be linked.

    Attributes:
        record: what it is; its `depends` and `constrains` are what `conda-meta` will say.
        directory: the extracted package in the store, named by its key.
    """

    record: Record
    directory: Path

    @property
    def key(self) -> str:
        """Name of the extracted package in the store: equal keys, equal bytes."""
        return self.directory.name


class PythonLayout(Struct, frozen=True, kw_only=True):
    """Where Python keeps things in a prefix; `noarch: python` packages are laid out by it.

    Attributes:
        site_packages: folder of modules.
        scripts: folder of commands.
        program: path of Python, which the first line of a command names.
        windows: whether a command is two files, one of them a program.
    """

    site_packages: str
    scripts: str
    program: str
    windows: bool = False

    def place(self, path: str) -> str:
        """Return where a path of a `noarch: python` package will stand."""
        folder, _slash, rest = path.partition("/")
        target = {"site-packages": self.site_packages, "python-scripts": self.scripts}.get(folder)
        return f"{target}/{rest}" if target and rest else path


class Content(Struct, frozen=True, kw_only=True):
    """One path of a package.

    Attributes:
        source: its path in the package; `entry_point:<command>` for a script that linking makes.
        claim: where it will stand, and what it is.
    """

    source: str
    claim: Claim


class Contents(Struct, frozen=True, kw_only=True):
    """All files and links of one package; folders belong to nobody."""

    package: LinkPackage
    items: tuple[Content, ...]

    def claims(self) -> Claims:
        """Return what the package brings, for the decision of who owns what."""
        record = self.package.record
        return Claims(
            package=record.name,
            claims=[item.claim for item in self.items],
            project=record.origin.project if isinstance(record.origin, Wheel) else None,
            channel=isinstance(record.origin, ChannelArchive),
        )


ENTRY_POINT = "entry_point:"


def python_layout(packages: Iterable[LinkPackage], platform: Platform) -> PythonLayout | None:
    """Find the layout of the Python among the packages; None without one.

    Raises:
        ArtifactError: that Python has its site-packages outside the prefix.
    """
    python = next((p for p in packages if p.record.name == "python"), None)
    if python is None:
        return None
    if platform is Platform.WIN_64:
        return PythonLayout(site_packages="Lib/site-packages", scripts="Scripts", program="python.exe", windows=True)
    minor = ".".join(python.record.version.split(".")[:2])
    # CEP 17: a Python may say where its site-packages is (free-threaded builds: lib/python3.13t/site-packages)
    stated = _read_json(python, "index.json").get("python_site_packages_path") or f"lib/python{minor}/site-packages"
    try:
        return PythonLayout(site_packages=parse_prefix_path(stated), scripts="bin", program=f"bin/python{minor}")
    except ValueError as error:
        raise ArtifactError(
            f"package `{python.key}`: `info/index.json`: `python_site_packages_path`: {error}"
        ) from error


def read_contents(package: LinkPackage, python: PythonLayout | None) -> Contents:
    """List what a package will put into the prefix.

    Args:
        package: extracted.
        python: layout of the prefix's Python; needed for `noarch: python` only.

    Raises:
        ArtifactError: the package's `info/` is unreadable or lists a path that no package may have, or the package
            is `noarch: python` and there is no Python.
    """
    items = list(_paths(package))
    if package.record.noarch == "python":
        if python is None:
            raise ArtifactError(f"package `{package.record.dist}` needs Python, which is not in the environment")
        items = [_moved(item, python) for item in items]
        items.extend(_scripts(package, python))
    return Contents(package=package, items=tuple(items))


def without(document: dict[str, Any], clobbered: frozenset[str]) -> dict[str, Any]:
    """Return a `paths.json` without the paths in `clobbered` (paths in the package)."""
    return {**document, "paths": [entry for entry in document["paths"] if entry["_path"] not in clobbered]}


def without_entry_points(document: dict[str, Any], clobbered: frozenset[str]) -> dict[str, Any]:
    """Return a `link.json` without the commands in `clobbered`."""
    noarch = document["noarch"]
    kept = [entry for entry in noarch.get("entry_points", ()) if _command(entry) not in clobbered]
    return {**document, "noarch": {**noarch, "entry_points": kept}}


def read_paths(package: LinkPackage) -> dict[str, Any]:
    """Read `info/paths.json`.

    Raises:
        ArtifactError: it is missing or not what CEP 34 says.
    """
    document = _read_json(package, "paths.json")
    entries = document.get("paths")
    if document.get("paths_version") != 1 or not isinstance(entries, list):
        raise ArtifactError(f"`info/paths.json` of `{package.key}` does not have version 1")
    return document


def read_link(package: LinkPackage) -> dict[str, Any]:
    """Read `info/link.json`, which holds the entry points of a `noarch: python` package; empty where there is none."""
    if not (package.directory / "info" / "link.json").exists():
        return {}
    return _read_json(package, "link.json")


def _read_json(package: LinkPackage, name: str) -> dict[str, Any]:
    path = package.directory / "info" / name
    try:
        document = read_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"package `{package.key}`: failed to read `info/{name}`: {error}") from error
    if not isinstance(document, dict):
        raise ArtifactError(f"package `{package.key}`: `info/{name}` is not a JSON object")
    return document


def _paths(package: LinkPackage) -> Iterator[Content]:
    entries = read_paths(package)["paths"]
    try:
        check_prefix_paths([entry["_path"] for entry in entries])
    except ValueError as error:
        raise ArtifactError(f"package `{package.key}`: `info/paths.json`: {error}") from error
    for entry in entries:
        path, kind = entry["_path"], entry["path_type"]
        if kind != "directory":
            yield Content(source=path, claim=Claim(path=path, content=_content(package, path, entry)))


def _content(package: LinkPackage, path: str, entry: dict[str, Any]) -> str:
    if entry["path_type"] == "softlink":
        try:
            return f"{LINK}{os.readlink(package.directory / path)}"  # noqa: PTH115  thousands of them, Path is slow
        except OSError as error:
            raise ArtifactError(f"package `{package.key}`: `{path}`: expected a link, {error.strerror}") from error
    if placeholder := entry.get("prefix_placeholder"):
        return f"sha256:{entry.get('sha256')} with {entry.get('file_mode')} placeholder {placeholder}"
    return f"sha256:{entry.get('sha256')}"


def read_entry_points(package: LinkPackage) -> list[tuple[str, str]]:
    """List the commands of a `noarch: python` package, each with what it calls.

    Raises:
        ArtifactError: `info/link.json` is unreadable, or a command cannot be the name of a file.
    """
    entries = read_link(package).get("noarch", {}).get("entry_points", ())
    found = [(_command(entry), entry.partition("=")[2].strip()) for entry in entries]
    try:
        for command, _target in found:
            parse_file_name(command)
    except ValueError as error:
        raise ArtifactError(f"package `{package.key}`: `info/link.json`: entry point: {error}") from error
    return found


def _moved(item: Content, python: PythonLayout) -> Content:
    return Content(source=item.source, claim=Claim(path=python.place(item.source), content=item.claim.content))


def _scripts(package: LinkPackage, python: PythonLayout) -> Iterator[Content]:
    for command, target in read_entry_points(package):
        names = (f"{command}-script.py", f"{command}.exe") if python.windows else (command,)
        for name in names:
            claim = Claim(path=f"{python.scripts}/{name}", content=f"entry point {target}")
            yield Content(source=ENTRY_POINT + command, claim=claim)


def _command(entry: str) -> str:
    return entry.partition("=")[0].strip()
