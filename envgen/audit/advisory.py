"""Advisories of an OSV database, read from their JSON.

Format: https://ossf.github.io/osv-schema/ (1.x). Fields that do not decide whether a version is affected are optional
here, since databases leave them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen import limits
from envgen.documents import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EVENTS = ("introduced", "fixed", "last_affected", "limit")
_ORDERED = frozenset({"ECOSYSTEM", "SEMVER"})
"""Kinds of ranges over versions; `GIT` has commits, which no package carries."""


class AdvisoryError(ValueError):
    """A record that is not an advisory of the OSV schema."""


class Event(Struct, frozen=True, kw_only=True):
    """A point at which a range begins or ends: `kind` is `introduced`, `fixed`, `last_affected` or `limit`."""

    kind: str
    version: str


class Affected(Struct, frozen=True, kw_only=True):
    """One package that an advisory is about.

    Attributes:
        ecosystem: such as `PyPI` or `Debian:12`.
        name: as the ecosystem spells it.
        versions: affected versions, one by one.
        ranges: each the events of one range, as listed.
        urgency: what Debian calls its own severity; None elsewhere.
    """

    ecosystem: str
    name: str
    versions: tuple[str, ...]
    ranges: tuple[tuple[Event, ...], ...]
    urgency: str | None


class Advisory(Struct, frozen=True, kw_only=True):
    """One record of the database.

    Attributes:
        id: of the record, such as `GHSA-...`, `PYSEC-...` or `DSA-...`.
        aliases: other identifiers of the same vulnerability, sorted.
        summary: one line; empty where the record has none.
        severity: a word (`HIGH`) or a CVSS vector; None where the record has none.
        modified: when the record was last changed, as written.
        withdrawn: whether its authors took it back.
        affected: packages.
    """

    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: str | None
    modified: str
    withdrawn: bool
    affected: tuple[Affected, ...]


def parse_advisory(data: bytes) -> Advisory:
    """Parse a record.

    Raises:
        AdvisoryError: it is not one.
    """
    try:
        record = read_json(data, limit=limits.ADVISORY)
    except ValueError as error:
        raise AdvisoryError(f"not JSON: {error}") from error
    if not isinstance(record, dict) or not isinstance(record.get("id"), str) or not record["id"]:
        raise AdvisoryError("expected a mapping with an `id`")
    upstream = _texts(record, "upstream")
    # a record with several of them is about a fix that closes several vulnerabilities
    names = {*_texts(record, "aliases"), *(upstream if len(upstream) == 1 else ())}
    return Advisory(
        id=record["id"],
        aliases=tuple(sorted(names - {record["id"]})),
        summary=_summary(record),
        severity=_severity(record),
        modified=_text(record, "modified"),
        withdrawn=bool(record.get("withdrawn")),
        affected=tuple(_affected(record)),
    )


def _affected(record: Mapping[str, Any]) -> Iterator[Affected]:
    for entry in _mappings(record, "affected"):
        package = entry.get("package")
        if not isinstance(package, dict):
            continue  # a repository without a package: `GIT` ranges alone
        ranges = (r for r in _mappings(entry, "ranges") if r.get("type") in _ORDERED)
        yield Affected(
            ecosystem=_text(package, "ecosystem"),
            name=_text(package, "name"),
            versions=_texts(entry, "versions"),
            ranges=tuple(tuple(_events(found)) for found in ranges),
            urgency=_text(_mapping(entry, "ecosystem_specific"), "urgency") or None,
        )


def _events(found: Mapping[str, Any]) -> Iterator[Event]:
    for entry in _mappings(found, "events"):
        yield from (Event(kind=kind, version=entry[kind]) for kind in _EVENTS if isinstance(entry.get(kind), str))


def _summary(record: Mapping[str, Any]) -> str:
    text = _text(record, "summary") or _text(record, "details").strip().partition("\n")[0]
    return " ".join(text.split())[: limits.SUMMARY]


def _severity(record: Mapping[str, Any]) -> str | None:
    word = _text(_mapping(record, "database_specific"), "severity")
    scores = [_text(score, "score") for score in _mappings(record, "severity")]
    return word or next(filter(None, scores), None)


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _texts(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = record.get(key)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _mapping(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _mappings(record: Mapping[str, Any], key: str) -> tuple[Mapping[str, Any], ...]:
    value = record.get(key)
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
