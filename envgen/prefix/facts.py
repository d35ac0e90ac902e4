"""What linking a package has to know and what never changes about it, kept in the store: `info/` is read once.

The paths of a package, and what records say of its files, follow from its bytes, and its key stands for these; those of
a `noarch: python` package follow from where Python keeps things as well. So they are found when it is linked for the
first time and kept as a fact of the store behind its own digest; where there is none, or it is of another format or of
another `info/paths.json`, rebuilding it.
"""

from __future__ import annotations

import json
import os
from bisect import bisect
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from envgen.digest import Sha256
from envgen.errors import ArtifactError, UserError
from envgen.paths import check_prefix_paths
from envgen.prefix.conda_meta import join_entries, split_entries
from envgen.prefix.contents import read_entry_points, read_paths

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from envgen.prefix.contents import LinkPackage, PythonLayout
    from envgen.system.store import Store

_FORMAT = 2
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What taking a document of another format apart raises."""

_USUAL = frozenset({"_path", "path_type", "sha256", "size_in_bytes"})
_TEXT = _USUAL | {"file_mode", "prefix_placeholder"}


class PackageFacts(Struct, frozen=True, kw_only=True):
    """A package whose files are linked as they are, but for few texts that are written for each environment.

    Attributes:
        index: `info/index.json` as rattler writes it into a record.
        paths: of files with the same bytes in every environment, sorted.
        entries: what a record says of each of them, from `join_entries`.
        links: path of a symbolic link -> where it leads, as it stands there.
        made: path of each symbolic link and of each text with a placeholder -> its entry of `info/paths.json`.
        commands: path of a command of a `noarch: python` package -> what it calls, `module:function`.
        moved: path -> the one that the file has in the package, where that is another one.
    """

    index: Mapping[str, Any]
    paths: tuple[str, ...]
    entries: str
    links: Mapping[str, str]
    made: Mapping[str, Mapping[str, Any]]
    commands: Mapping[str, str]
    moved: Mapping[str, str]

    def every_path(self) -> tuple[str, ...]:
        """List all paths of the package, in no order."""
        return (*self.paths, *self.made, *self.commands)

    def source(self, path: str) -> str:
        """Return the path in the package of a file or link."""
        return self.moved.get(path, path)

    def select(self, wanted: Collection[str]) -> dict[str, str]:
        """Return the entries of those of some paths that are files with the same bytes in every environment."""
        return {
            path: entry for path, entry in zip(self.paths, split_entries(self.entries), strict=True) if path in wanted
        }

    def entries_with(self, others: Mapping[str, str]) -> str:
        """Return `entries`, and between them those of other paths."""
        if not others:
            return self.entries
        entries = split_entries(self.entries)
        for path in sorted(others, reverse=True):
            entries.insert(bisect(self.paths, path), others[path])
        return join_entries(entries)


def facts_of(package: LinkPackage, store: Store | None, python: PythonLayout | None = None) -> PackageFacts | None:
    """Find the facts of a package, or read them from its `info/` and keep them.

    Args:
        package: extracted.
        store: where they are kept; nothing is kept without.
        python: layout of the prefix's Python; nothing is found of a `noarch: python` package without.

    Returns:
        None for a package that takes more than linking its files: one with a program that holds the path of the
        environment, or a command that is no function of a module.

    Raises:
        ArtifactError: `info/` cannot be read, or lists a path that no package may have.
    """
    layout = python if package.record.noarch == "python" else None
    if package.record.noarch == "python" and (layout is None or layout.windows):
        return None
    kind, listing = _kind(layout), _listing(package)
    raw = store.cached(kind, package.key) if store else None
    try:
        return _parse(raw or b"", listing)
    except _MALFORMED:
        found = _read(package, layout)
    if store:
        with suppress(OSError, UserError):  # a store on a read-only file system serves all the same
            store.put(kind, package.key, _render(found, listing))
    return found


def _kind(layout: PythonLayout | None) -> str:
    """Name the folder of the store for facts that are the same for every Python, or for this one."""
    return f"linking-{layout.program}-{layout.site_packages}".replace("/", "-") if layout else "linking"


def _listing(package: LinkPackage) -> Sha256:
    """Digest `info/paths.json`: a comparison of status does not show every damage."""
    try:
        return Sha256.of((package.directory / "info/paths.json").read_bytes())
    except OSError as error:
        raise ArtifactError(f"package `{package.key}`: failed to read `info/paths.json`: {error}") from error


def _read(package: LinkPackage, layout: PythonLayout | None) -> PackageFacts | None:
    listed = read_paths(package)["paths"]
    places = {entry["_path"]: layout.place(entry["_path"]) if layout else entry["_path"] for entry in listed}
    moved = {place: path for path, place in places.items() if place != path}
    _check(package, [*places, *moved])
    entries = {places[entry["_path"]]: entry for entry in listed}
    commands = _commands(package, layout) if layout else {}
    if commands is None or len(entries) < len(listed) or entries.keys() & commands.keys():
        return None
    if not all(map(_is_known, entries.values())):
        return None
    links = {
        place: _target(package, entry["_path"]) for place, entry in entries.items() if entry["path_type"] == "softlink"
    }
    plain = sorted(place for place, entry in entries.items() if place not in links and entry.keys() == _USUAL)
    there = {place: {**entry, "_path": place} for place, entry in entries.items()}
    return PackageFacts(
        index=_index(package),
        paths=tuple(plain),
        entries=join_entries(as_recorded(there[place], there[place]["sha256"]) for place in plain),
        links=links,
        made={place: there[place] for place in sorted(there.keys() - set(plain))},
        commands=commands,
        moved=moved,
    )


def _check(package: LinkPackage, paths: list[str]) -> None:
    try:
        check_prefix_paths(paths)
    except ValueError as error:
        raise ArtifactError(f"package `{package.key}`: `info/paths.json`: {error}") from error


def _commands(package: LinkPackage, layout: PythonLayout) -> dict[str, str] | None:
    """Return path -> what it calls; None where that is not a plain `module:function`, or two are of one name."""
    entry_points = read_entry_points(package)
    found = {f"{layout.scripts}/{command}": target for command, target in entry_points}
    return found if len(found) == len(entry_points) and all(map(_is_plain_target, found.values())) else None


def _is_plain_target(target: str) -> bool:
    module, colon, function = target.partition(":")
    return bool(colon) and all(part.isidentifier() and part.isascii() for part in f"{module}.{function}".split("."))


def _index(package: LinkPackage) -> dict[str, Any]:
    from envgen.prefix.installer import normal_index  # noqa: PLC0415  rattler takes 50 ms, for a package that is new

    return normal_index(package.directory)


def as_recorded(entry: Mapping[str, Any], sha256: str | None) -> str:
    """Render the entry of a record, given that of `info/paths.json` and the digest in the prefix, if there is one."""
    own = {"sha256_in_prefix": sha256} if sha256 else {}
    return json.dumps({**entry, **own}, sort_keys=True)


def _is_known(entry: Mapping[str, Any]) -> bool:
    """Return whether nothing but linking, or replacing a placeholder in a text, makes an entry."""
    if not (isinstance(entry.get("sha256"), str) and isinstance(entry.get("size_in_bytes"), int)):
        return False
    if entry["path_type"] == "hardlink" and entry.keys() == _TEXT:
        return bool(entry["file_mode"] == "text" and entry["prefix_placeholder"])
    return entry["path_type"] in {"hardlink", "softlink"} and entry.keys() == _USUAL


def _target(package: LinkPackage, path: str) -> str:
    try:
        return os.readlink(package.directory / path)  # noqa: PTH115  Path would change `./x`
    except OSError as error:
        raise ArtifactError(f"package `{package.key}`: `{path}`: expected a link, {error.strerror}") from error


def _render(facts: PackageFacts | None, listing: Sha256) -> bytes:
    """Write facts: a line of JSON, then the entries as they are, which takes less time to read than JSON in JSON."""
    head = {"format": _FORMAT, "listing": listing, **(asdict(facts) if facts else {"paths": None, "entries": ""})}
    entries = head.pop("entries")
    return f"{json.dumps(head)}\n{entries}".encode()


def _parse(raw: bytes, listing: Sha256) -> PackageFacts | None:
    first, _newline, entries = raw.decode().partition("\n")
    document = msgspec.json.decode(first)
    if (document.pop("format"), document.pop("listing")) != (_FORMAT, listing):
        raise ValueError("another format, or of another package")
    if document["paths"] is None:
        return None
    facts = PackageFacts(**{**document, "paths": tuple(document["paths"])}, entries=entries)
    check_prefix_paths(facts.every_path())
    return facts
