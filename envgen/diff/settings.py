"""What differs between two locks beside their packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.indexes import LockedIndex
    from envgen.lock.model import Lock

_DIGITS = 12
"""Of a digest, where a person reads it."""


class SettingChange(Struct, frozen=True, kw_only=True):
    """Something beside the packages: `what` in words, and both values as text, "" where it is not set."""

    what: str
    before: str
    after: str


def changed_settings(old: Lock, new: Lock) -> Iterator[SettingChange]:
    """Compare what two locks were made by, sorted by name."""
    before, after = _texts(old), _texts(new)
    for what in sorted(before.keys() | after.keys()):
        if before.get(what, "") != after.get(what, ""):
            yield SettingChange(what=what, before=before.get(what, ""), after=after.get(what, ""))


def _texts(lock: Lock) -> dict[str, str]:
    return {
        "channels": ", ".join(lock.channels),
        "converter": str(lock.converter),
        "Debian lock": _short(lock.debian),
        "exclude-newer": lock.exclude_newer.isoformat() if lock.exclude_newer else "",
        **{name.removeprefix("__"): value for name, value in lock.target.virtual_packages().items()},
        **{f"name of {project}": name for project, name in lock.names.items()},
        **{f"index {name}": _index(index) for name, index in lock.indexes.items()},
        **_adjustments(lock),
        **{f"recipe {recipe}": _short(digest) for recipe, digest in lock.recipes.items()},
    }


def _adjustments(lock: Lock) -> dict[str, str]:
    found = {
        f"{key}.{entry}": value if isinstance(value, str) else ", ".join(value) or "for other platforms only"
        for key, entries in lock.adjustments.by_key().items()
        for entry, value in entries.items()
    }
    return found | {f"{project}": f"{other} stands for it" for project, other in lock.stand_ins.items()}


def _index(index: LockedIndex) -> str:
    return f"{', '.join(index.projects)} at an address with digest {_short(index.address)}"


def _short(digest: str | None) -> str:
    return digest[:_DIGITS] if digest else ""
