"""What is in an environment before `create` plans: what became of its files, and what was installed beside the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.prefix import inventory
from envgen.prefix.drift import Drift, find_drift, unrecorded
from envgen.prefix.foreign import find_foreign, leftovers
from envgen.prefix.state import read_state
from envgen.prefix.verify import damaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from envgen.prefix.foreign import ForeignPackage
    from envgen.prefix.installed import InstalledPackage
    from envgen.project.context import Context

_FEW = 3
"""Packages that are read without a word: those that another tool linked again."""


class Examined(Struct, frozen=True, kw_only=True):
    """What is in a prefix, and what became of it.

    Attributes:
        installed: its packages.
        drift: what happened to their files.
        damaged: name of a package to link again -> why, each reason beginning with a path.
        foreign: distributions that no package owns.
    """

    installed: tuple[InstalledPackage, ...]
    drift: Drift
    damaged: Mapping[str, tuple[str, ...]]
    foreign: tuple[ForeignPackage, ...]

    @property
    def beside(self) -> tuple[ForeignPackage, ...]:
        """Return distributions that were installed beside the packages and replace none of them."""
        return tuple(one for one in self.foreign if not one.replaces)

    def strangers(self, prefix: Path, *, prune: bool) -> frozenset[str]:
        """List the paths that go: of what was installed over packages, and with `prune` beside them."""
        gone = (path for one in self.foreign if one.replaces or prune for path in one.files)
        return frozenset((*gone, *leftovers(prefix, self.installed, self.damaged)))


def examine(context: Context, prefix: Path, *, verify: bool) -> Examined:
    """Compare the files of a prefix with what was linked; changes nothing.

    Args:
        context: the world.
        prefix: the environment, which need not exist.
        verify: read every file.

    Raises:
        IntegrityError: a record cannot be read.
    """
    state = read_state(prefix)
    installed = inventory.read(prefix, state)
    unread = unrecorded(prefix, installed, state)
    if unread > _FEW:
        context.reporter.note(f"no record of the files of `{prefix}`: {unread} packages are compared once")

    def stored(key: str) -> Path | None:
        return None if context.store.altered(key) else context.store.package(key)

    drift = find_drift(prefix, installed, state, stored=stored)
    read = damaged(prefix, context.reporter) if verify else {}
    foreign = find_foreign(prefix, installed)
    over = {one.replaces: (_installed_over(one),) for one in foreign if one.replaces}
    every = [over, drift.damaged, read]
    faults = {name: _joined(source.get(name, ()) for source in every) for name in {*over, *drift.damaged, *read}}
    return Examined(installed=installed, drift=drift, damaged=faults, foreign=foreign)


def _installed_over(one: ForeignPackage) -> str:
    return f"{one.folder}: {one.installer or 'another tool'} installed version {one.version}"


def _joined(sources: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Yield all reasons; a path that was already reported is skipped."""
    found: dict[str, str] = {}
    for reasons in sources:
        for reason in reasons:
            found.setdefault(reason.partition(": ")[0], reason)
    return tuple(found.values())
