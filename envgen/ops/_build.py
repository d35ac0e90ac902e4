"""`build`: `publish` to a folder, the local channel by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.ops._publish import PublishOptions, publish

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.ops._publish import PublishResult
    from envgen.platforms import Platform
    from envgen.project.context import Context


def build(
    context: Context, *, env: str | None = None, platforms: Sequence[Platform] = (), channel: Path | None = None
) -> PublishResult:
    """Publish the wheels and the packages of recipes of an environment to a folder; raises as `publish` does.

    Args:
        context: the world.
        env: name of the spec, or None for the project's only or default one.
        platforms: whose locks; this machine's without.
        channel: a folder, made where it is not there; the local channel without.
    """
    to = str(context.directory / channel) if channel else None
    return publish(context, PublishOptions(envs=(env,) if env else (), platforms=platforms, to=to))
