"""Read the section `audit:` of a spec: known vulnerabilities that a project has looked at and ignores for a while.

audit:
  ignore:
    CVE-2026-12345: {reason: "we parse no XML", until: 2027-03-31}
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.manifest.document import BadValueError

if TYPE_CHECKING:
    from envgen.manifest.document import Value

_KEYS = ("ignore",)
_ENTRY = ("reason", "until")
_ID = re.compile(r"[A-Z][A-Za-z0-9]*(?:-[A-Za-z0-9:.]+)+")
_SHAPE = '`{reason: "...", until: 2027-03-31}`'


class Ignored(Struct, frozen=True, kw_only=True):
    """Why a vulnerability is ignored, and the last day on which it is."""

    reason: str
    until: dt.date


def parse_audit(section: Value | None) -> dict[str, Ignored]:
    """Parse the section; its faults go into the document."""
    found: dict[str, Ignored] = {}
    ignore = section.fields(_KEYS).get("ignore") if section else None
    for key, value in ignore.fields(hint=f"`CVE-...: {_SHAPE[1:-1]}`").items() if ignore else ():
        name, entry = value.checked(key, _identifier), _entry(value)
        if name and entry:
            found[name] = entry
    return found


def _entry(value: Value) -> Ignored | None:
    fields = value.fields(_ENTRY, hint=_SHAPE)
    missing = [key for key in _ENTRY if key not in fields or fields[key].is_empty]
    if missing:
        value.fault(f"`{value.key}`: {' and '.join(f'`{key}`' for key in missing)} missing", _SHAPE)
        return None
    reason, until = fields["reason"].text(), fields["until"].parsed(_day)
    return Ignored(reason=" ".join(reason.split()), until=until) if reason and until else None


def _identifier(text: str) -> str:
    if not _ID.fullmatch(text):
        raise BadValueError(f"not the identifier of an advisory: {text!r}", hint="for example `CVE-2026-12345`")
    return text


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise BadValueError(f"not a date: {text!r}", hint="for example `2027-03-31`") from error
