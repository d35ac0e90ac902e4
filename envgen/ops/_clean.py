"""`clean`: what the store takes on disk, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.system.store import Cleaned, StoreKind, Usage

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection
    from pathlib import Path

    from envgen.project.context import Context


class CleanOptions(Struct, frozen=True, kw_only=True):
    """What to remove from the store; nothing by default.

    Packages that environments hold links to stay unless `kinds` names them: removing them frees nothing, and the next
    change of an environment would have to fetch all of them again.

    Attributes:
        kinds: these kinds of things.
        older_than: what was last used longer ago than this. The channel goes only where `kinds` names it.
        everything: all of it.
    """

    kinds: Collection[StoreKind] = ()
    older_than: dt.timedelta | None = None
    everything: bool = False

    @property
    def chosen(self) -> tuple[StoreKind, ...]:
        """Return the kinds to remove from; none if nothing is to be removed."""
        if self.kinds:
            return tuple(self.kinds)
        if self.everything:
            return tuple(StoreKind)
        return () if self.older_than is None else tuple(kind for kind in StoreKind if kind is not StoreKind.CHANNEL)


class CleanResult(Struct, frozen=True, kw_only=True):
    """What the store holds, or what was removed from it.

    Attributes:
        root: folder of the store.
        usage: what each kind takes; empty where something was to be removed.
        removed: None where nothing was to be removed.
    """

    root: Path
    usage: tuple[Usage, ...] = ()
    removed: Cleaned | None = None


def clean(context: Context, options: CleanOptions) -> CleanResult:
    """Remove from the store, or measure what it holds; environments stay whole, for they hold links of their own.

    Raises:
        UserError: something is to be removed, and another process uses the store.
    """
    store = context.store
    if not options.chosen:
        return CleanResult(root=store.root, usage=store.usage())
    removed = store.clean(
        kinds=options.chosen, older_than=options.older_than, now=context.now, keep_linked=not options.kinds
    )
    return CleanResult(root=store.root, removed=removed)
