"""`list`: what is locked, for people: the packages, and the table of what accelerates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.lock.stack import Component, stack
from envgen.manifest.select import select_several
from envgen.project.lock_files import platforms_of, require_packages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.digest import Sha256
    from envgen.lock.model import Lock
    from envgen.packages import Package, PackageKind
    from envgen.platforms import Platform
    from envgen.project.context import Context


class ListedPackage(Struct, frozen=True, kw_only=True):
    """One locked package.

    Attributes:
        name: project or conda name.
        version: as locked.
        kind: where it comes from.
        sha256: of its file.
        size: bytes of its file; None where that is not known.
        stands_for: projects that it is installed in place of.
    """

    name: str
    version: str
    kind: PackageKind
    sha256: Sha256
    size: int | None
    stands_for: tuple[str, ...] = ()


class LockListing(Struct, frozen=True, kw_only=True):
    """What one lock holds.

    Attributes:
        environment: name of the spec.
        description: what the spec says of it; may be empty.
        platform: of the lock.
        packages: in the lock's order.
        stack: what accelerates, in the order of the table.
    """

    environment: str
    description: str = ""
    platform: Platform
    packages: tuple[ListedPackage, ...]
    stack: tuple[Component, ...]


def list_packages(
    context: Context, *, envs: Sequence[str] = (), platforms: Sequence[Platform] = ()
) -> tuple[LockListing, ...]:
    """List the packages of the locks of environments, in the spec's order of platforms.

    Args:
        context: the world.
        envs: names of the specs; the project's only or default one without.
        platforms: these only; all of the spec without.

    Raises:
        UserError: there is no such spec, or it does not name a platform.
        LockError: a lock is missing or cannot be read.
    """
    return tuple(
        _listing(require_packages(context, spec, platform), spec.description)
        for spec in select_several(context.root, envs)
        for platform in platforms_of(spec, platforms)
    )


def _listing(lock: Lock, description: str) -> LockListing:
    return LockListing(
        environment=lock.environment,
        description=description,
        platform=lock.platform,
        packages=tuple(map(_listed, lock.packages)),
        stack=stack(lock),
    )


def _listed(package: Package) -> ListedPackage:
    return ListedPackage(
        name=str(package.name),
        version=package.version,
        kind=package.kind,
        sha256=package.sha256,
        size=package.size,
        stands_for=package.stands_for,
    )
