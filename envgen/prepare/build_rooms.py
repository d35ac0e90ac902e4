"""Rooms for builds: an unpacked source and the environment that builds it, in a sandbox."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyproject_hooks

from envgen.builds import USUAL_TERMS, required_by
from envgen.convert.build_backend import PREFIX, SOURCE, Backend, SourceName
from envgen.prefix.link import link
from envgen.prepare.build_limits import build_seconds
from envgen.prepare.packages import link_packages, plan, recipe_inputs
from envgen.prepare.plan import items_of
from envgen.prepare.preparer import prepare
from envgen.system.sandbox import Sandbox, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from envgen.builds import BuildTerms
    from envgen.names import CondaName
    from envgen.packages import Package
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair


def tell_unconfined(context: Context) -> None:
    """Warn where this machine cannot confine builds."""
    if why := refusal():
        context.reporter.warn(f"builds can use the network, since this machine refuses user namespaces: {why}")


@contextmanager
def build_room(
    context: Context,
    name: SourceName,
    unpack: Callable[[Path], Path],
    environment: LockPair,
    *,
    allowed: BuildTerms = USUAL_TERMS,
) -> Iterator[Backend]:
    """Yield the backend of a source in a room of its own, which goes when the block ends.

    Args:
        context: the world.
        name: of the source.
        unpack: fills a folder with the source, and returns its root there.
        environment: the packages that the build runs in, Python among them.
        allowed: what the spec allows it.

    Raises:
        ArtifactError: the source cannot be unpacked.
        NetworkError, IntegrityError: as preparing the environment says.
    """
    with context.store.view() as work:
        for folder in ("home", "tmp", "unpacked"):
            (work / folder).mkdir()
        unpack(work / "unpacked").rename(work / SOURCE)
        needed = (Path(pyproject_hooks.__file__), Path(tempfile.gettempdir()))
        sandbox = Sandbox.of(work, network=bool(allowed.network), needed=needed)
        _link_environment(context, environment, sandbox)
        yield Backend(
            sandbox=sandbox,
            name=name,
            log=_new_log(context, name),
            variables=allowed.variables,
            isolated=not allowed.isolation,
            timeout=build_seconds(context),
        )


def python_closure(packages: Mapping[CondaName, Package], *, root: str = "python") -> dict[CondaName, Package]:
    """Return Python among some packages, and all that it depends on."""
    names = required_by((root, "python_abi"), {name: package.needs for name, package in packages.items()})
    return {name: package for name, package in packages.items() if name in names}


def _link_environment(context: Context, pair: LockPair, sandbox: Sandbox) -> None:
    items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    prepare(context, plan(context, items), pair)
    prefix = sandbox.work / PREFIX
    link(
        link_packages(context, items, pair),
        prefix,
        store=context.store,
        platform=pair.lock.platform,
        conflicts=pair.lock.adjustments.conflicts,
        alternative_prefix=None if sandbox.refused else sandbox.path(prefix),
    )


def _new_log(context: Context, name: SourceName) -> Path:
    log = context.store.log(f"{'-'.join(filter(None, (name.project, name.version)))}.log")
    log.write_bytes(b"")
    return log
