"""What differs between two locks of one environment and platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envgen.packages import Package, sort_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sized

    from envgen.lock.model import Lock

_DIGITS = 12
"""Of a digest, where a person reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One package that is in both locks and not the same."""

    before: Package
    after: Package

    @property
    def is_other_version(self) -> bool:
        """Whether the version changed; otherwise it is another build, file or set of dependencies of the same."""
        return self.before.version != self.after.version


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """Something beside the packages: `what` in words, and both values as text."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockChanges:
    """The way from one lock to another, each part sorted by manager and name.

    Attributes:
        added: only in the new lock.
        removed: only in the old one.
        changed: in both, not the same.
        settings: what the locks were made by.
    """

    added: tuple[Package, ...]
    removed: tuple[Package, ...]
    changed: tuple[Change, ...]
    settings: tuple[SettingChange, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.settings)

    def summary(self) -> str:
        """Count the packages in one line: `3 added, 1 removed, 2 changed`."""
        return summary(added=self.added, removed=self.removed, changed=self.changed)

    def lines(self) -> tuple[str, ...]:
        """Word every change in a line of its own: settings, then packages by name."""
        packages = [
            *((sort_key(p), f"+ {p.name} {p.version}") for p in self.added),
            *((sort_key(p), f"- {p.name} {p.version}") for p in self.removed),
            *((sort_key(c.after), f"~ {c.after.name} {_difference(c)}") for c in self.changed),
        ]
        settings = (f"~ {s.what}: {s.before or 'none'} -> {s.after or 'none'}" for s in self.settings)
        return (*settings, *(line for _, line in sorted(packages)))

    def as_json(self) -> dict[str, Any]:
        """Lay the changes out for `--json`."""
        return {
            "added": [_facts(p) for p in self.added],
            "removed": [_facts(p) for p in self.removed],
            "changed": [{"before": _facts(c.before), "after": _facts(c.after)} for c in self.changed],
            "settings": [{"what": s.what, "before": s.before, "after": s.after} for s in self.settings],
        }


def summary(**changes: Sized) -> str:
    """Count what happened to packages in one line, each under its own word."""
    counts = {what: len(packages) for what, packages in changes.items()}
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no package changed"


def diff(old: Lock | None, new: Lock) -> LockChanges:
    """Compare two locks; without an old one everything is added."""
    before = {sort_key(p): p for p in old.packages} if old else {}
    after = {sort_key(p): p for p in new.packages}
    return LockChanges(
        added=tuple(after[key] for key in sorted(after.keys() - before.keys())),
        removed=tuple(before[key] for key in sorted(before.keys() - after.keys())),
        changed=tuple(
            Change(before=before[key], after=after[key])
            for key in sorted(after.keys() & before.keys())
            if before[key] != after[key]
        ),
        settings=tuple(settings(old, new)) if old else (),
    )


def settings(old: Lock, new: Lock) -> Iterator[SettingChange]:
    """Compare what two locks were made by."""
    before, after = _setting_texts(old), _setting_texts(new)
    for what in sorted(before.keys() | after.keys()):
        if before.get(what, "") != after.get(what, ""):
            yield SettingChange(what=what, before=before.get(what, ""), after=after.get(what, ""))


def _setting_texts(lock: Lock) -> dict[str, str]:
    return {
        "channels": ", ".join(lock.channels),
        "converter": str(lock.converter),
        "Debian lock": _short(lock.debian),
        "exclude-newer": lock.exclude_newer.isoformat() if lock.exclude_newer else "",
        **{name.removeprefix("__"): value for name, value in lock.target.virtual_packages().items()},
        **{f"name of {project}": name for project, name in lock.names.items()},
        **{f"recipe {recipe}": _short(digest) for recipe, digest in lock.recipes.items()},
    }


def _difference(change: Change) -> str:
    before, after = change.before, change.after
    if change.is_other_version:
        return f"{before.version} -> {after.version}"
    if before.sha256 != after.sha256:
        return f"{after.version}: sha256 {_short(before.sha256)} -> {_short(after.sha256)}"
    names = {str(name) for name, _ in _depends(before).items() ^ _depends(after).items()}
    return f"{after.version}: other dependencies: {', '.join(sorted(names))}" if names else after.version


def _depends(package: Package) -> Mapping[Any, str]:
    return package.needs


def _facts(package: Package) -> dict[str, Any]:
    return {
        "manager": package.manager,
        "name": str(package.name),
        "version": package.version,
        "build": package.build or None,
        "sha256": str(package.sha256),
    }


def _short(digest: str | None) -> str:
    return digest[:_DIGITS] if digest else ""
