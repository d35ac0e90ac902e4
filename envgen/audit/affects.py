"""Whether an advisory affects a version, in the order of its ecosystem.

Source: https://ossf.github.io/osv-schema/#evaluation
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from debian.debian_support import Version as DebianVersion
from msgspec import Struct
from packaging.version import Version

from envgen.names import project_name
from envgen.versions import InexpressibleError, parse_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from envgen.audit.advisory import Affected, Event

_BEGINNING = "0"
"""Before all versions, as the start of a range."""


class Ecosystem(StrEnum):
    """The ecosystems that packages of a lock belong to, as OSV names them; releases of Debian follow after a colon."""

    PYPI = "PyPI"
    DEBIAN = "Debian"


def lookup_name(name: str, ecosystem: Ecosystem) -> str:
    """Return the name by which packages of an ecosystem are compared, however it is spelled."""
    return str(project_name(name)) if ecosystem is Ecosystem.PYPI else name


class UncomparableError(ValueError):
    """An advisory names what is not a version of its ecosystem, so nothing can be compared with it."""


class Verdict(Struct, frozen=True, kw_only=True):
    """How a version is affected: `fixed` is the first later version without the fault, where one is named."""

    fixed: str | None


def judge(affected: Affected, version: str, ecosystem: Ecosystem) -> Verdict | None:
    """Return how a version is affected; None where it is not.

    Args:
        affected: the entry for the package.
        version: of the package.
        ecosystem: whose order counts.

    Raises:
        UncomparableError: a version of a range, or `version`, cannot be read.
    """
    read = _READ[ecosystem]
    own = read(version)
    hits = [events for events in affected.ranges if _is_inside(own, events, read)]
    if not hits and not _is_listed(own, affected.versions, read):
        return None
    later = sorted(_fixes(own, hits or affected.ranges, read))
    return Verdict(fixed=str(later[0]) if later else None)


def _is_inside(own: Any, events: Sequence[Event], read: Callable[[str], Any]) -> bool:
    """Walk through the events in the order of their versions; the last one that is passed decides."""
    inside = False
    for at, kind in sorted(_points(events, read), key=lambda p: (p[0] is not None, own if p[0] is None else p[0])):
        if kind == "introduced":
            inside = inside or at is None or own >= at
        elif kind == "last_affected":
            inside = inside and own <= at
        else:  # `fixed`, and `limit`, which ends what is known
            inside = inside and own < at
    return inside


def _points(events: Sequence[Event], read: Callable[[str], Any]) -> Iterator[tuple[Any, str]]:
    """Yield version and kind of each event; None is the beginning."""
    for event in events:
        if event.kind == "limit" and event.version == "*":
            continue
        is_beginning = event.kind == "introduced" and event.version == _BEGINNING
        yield None if is_beginning else read(event.version), event.kind


def _is_listed(own: Any, versions: Sequence[str], read: Callable[[str], Any]) -> bool:
    for text in versions:
        try:
            if read(text) == own:
                return True
        except UncomparableError:
            continue  # lists hold every release that there ever was, odd ones too
    return False


def _fixes(own: Any, ranges: Sequence[Sequence[Event]], read: Callable[[str], Any]) -> Iterator[Any]:
    for events in ranges:
        for event in events:
            if event.kind == "fixed" and (at := read(event.version)) > own:
                yield at


def _pypi(text: str) -> Version:
    """Read a version without its local part: advisories know releases, not builds."""
    try:
        return Version(parse_version(text).public)
    except InexpressibleError as error:
        raise UncomparableError(str(error)) from error


def _debian(text: str) -> DebianVersion:
    try:
        return DebianVersion(text)
    except ValueError as error:
        raise UncomparableError(f"`{text}` is not a Debian version") from error


_READ: dict[Ecosystem, Callable[[str], Any]] = {Ecosystem.PYPI: _pypi, Ecosystem.DEBIAN: _debian}
