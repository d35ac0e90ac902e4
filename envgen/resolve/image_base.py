"""The Debian packages below an environment in an image: resolved for the lock, fetched for the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import LockError, SpecError
from envgen.lock.base_request import base_request
from envgen.lock.debian_lock import IMAGE
from envgen.manifest.image_spec import PACKAGES
from envgen.prepare.deb_files import debian_archive, fetch_debs
from envgen.project.spec_faults import fault_of
from envgen.sources.debian import DebianArchive

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from envgen.debs import Deb
    from envgen.lock.debian_lock import BaseRequest
    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.sources.debian_age import LockedDebs
    from envgen.sources.debian_closure import Replaced
    from envgen.sources.debian_suites import DebianSuites


class ResolvedBase(Struct, frozen=True, kw_only=True):
    """A resolved base.

    Attributes:
        request: what was asked for.
        debs: the closure, sorted by name.
        replaced: packages that could not be kept as locked.
        dates: suite -> date of the release that they came from, aware.
        remarks: what the user should know of these releases.
    """

    request: BaseRequest
    debs: tuple[Deb, ...]
    replaced: tuple[Replaced, ...]
    dates: Mapping[str, dt.datetime]
    remarks: tuple[str, ...]


def resolve_base(
    context: Context,
    suites: DebianSuites,
    spec: EnvSpec,
    platform: Platform,
    *,
    keep: Collection[Deb],
    locked: LockedDebs,
) -> ResolvedBase | None:
    """Find the packages of the base with all that they need; None where no image is made for the platform.

    Args:
        context: the world.
        suites: of Debian.
        spec: whose image it is.
        platform: to make it for; need not be this machine's.
        keep: packages that are locked, taken again as long as a suite offers them.
        locked: all that are locked for the base.

    Raises:
        SpecError: a package of `image.base.packages` does not exist.
        UnsatisfiableError: a package does not go with the others.
        NetworkError, IntegrityError: as the archive says.
    """
    if spec.image is None or not platform.is_linux:
        return None
    request = base_request(spec.image.base, spec.targets[platform])
    archive = DebianArchive(suites, request.suites)
    _check_names(context, spec, archive, request.packages, platform)
    closure = archive.closure(
        request.packages, architecture=platform.debian_arch, exclude=request.exclude, keep=keep, locked=locked
    )
    return ResolvedBase(
        request=request,
        debs=closure.debs,
        replaced=closure.replaced,
        dates=closure.dates,
        remarks=closure.remarks,
    )


def _check_names(
    context: Context, spec: EnvSpec, archive: DebianArchive, names: Collection[str], platform: Platform
) -> None:
    """Find the packages that the spec itself names.

    Raises:
        SpecError: some do not exist.
    """
    wanted = sorted(set(names) - {text.split()[0] for text in PACKAGES})
    faults = [
        fault_of(
            context,
            spec,
            keys=("image", "base", "packages"),
            item=name,
            what=f"`image.base.packages`: `{name}` is not in the Debian suites for {platform}",
            hint=f"did you mean `{nearest}`?" if nearest else "check the name, or add a suite to `image.base.suites`",
        )
        for name, nearest in archive.missing(wanted, architecture=platform.debian_arch).items()
    ]
    if faults:
        raise SpecError(tuple(fault for error in faults for fault in error.faults))


def fetch_base(context: Context, pair: LockPair, *, only: Collection[str] = ()) -> dict[Deb, Path]:
    """Fetch the locked packages of the base into the store.

    Args:
        context: the world.
        pair: the locks.
        only: names of those to fetch; all without.

    Raises:
        LockError: no base is locked.
        GoneError: a locked package is no longer offered.
        NetworkError, IntegrityError: as the archive says.
    """
    debian = pair.debian
    if debian is None or debian.base is None:
        raise LockError(
            f"`{context.relative(pair.path)}` has no image base",
            hint="add `image: {}` to the spec and run `envgen lock`",
        )
    archive = debian_archive(context, debian.base.suites)
    debs = [deb for deb in debian.used_by(IMAGE) if not only or deb.name in only]
    return fetch_debs(context, debs, archive, architecture=pair.lock.platform.debian_arch)
