"""`clean`: what the store takes on disk, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from envgen.project.context import Context
    from envgen.system.store import Cleaned, StoreKind, Usage


def usage(context: Context) -> tuple[Usage, ...]:
    """Measure what each kind of thing takes."""
    return context.store.usage()


def clean(context: Context, *, kinds: Collection[StoreKind], older_than: dt.timedelta | None) -> Cleaned:
    """Remove what was not used for a while; environments stay whole, for they hold links of their own.

    Raises:
        UserError: another process uses the store.
    """
    return context.store.clean(kinds=kinds, older_than=older_than, now=context.now)
