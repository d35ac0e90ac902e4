"""The Debian lock of what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.lock.debian_lock import IMAGE, DebianLock, later_dates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.platforms import Platform
    from envgen.prepare.recipe_packages import RecipeOutput
    from envgen.project.lock_files import LockPair
    from envgen.resolve.image_base import ResolvedBase


def debian_lock(
    environment: str,
    platform: Platform,
    *,
    used: Sequence[RecipeOutput],
    base: ResolvedBase | None,
    old: LockPair | None,
) -> DebianLock | None:
    """Return the Debian lock of an environment; None where it takes nothing from Debian.

    Args:
        environment: its name.
        platform: of the lock.
        used: what the recipes of its packages take.
        base: of its image, if there is to be one.
        old: the lock before; releases count as later where packages changed.
    """
    if not base and not any(one.debs for one in used):
        return None
    of_image = base.request.suites if base else ()
    found = DebianLock.of_uses(
        environment=environment,
        platform=platform,
        suites=[*of_image, *(suite for one in used for suite in one.suites)],
        uses={one.recipe.name: one.debs for one in used if one.debs} | ({IMAGE: base.debs} if base else {}),
        base=base.request if base else None,
        recipe_suites={one.recipe.name: one.suites for one in used if one.debs},
        releases=later_dates(base.dates if base else {}, *(one.dates for one in used)),
    )
    return found.dated_after(old.debian if old else None)
