"""Whether a lock has to be solved again: not where nothing changed that the solve would ask about.

Wheels and packages of channels are pinned by digest and are there for years, so their indices are not asked again
before somebody wants something newer. Debian replaces its packages: its releases are asked each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.lock.debian_lock import IMAGE, render_debian_lock
from envgen.lock.render import is_text_of
from envgen.lock.request import request_digest
from envgen.prepare.recipe_packages import find_debs
from envgen.project import shipped
from envgen.project.cooldown import dated
from envgen.project.lock_files import reasons_against
from envgen.project.solve_groups import company
from envgen.resolve import kept
from envgen.resolve.debian_part import debian_lock
from envgen.resolve.image_base import resolve_base
from envgen.resolve.upgrade import Upgrade

if TYPE_CHECKING:
    from envgen.manifest.env_spec import EnvSpec
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.sources.debian_suites import DebianSuites


def is_current(context: Context, spec: EnvSpec, pair: LockPair) -> bool:
    """Return whether a lock is what a solve of the same spec wrote. Offline.

    It is not where the spec changed in any way that a solve depends on, also where the lock is still true for it; where
    the file has another text than would be written now; where other environments are solved together with it now; where
    a recipe stands ready for what is locked as a wheel; and where nobody wrote down what the adjustments of the spec
    did.
    """
    lock = pair.lock
    spec = dated(spec, lock, now=context.now)
    return (
        lock.source == spec.source
        and lock.platform in spec.targets
        and lock.request == request_digest(spec, spec.targets[lock.platform])
        and (lock.told is not None or not lock.adjustments.by_key())
        and lock.shared.keys() == company(context, spec, lock.platform)
        and not _has_recipe_of_wheel(context, spec, pair)
        and not reasons_against(context, spec, pair, image=True)
        and is_text_of(lock, pair.text)
    )


def debian_remarks(context: Context, suites: DebianSuites, spec: EnvSpec, pair: LockPair) -> tuple[str, ...] | None:
    """Ask Debian whether the locked packages are still what would be locked.

    Args:
        context: the world.
        suites: of Debian.
        spec: of the lock.
        pair: the lock; it is true for the spec.

    Returns:
        What the user should know of the releases; None where other packages would be locked.

    Raises:
        UserError, UnsatisfiableError, NetworkError, IntegrityError: as for a lock that is solved.
    """
    platform, keep = pair.lock.platform, kept.debs(pair, Upgrade())
    recipes = shipped.recipes(context.root)
    used = [
        find_debs(
            context,
            recipes[name],
            spec=spec,
            platform=platform,
            suites=suites,
            keep=keep.get(name, ()),
            locked=kept.locked_debs(pair, name),
        )
        for name in sorted(pair.lock.recipes)
        if recipes[name].is_debian
    ]
    base = resolve_base(context, suites, spec, platform, keep=keep.get(IMAGE, ()), locked=kept.locked_debs(pair, IMAGE))
    found = debian_lock(spec.name, platform, used=used, base=base, old=pair)
    digest = Sha256.of(render_debian_lock(found).encode()) if found else None
    if digest != pair.debian_digest:
        return None
    return (*(remark for one in used for remark in one.remarks), *(base.remarks if base else ()))


def _has_recipe_of_wheel(context: Context, spec: EnvSpec, pair: LockPair) -> bool:
    names = context.names.overridden(spec.names).substituted(pair.lock.stand_ins)
    wheels = {str(wheel.conda_name(names)) for wheel in pair.lock.wheels}
    return not wheels.isdisjoint(shipped.recipes(context.root))
