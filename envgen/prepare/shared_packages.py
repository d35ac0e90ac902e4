"""Packages that are copied from the store of somebody else instead of being made here: `shared-cache`.

A lock has the content of what recipes make, so that such a package is proved whoever stored it. Of a wheel it has the
digest of the file and not of what it unpacks to: unpacked ones are taken on the word of the store's owner, which is
root or whom the configuration names. What an input of this machine determines (`archive.local`) is made here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from envgen.packages import BuiltPackage

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context
    from envgen.system.shared_store import SharedStore


class _NotSharedError(Exception):
    """The package has to be made here."""


def is_shared(context: Context, item: PlannedPackage) -> bool:
    """Return whether the shared store has a package; what is wrong with it is found when it is copied."""
    shared, package = context.supply.shared, item.package
    if shared is None or (isinstance(package, BuiltPackage) and package.archive.local):
        return False
    return shared.has_package(item.wanted.key)


def copy_shared(context: Context, item: PlannedPackage) -> bool:
    """Copy a package from the shared store; return whether it is there and as it has to be, else the user is told."""
    shared = context.supply.shared
    if shared is None:
        return False
    try:
        context.store.ensure_package(item.wanted.key, partial(_copy, shared, item))
    except _NotSharedError:
        return False
    return True


def _copy(shared: SharedStore, item: PlannedPackage, folder: Path) -> None:
    key, package = item.wanted.key, item.package
    if not shared.copy_package(key, folder):
        raise _NotSharedError
    if not isinstance(package, BuiltPackage):
        return
    from envgen.convert.conda_archive import content_digest  # noqa: PLC0415  takes 20 ms, and few share packages

    if content_digest(folder) != package.content:
        shared.reporter.warn(f"package `{key}` of `shared-cache` is not used: its content is not what the lock says")
        raise _NotSharedError
