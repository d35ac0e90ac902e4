"""What a lock keeps of packages that were not the newest when they were chosen, so that `why` can tell it later."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from envgen.names import parse_project_name, project_name
from envgen.packages import Wheel
from envgen.records import Older
from envgen.structs import replace
from envgen.urls import leak

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.requirements import Requirement

    from envgen.digest import Sha256
    from envgen.lock.model import Lock
    from envgen.packages import Package

_ADDRESS = re.compile(r" at \w+://[^\s'\"`,;)]+")
_URL = re.compile(r"\w+://[^\s'\"`,;)]+")
"""Addresses of this machine's mirrors, which a lock does not hold; other machines have others."""

_FACTS: Mapping[str, type] = {"days": int, "limit": bool, "line": str, "newest": str, "why": str}


def facts_to_keep(
    told: Iterable[Older],
    old: Lock | None,
    *,
    packages: Iterable[Package],
    request: Sha256,
    asked: Iterable[Requirement],
) -> tuple[Older, ...]:
    """Return what a new lock says of packages that were not the newest when they were chosen, sorted by project.

    What the old lock says of a package stays with the version, since a plain `lock` keeps that without asking again. It
    goes where the spec changed and has another line for the project now.

    Args:
        told: of what was chosen now.
        old: the lock before, if there was one.
        packages: of the new lock.
        request: digest of the new lock's request.
        asked: the requirements of the spec that hold on the platform.
    """
    known = _still_true(old, tuple(packages), request, tuple(asked)) if old else ()
    found = {older.project: older for older in (*known, *map(_portable, told))}
    return tuple(found[project] for project in sorted(found))


def _still_true(
    old: Lock, packages: Iterable[Package], request: Sha256, asked: Iterable[Requirement]
) -> tuple[Older, ...]:
    lines: dict[str, set[str | None]] = {}
    for requirement in asked:
        lines.setdefault(project_name(requirement.name), set()).add(str(requirement))
    chosen = {package.project: package.version for package in packages if isinstance(package, Wheel)}
    kept = (older for older in old.older if chosen.get(older.project) == older.chosen)
    same = old.request == request
    return tuple(older for older in kept if same or older.line in lines.get(older.project, {None}))


def to_json(facts: Iterable[Older]) -> str:
    """Write facts as a text that is the same for the same facts; the version chosen is that of the locked package."""
    return json.dumps({older.project: _written(older) for older in facts}, sort_keys=True, separators=(",", ":"))


def from_json(text: str, packages: Iterable[Package]) -> tuple[Older, ...]:
    """Read facts.

    Args:
        text: as `to_json` writes it.
        packages: of the lock.

    Raises:
        ValueError: it is not such a text, or names a project of which no wheel is locked.
    """
    chosen = {str(package.project): package.version for package in packages if isinstance(package, Wheel)}
    found = json.loads(text)  # its error is a ValueError
    if not isinstance(found, dict) or not found.keys() <= chosen.keys():
        raise ValueError(f"expected facts of locked wheels by their projects, got {text}")
    return tuple(_read(project, chosen[project], facts) for project, facts in sorted(found.items()))


def _written(older: Older) -> dict[str, Any]:
    facts = {"newest": older.newest, "why": older.why, "line": older.line, "days": older.days}
    return {key: value for key, value in facts.items() if value is not None} | ({"limit": True} if older.limit else {})


def _read(project: str, chosen: str, facts: object) -> Older:
    if not isinstance(facts, dict) or not {"newest", "why"} <= facts.keys() <= _FACTS.keys():
        raise ValueError(f"expected `newest`, `why`, and maybe `line`, `days`, `limit` of `{project}`, got {facts!r}")
    for key, value in facts.items():
        if type(value) is not _FACTS[key]:
            raise ValueError(f"expected {_FACTS[key].__name__} as `{key}` of `{project}`, got {value!r}")
    return Older(
        project=parse_project_name(project),
        chosen=chosen,
        newest=facts["newest"],
        line=facts.get("line"),
        why=facts["why"],
        limit=facts.get("limit", False),
        days=facts.get("days"),
    )


def _portable(older: Older) -> Older:
    why = _URL.sub("...", _ADDRESS.sub("", older.why))
    why = f"`envgen lock --upgrade {older.project}` says why" if leak(why) else why
    return replace(older, why=why)
