"""`doctor`: this machine, and what it means for a lock."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from envgen.create.place import conda_settings
from envgen.diagnose.diagnosis import Diagnosis, diagnose
from envgen.diagnose.machine import Machine, Mirror, Space
from envgen.errors import EnvgenError
from envgen.manifest.select import select
from envgen.packages import Wheel
from envgen.project import shipped
from envgen.project.lock_files import find_lock
from envgen.system import accelerators, device_files, host, processor, programs
from envgen.system.bounded import Attempt
from envgen.system.credentials import display
from envgen.system.file_url import file_path
from envgen.system.mirrors import CHANNEL, DEBIAN, DEBIAN_SECURITY, PYPI

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.system.http import Http

_PROGRAMS = (
    *("conda", "mamba", "micromamba", "pixi"),
    *("docker", "podman", "apptainer", "singularity", "enroot", "skopeo", "nvidia-ctk"),
    *("g++", "c++", "clang++"),
)
"""Managers of environments; what runs and moves images; compilers for torch.compile."""

_ASKED = {PYPI: "/pip/", CHANNEL: "/noarch/repodata.json", DEBIAN: "/dists/", DEBIAN_SECURITY: "/dists/"}
"""What a mirror is asked for to see whether it answers: something small. That it is not there is an answer too."""

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1"
_SMALL = 32 << 20

_PATIENCE = 5.0
"""Seconds that everything but the drivers has, all at once: who asks a doctor waits for the answer."""

_CACHE_PATIENCE = 2.0
"""Seconds to measure the cache: its size is worth no waiting, and `envgen clean` tells it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found and what follows.

    Attributes:
        machine: the facts.
        diagnosis: the judgement.
        environment: name of the spec that was judged for; None outside a project.
        lock: path of its lock from the project's root; None where there is none for this platform.
    """

    machine: Machine
    diagnosis: Diagnosis
    environment: str | None
    lock: str | None


def examine(context: Context, *, env: str | None) -> Examined:
    """Look at this machine, and judge it for the lock of an environment.

    Args:
        context: the world; it may be no project, then the machine is looked at alone.
        env: name of the spec; the project's only or default one without.

    Raises:
        UserError: there is no such spec.
        LockError: the lock cannot be read.
    """
    driver = Attempt(partial(accelerators.look, shipped.driver_probe()))
    found = Attempt(partial(programs.find, _PROGRAMS, context.environment))
    cached = Attempt(lambda: sum(usage.size for usage in context.store.usage()))
    spaces = Attempt(lambda: tuple(_spaces(context)))
    facts = host.detect()
    spec = select(context.root, env) if (context.root / "environments").is_dir() or env else None
    pair = find_lock(context, spec, facts.platform) if spec and facts.platform in spec.targets else None
    machine = Machine(
        mirrors=_mirrors(context, pair),
        host=facts,
        processor=processor.look(machine=facts.platform.machine),
        files=device_files.look(),
        visible=context.environment.get("CUDA_VISIBLE_DEVICES"),
        programs=found.result(_PATIENCE) or (),
        spaces=spaces.result(_PATIENCE) or (),
        cache=cached.result(_CACHE_PATIENCE),
        accelerators=driver.result(accelerators.PATIENCE + 1) or accelerators.unanswered("the driver hangs"),
    )
    return Examined(
        machine=machine,
        diagnosis=diagnose(machine, pair.lock if pair else None, spec),
        environment=spec.name if spec else None,
        lock=context.relative(pair.path) if pair else None,
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


def _mirrors(context: Context, pair: LockPair | None) -> tuple[Mirror, ...]:
    """Ask each mirror that the lock needs; the wheel index without a lock."""
    from envgen.system.http import Http  # noqa: PLC0415  as `Context.http`: it takes 80 ms

    once = Http(environment=context.environment, attempts=1)
    needed = list(_needed(pair)) if pair else [PYPI]
    asked = {name: Attempt(partial(_mirror, context, once, name)) for name in needed}
    return tuple(attempt.result(_PATIENCE) or _silent(context, name) for name, attempt in asked.items())


def _needed(pair: LockPair) -> Iterator[str]:
    if any(isinstance(package, Wheel) for package in pair.lock.packages):
        yield PYPI
    archives = {package.archive for package in pair.debian.packages} if pair.debian else set()
    yield from sorted(archive.placeholder.strip("${}") for archive in archives)


def _mirror(context: Context, http: Http, placeholder: str) -> Mirror:
    hint = context.mirrors.hint(placeholder)
    url, source, problem = None, None, None
    try:
        if found := context.mirrors.find(placeholder):
            url, source = display(found.url), found.source
            problem = _fault(http, found.url, placeholder)
    except EnvgenError as error:
        problem, hint = error.message, f"{error.hint}; {hint}" if error.hint else hint
    return Mirror(placeholder=placeholder, url=url, source=source, problem=problem, hint=hint)


def _fault(http: Http, url: str, placeholder: str) -> str | None:
    """Ask a mirror for something; of a local one see whether the folder is there.

    Raises:
        NetworkError: it does not answer, or with a failure.
    """
    if url.startswith("file:"):
        return None if file_path(url).is_dir() else "there is no such folder"
    http.get(url + _ASKED[placeholder], accept=_ACCEPT, limit=_SMALL)
    return None


def _silent(context: Context, placeholder: str) -> Mirror:
    """Describe a mirror that has not answered in time, nor refused."""
    found = context.mirrors.find(placeholder)
    return Mirror(
        placeholder=placeholder,
        url=display(found.url) if found else None,
        source=found.source if found else None,
        problem=f"no answer within {_PATIENCE:.0f} s",
        hint=f"check the network and HTTPS_PROXY/NO_PROXY; {context.mirrors.hint(placeholder)}",
    )
