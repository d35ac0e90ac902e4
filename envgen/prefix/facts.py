"""What linking a package has to know and what never changes about it, kept in the store: `info/` is read once.

The paths of a package, and what records say of its files, follow from its bytes, and its key stands for these. So they
are found when it is linked for the first time and kept as a fact of the store behind its own digest; where there is
none, or it is of another format or of another `info/paths.json`, rebuilding it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import ArtifactError, UserError
from envgen.paths import check_prefix_paths
from envgen.prefix.contents import read_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.prefix.contents import LinkPackage
    from envgen.system.store import Store

_KIND = "linking"
_FORMAT = 1
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What taking a document of another format apart raises."""

_USUAL = frozenset({"_path", "path_type", "sha256", "size_in_bytes"})
_TEXT = _USUAL | {"file_mode", "prefix_placeholder"}


class PackageFacts(Struct, frozen=True, kw_only=True):
    """A package whose files are linked as they are, but for few texts that hold the path of the environment.

    Attributes:
        paths: of files with the same bytes in every environment, sorted.
        entries: what a record says of each of them, as JSON.
        links: path of a symbolic link -> where it leads, as it stands there.
        made: path of each symbolic link and of each text with a placeholder -> its entry of `info/paths.json`.
    """

    paths: tuple[str, ...]
    entries: tuple[str, ...]
    links: Mapping[str, str]
    made: Mapping[str, Mapping[str, Any]]

    def every_path(self) -> tuple[str, ...]:
        """List all paths of the package, in no order."""
        return (*self.paths, *self.made)

    def select(self, wanted: Iterable[str]) -> dict[str, str]:
        """Return the entries of those of some paths that are files with the same bytes in every environment."""
        chosen = frozenset(wanted)
        return {path: entry for path, entry in zip(self.paths, self.entries, strict=True) if path in chosen}


def facts_of(package: LinkPackage, store: Store | None) -> PackageFacts | None:
    """Find the facts of a package, or read them from its `info/` and keep them.

    Args:
        package: extracted.
        store: where they are kept; nothing is kept without.

    Returns:
        None for a package that takes more than linking its files: one whose paths depend on the Python beside it, or
        with a program that holds the path of the environment.

    Raises:
        ArtifactError: `info/` cannot be read, or lists a path that no package may have.
    """
    if package.record.noarch == "python":
        return None
    raw, listing = store.cached(_KIND, package.key) if store else None, _listing(package)
    try:
        return _parse(raw or b"", listing)
    except _MALFORMED:
        found = _read(package)
    if store:
        with suppress(OSError, UserError):  # a store on a read-only file system serves all the same
            store.put(_KIND, package.key, _render(found, listing))
    return found


def _listing(package: LinkPackage) -> Sha256:
    """Digest `info/paths.json`: a comparison of status does not show every damage."""
    try:
        return Sha256.of((package.directory / "info/paths.json").read_bytes())
    except OSError as error:
        raise ArtifactError(f"package `{package.key}`: failed to read `info/paths.json`: {error}") from error


def _read(package: LinkPackage) -> PackageFacts | None:
    listed = read_paths(package)["paths"]
    entries = {entry["_path"]: entry for entry in listed}
    try:
        check_prefix_paths(list(entries))
    except ValueError as error:
        raise ArtifactError(f"package `{package.key}`: `info/paths.json`: {error}") from error
    if len(entries) < len(listed) or not all(map(_is_known, entries.values())):
        return None
    links = {path: _target(package, path) for path, entry in entries.items() if entry["path_type"] == "softlink"}
    plain = sorted(path for path, entry in entries.items() if path not in links and entry.keys() == _USUAL)
    return PackageFacts(
        paths=tuple(plain),
        entries=tuple(as_recorded(entries[path], entries[path]["sha256"]) for path in plain),
        links=links,
        made={path: entries[path] for path in sorted(entries.keys() - set(plain))},
    )


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
    """Write facts: a line of JSON, then a line for each entry, which takes less time to read than JSON in JSON."""
    head: dict[str, Any] = {"format": _FORMAT, "listing": listing, "paths": None}
    if facts is None:
        return json.dumps(head).encode()
    head |= {"paths": facts.paths, "links": facts.links, "made": facts.made}
    return "\n".join(chain((json.dumps(head),), facts.entries)).encode()


def _parse(raw: bytes, listing: Sha256) -> PackageFacts | None:
    first, *entries = raw.decode().split("\n")
    document = msgspec.json.decode(first)
    if (document["format"], document["listing"]) != (_FORMAT, listing):
        raise ValueError("another format, or of another package")
    if document["paths"] is None:
        return None
    facts = PackageFacts(
        paths=tuple(document["paths"]), entries=tuple(entries), links=document["links"], made=document["made"]
    )
    check_prefix_paths(facts.every_path())
    if len(facts.paths) != len(facts.entries):
        raise ValueError("not an entry for each path")
    return facts
