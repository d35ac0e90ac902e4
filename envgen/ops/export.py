"""`export`: a lock in the format of another tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.manifest.select import select
from envgen.prepare.package_facts import export_input
from envgen.project.lock_files import platforms_of, require_lock
from envgen.system.host import detect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.export.export_input import Exported
    from envgen.export.formats import Format
    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.project.context import Context


def export(
    context: Context, *, form: Format, env: str | None, platforms: Sequence[Platform] = (), offline: bool = False
) -> Exported:
    """Write the locks of an environment in another format.

    Args:
        context: the world.
        form: one of `envgen.export.formats.FORMATS`.
        env: name of the spec, or None for the project's only or default one.
        platforms: whose locks. Formats that hold one platform take this machine's without.
        offline: do not read METADATA for licences that are not known here; addresses cannot be had without asking.

    Raises:
        UserError: the format holds one platform and it is not clear which.
        LockError: a lock is missing or cannot be read.
        NetworkError: the wheel index or a channel cannot be reached.
    """
    spec = select(context.root, env)
    pairs = tuple(require_lock(context, spec, platform) for platform in _chosen(spec, form, platforms))
    return form.render(export_input(context, spec, pairs, form, offline=offline))


def _chosen(spec: EnvSpec, form: Format, asked: Sequence[Platform]) -> tuple[Platform, ...]:
    platforms = platforms_of(spec, asked)
    if form.joint or len(platforms) == 1:
        return platforms
    here = detect().platform
    if not asked and here in platforms:
        return (here,)
    raise UserError(
        f"{form.name} holds one platform, and there are {', '.join(platforms)}",
        hint=f"name one: --platform {platforms[0]}",
    )
