"""Where a solve looks: the channels of a spec, and what messages call its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.meant import Asked
from envgen.sources.conda import ChannelSource, shown
from envgen.system.credentials import display
from envgen.system.rattler_certificates import settle_certificates

if TYPE_CHECKING:
    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.project.context import Context


def asked_of(context: Context, spec: EnvSpec) -> Asked:
    """Return what messages call the sources of a spec."""
    index = f"the wheel index at {display(context.mirrors.resolve('ENVGEN_PYPI'))}"
    return Asked(index=index, channels=tuple(map(shown, spec.channels)), indexes=spec.indexes)


def open_channels(context: Context, spec: EnvSpec, platform: Platform) -> ChannelSource | None:
    """Open the channels of a spec; None where it names none."""
    settle_certificates()  # the solver makes a client of rattler, also without channels
    if not spec.channels:
        return None
    cache = context.store.repodata()
    return ChannelSource(spec.channels, platform=platform, cache_dir=cache, root=context.root, offline=context.offline)
