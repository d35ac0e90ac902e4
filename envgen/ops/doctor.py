"""`doctor`: this machine, and what it means for a lock."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from envgen.check.doctor import Diagnosis, Machine, Mirror, Space, diagnose
from envgen.errors import EnvgenError
from envgen.lock.model import LockedWheel
from envgen.ops import data
from envgen.ops.locks import find_lock
from envgen.ops.places import conda_settings
from envgen.spec.select import select
from envgen.system import accelerators, host, processor, programs
from envgen.system.credentials import display
from envgen.system.mirrors import CHANNEL, DEBIAN, DEBIAN_SECURITY, PYPI

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.ops.context import Context
    from envgen.ops.locks import LockPair

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
    facts = host.detect()
    spec = select(context.root, env) if (context.root / "environments").is_dir() or env else None
    pair = find_lock(context, spec, facts.platform) if spec and facts.platform in spec.targets else None
    machine = Machine(
        host=facts,
        processor=processor.look(),
        accelerators=accelerators.look(data.driver_probe()),
        programs=programs.find(_PROGRAMS, context.environment),
        spaces=tuple(_spaces(context)),
        cache=sum(usage.size for usage in context.store.usage()),
        mirrors=_mirrors(context, pair),
    )
    return Examined(
        machine=machine,
        diagnosis=diagnose(machine, pair.lock if pair else None),
        environment=spec.name if spec else None,
        lock=context.relative(pair.path) if pair else None,
    )


def _spaces(context: Context) -> Iterator[Space]:
    yield Space(purpose="cache", folder=context.store.root, free=_free(context.store.root))
    folder = next(iter(conda_settings(context).envs_dirs), None)
    if folder:
        yield Space(purpose="environments", folder=folder, free=_free(folder))


def _free(folder: Path) -> int:
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(nearest).free


def _mirrors(context: Context, pair: LockPair | None) -> tuple[Mirror, ...]:
    """Ask each mirror that the lock needs; the wheel index without a lock."""
    needed = list(_needed(pair)) if pair else [PYPI]
    with ThreadPoolExecutor() as pool:
        return tuple(pool.map(partial(_mirror, context), needed))


def _needed(pair: LockPair) -> Iterator[str]:
    if any(isinstance(package, LockedWheel) for package in pair.lock.packages):
        yield PYPI
    archives = {package.archive for package in pair.debian.packages} if pair.debian else set()
    yield from sorted(archive.placeholder.strip("${}") for archive in archives)


def _mirror(context: Context, placeholder: str) -> Mirror:
    hint = context.mirrors.hint(placeholder)
    url, source, problem = None, None, None
    try:
        if found := context.mirrors.find(placeholder):
            url, source = display(found.url), found.source
            answer = context.http.get(found.url + _ASKED[placeholder], accept=_ACCEPT, limit=_SMALL)
            if answer.status == HTTPStatus.NOT_FOUND and found.url.startswith("file:"):
                problem = "there is nothing"
    except EnvgenError as error:
        problem = error.message
    return Mirror(placeholder=placeholder, url=url, source=source, problem=problem, hint=hint)
