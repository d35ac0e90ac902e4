"""The facts of this machine, probed in parallel."""

from __future__ import annotations

import os
import shutil
from functools import partial
from typing import TYPE_CHECKING

from envgen.create.place import conda_settings
from envgen.diagnose.libraries import probe_replaced
from envgen.diagnose.machine import Machine, Space
from envgen.diagnose.mirror_probe import probe_mirrors
from envgen.project import shipped
from envgen.system import accelerators, device_files, processor, programs
from envgen.system.bounded import Attempt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.system.host import HostFacts

_PROGRAMS = (
    *("conda", "mamba", "micromamba", "pixi"),
    *("docker", "podman", "apptainer", "singularity", "enroot", "skopeo", "nvidia-ctk"),
    *("g++", "c++", "clang++"),
)
"""Managers of environments; what runs and moves images; compilers for torch.compile."""

_PATIENCE = 5.0
"""Seconds that everything but the drivers has, all at once."""

_CACHE_PATIENCE = 2.0
"""Seconds to measure the cache: not worth a longer wait, as `envgen clean` shows it too."""


def probe_machine(context: Context, facts: HostFacts, pair: LockPair | None, spec: EnvSpec | None = None) -> Machine:
    """Probe this machine; what does not respond in time is left out, or reported as a problem.

    Args:
        context: the world.
        facts: platform, glibc and microarchitecture.
        pair: the lock that is to work here; its mirrors are asked.
        spec: of the lock.
    """
    driver = Attempt(partial(accelerators.probe_accelerators, shipped.driver_probe()))
    found = Attempt(partial(programs.probe_programs, _PROGRAMS, context.environment))
    cached = Attempt(lambda: sum(usage.size for usage in context.store.usage()))
    spaces = Attempt(lambda: tuple(_spaces(context)))
    return Machine(
        replaced=probe_replaced(context, spec, pair) if spec and pair else {},
        mirrors=probe_mirrors(context, pair),
        host=facts,
        processor=processor.probe_processor(machine=facts.platform.machine),
        files=device_files.probe_device_files(),
        visible=context.environment.get("CUDA_VISIBLE_DEVICES"),
        programs=found.result(_PATIENCE) or (),
        spaces=spaces.result(_PATIENCE) or (),
        cache=cached.result(_CACHE_PATIENCE),
        accelerators=driver.result(accelerators.PATIENCE + 1) or accelerators.unanswered("the driver does not respond"),
    )


def _spaces(context: Context) -> Iterator[Space]:
    yield _space("cache", context.store.root)
    folder = next(iter(conda_settings(context).envs_dirs), None)
    if folder:
        yield _space("environments", folder)


def _space(purpose: str, folder: Path) -> Space:
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    writable = os.access(nearest, os.W_OK | os.X_OK)
    return Space(purpose=purpose, folder=folder, free=shutil.disk_usage(nearest).free, writable=writable)
