"""What the reader of a delta has: the files of an older lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.diff.sides import LockText, find_side
from envgen.errors import UserError
from envgen.lock.debian_lock import read_debian_lock
from envgen.lock.model import for_local_builds
from envgen.lock.read import read_lock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.digest import Sha256
    from envgen.platforms import Platform
    from envgen.project.context import Context


def files_since(context: Context, text: str) -> Mapping[tuple[str, Platform], frozenset[Sha256]]:
    """Read older locks: (environment, platform) -> the files that each needs.

    Args:
        context: the world.
        text: a git revision, a lock file or a folder of locks.

    Raises:
        UserError: it is none of these.
        LockError: one cannot be read.
    """
    found = {}
    for key, state in find_side(context, text).states.items():
        if not isinstance(state, LockText):
            raise UserError(
                f"`{text}` is an environment, expected a git revision or a lock",
                hint="for example: `envgen bundle --since HEAD~1`",
            )
        lock = read_lock(state.lock, source=state.where)
        if lock.debian and state.debian is None:
            context.reporter.warn(
                f"{state.where}: its Debian lock is not beside it, hence all Debian packages are bundled"
            )
        debian = read_debian_lock(state.debian, source=state.where) if state.debian else None
        debs = debian.packages if debian else ()
        packages = (*lock.packages, *for_local_builds(lock))
        found[key] = frozenset([*(package.sha256 for package in packages), *(deb.sha256 for deb in debs)])
    return found
