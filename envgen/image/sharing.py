"""What the images of a solve group have in common, so that it goes into layers that all of them have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.prepare.packages import recipe_inputs
from envgen.prepare.plan import items_of
from envgen.project.lock_files import find_lock
from envgen.project.solve_groups import members

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context


def sharers(
    context: Context, spec: EnvSpec, platform: Platform, items: Iterable[PlannedPackage]
) -> dict[str, tuple[str, ...]]:
    """Return which environments of the solve group have each package in their images, under the same prefix.

    Args:
        context: the world.
        spec: of the environment.
        platform: of the image.
        items: its packages.

    Returns:
        Name of a package -> names of environments, sorted, the own one among them. Packages that no other one
        has are left out.

    Raises:
        SpecError, LockError: a spec or a lock of the group cannot be read.
    """
    keys: dict[str, set[str]] = {}
    for other in members(context, spec):
        is_alike = other.image is not None and spec.image is not None and other.image.prefix == spec.image.prefix
        if other.name == spec.name or not is_alike or platform not in other.targets:
            continue
        if pair := find_lock(context, other, platform):
            found = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
            keys[other.name] = {item.wanted.key for item in found}
    shared = {str(item.wanted.name): [name for name in keys if item.wanted.key in keys[name]] for item in items}
    return {name: tuple(sorted((spec.name, *others))) for name, others in shared.items() if others}
