"""`env`: the environments of this machine, and their end."""

from __future__ import annotations

import os
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.create import locate
from envgen.create.known import environment_name, forget_dead, known_environments, require_own, shown_name
from envgen.create.place import conda_settings, find_environment
from envgen.create.register import register, unregister
from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.prefix.conda_meta import META
from envgen.prefix.kernel import KERNEL, write_kernel
from envgen.prefix.origin import Origin, is_own, read_origin
from envgen.prefix.relocate import check_relocation, relocate
from envgen.prefix.strangers import strangers
from envgen.prefix.transaction import LOCK, unfinished
from envgen.system.fs import TEMPORARY, file_lock, remove_tree
from envgen.system.home import expand
from envgen.system.os_faults import explained
from envgen.system.store_entries import disk_use

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.create.place import Place
    from envgen.project.context import Context


class EnvironmentState(StrEnum):
    """How an environment stands to the lock that it was made from."""

    UP_TO_DATE = "up to date"
    OUT_OF_DATE = "out of date"
    NO_LOCK = "lock is gone"
    UNFINISHED = "unfinished"
    UNKNOWN = "lock not recorded"


class ListedEnvironment(Struct, frozen=True, kw_only=True):
    """An environment of this machine.

    Attributes:
        name: by which conda finds it; None where it goes by its path.
        prefix: where it is.
        origin: the lock that it was made from, as far as that is recorded.
        state: how it stands to that lock. What was installed beside the lock does not count.
        size: bytes of its files.
        own: those of them that removing it frees: the others are hard links into the cache or other environments.
        active: whether it is active in the shell.
    """

    name: str | None
    prefix: Path
    origin: Origin | None
    state: EnvironmentState
    size: int
    own: int
    active: bool


class EnvironmentListing(Struct, frozen=True, kw_only=True):
    """What `env list` found.

    Attributes:
        environments: those that envgen made.
        others: those that other tools made.
        forgotten: entries of `environments.txt` that were no environments any more, and were removed from it.
    """

    environments: tuple[ListedEnvironment, ...]
    others: tuple[Path, ...]
    forgotten: tuple[Path, ...]


class EnvironmentRemoval(Struct, frozen=True, kw_only=True):
    """An environment that is to be removed.

    Attributes:
        prefix: where it is.
        size: bytes of its files.
        freed: those of them that the disk has back.
        strangers: files that no package brought.
    """

    prefix: Path
    size: int
    freed: int
    strangers: tuple[str, ...]


def list_environments(context: Context) -> EnvironmentListing:
    """List the environments of this machine; dead entries of `environments.txt` are removed on the way."""
    forgotten = forget_dead(context)
    every = known_environments(context)
    return EnvironmentListing(
        environments=tuple(_listed(context, prefix) for prefix in every if is_own(prefix)),
        others=tuple(prefix for prefix in every if not is_own(prefix)),
        forgotten=forgotten,
    )


def remove_environment(
    context: Context, *, env: str | None, place: Place, confirm: Callable[[EnvironmentRemoval], bool]
) -> EnvironmentRemoval | None:
    """Remove an environment with all that is in it, and its line in `environments.txt`.

    Args:
        context: the world.
        env: name of the spec, where `place` says nothing.
        place: where the environment is.
        confirm: asked before anything is removed.

    Returns:
        What was removed; None where `confirm` said no.

    Raises:
        UserError: there is no such environment, another tool made it, it is active, or another process changes it.
    """
    prefix = find_environment(context, env=env, place=place)
    require_own(context, prefix)
    use = disk_use([prefix])
    removal = EnvironmentRemoval(prefix=prefix, size=use.size, freed=use.own, strangers=strangers(prefix))
    if not confirm(removal):
        return None
    with explained(prefix), file_lock(prefix / META / LOCK, timeout=0):
        doomed = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=prefix.parent))
        prefix.rename(doomed / prefix.name)  # gone at once for everybody, however long the files take
    remove_tree(doomed)
    unregister([prefix], home=context.home, reporter=context.reporter)
    return removal


def rename_environment(context: Context, *, env: str | None, place: Place, new: str) -> Path:
    """Rename an environment in its folder, or move it to another path; its scripts are rewritten.

    Args:
        context: the world.
        env: name of the spec, where `place` says nothing.
        place: where the environment is.
        new: a name, or a path where it has a slash.

    Returns:
        Where it is now.

    Raises:
        UserError: there is no such environment, another tool made it, it is active, the name cannot be, or something
            has it.
    """
    prefix = find_environment(context, env=env, place=place)
    require_own(context, prefix)
    target = _target(context, prefix, new)
    if left := unfinished(prefix):
        raise UserError(
            f"the environment `{prefix}` is unfinished: {len(left.records)} packages are being changed",
            hint="finish it first with `envgen create`",
        )
    check_relocation(prefix, target)
    with explained(prefix), file_lock(prefix / META / LOCK, timeout=0):
        relocate(prefix, target)
    _rename_kernel(context, target)
    unregister([prefix], home=context.home, reporter=context.reporter)
    if conda_settings(context).register:
        register(target, home=context.home, reporter=context.reporter)
    return target


def _rename_kernel(context: Context, prefix: Path) -> None:
    if (prefix / KERNEL).is_file():
        origin = read_origin(prefix)
        with explained(prefix):
            write_kernel(prefix, shown_name(context, prefix, origin.environment if origin else prefix.name))


def _target(context: Context, prefix: Path, new: str) -> Path:
    if "/" in new:
        target = Path(os.path.normpath(context.directory / expand(new, context.home)))
    else:
        locate.check_name(new)
        target = prefix.parent / new
    if os.path.lexists(target):
        raise UserError(f"`{target}` already exists", hint="choose another name")
    return target


def _listed(context: Context, prefix: Path) -> ListedEnvironment:
    use, origin = disk_use([prefix]), read_origin(prefix)
    return ListedEnvironment(
        name=environment_name(context, prefix),
        prefix=prefix,
        origin=origin,
        state=_state(prefix, origin),
        size=use.size,
        own=use.own,
        active=context.environment.get("CONDA_PREFIX") == str(prefix),
    )


def _state(prefix: Path, origin: Origin | None) -> EnvironmentState:
    if unfinished(prefix):
        return EnvironmentState.UNFINISHED
    if origin is None:
        return EnvironmentState.UNKNOWN
    try:
        text = (origin.project / origin.lock).read_bytes()
    except OSError:
        return EnvironmentState.NO_LOCK
    return EnvironmentState.UP_TO_DATE if Sha256.of(text) == origin.sha256 else EnvironmentState.OUT_OF_DATE
