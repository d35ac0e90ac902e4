"""Work that several solves ask for, done once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Awaitable, Hashable


class Once(Struct, frozen=True):
    """Remembers work by its key, also while it is under way: `await once(key, work)`."""

    _asked: dict[Hashable, asyncio.Task[Any]] = field(default_factory=dict)

    async def __call__(self, key: Hashable, work: Awaitable[Any]) -> Any:
        """Return what the first work of a key gives or raises; other work of the key is not begun."""
        if key in self._asked:
            if asyncio.iscoroutine(work):
                work.close()
        else:
            self._asked[key] = asyncio.ensure_future(work)
        return await asyncio.shield(self._asked[key])
