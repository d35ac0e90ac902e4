"""The base of an image: what it is locked for, and whether that is still what the spec wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.lock.debian_lock import IMAGE, BaseRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from envgen.lock.debian_lock import DebianLock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.manifest.image_spec import BaseSpec
    from envgen.platforms import Platform, Target


def base_request(base: BaseSpec, target: Target) -> BaseRequest:
    """Return what is to be locked for the base of an image; the order in the spec does not count."""
    return BaseRequest(
        suites=tuple(sorted(set(base.suites_for(target.glibc)))),
        packages=base.wanted(target.platform),
        exclude=tuple(sorted(set(base.exclude))),
    )


def stale_base(spec: EnvSpec, platform: Platform, debian: DebianLock | None) -> tuple[str, ...]:
    """Return why the locked base is not the one that the spec wants; nothing if it is, or if there is to be no image.

    Which files of the packages are left out (`drop`) does not count: that is decided when the image is made.
    """
    target = spec.targets.get(platform)
    if spec.image is None or not platform.is_linux or target is None:
        return ()
    if debian is None or debian.base is None or not debian.used_by(IMAGE):
        return ("`image`: no image base is locked",)
    wanted = base_request(spec.image.base, target)
    return tuple(
        reason
        for key in ("suites", "packages", "exclude")
        for reason in _differences(key, getattr(wanted, key), getattr(debian.base, key))
    )


def _differences(key: str, wanted: Collection[str], locked: Collection[str]) -> Iterator[str]:
    for name in wanted:
        if name not in locked:
            yield f"`image.base.{key}` contains `{name}`, the base was locked without it"
    for name in locked:
        if name not in wanted:
            yield f"`image.base.{key}` does not contain `{name}`, the base was locked with it"
