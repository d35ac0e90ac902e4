"""`merge-lock`: locks that two branches changed are solved again for the merged spec, with both as preferences.

As git's merge driver it runs before git has written anything of the merge, and is told neither the other commit nor
the merged spec. So it finds the commits itself, merges specs and recipes as git will, and solves for these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import NoBuildError, UserError
from envgen.lock.debian_lock import debian_file_name
from envgen.lock.model import file_name
from envgen.manifest.select import select
from envgen.merge.git_inputs import INPUTS, find_commits, merged_project
from envgen.merge.lock_sides import find_key, key_of, merge_commits, merge_conflict
from envgen.project.lock_files import write_pair
from envgen.resolve.resolve import resolve
from envgen.resolve.upgrade import Upgrade
from envgen.system.fs import atomic_write
from envgen.system.git import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.resolve.resolved import Resolved


_OUTSIDE = "run it in a clone, after `git merge`; elsewhere `envgen lock` updates locks"


def merge_lock(context: Context, *, result: Path, path: str) -> None:
    """Run as git's merge driver for one file.

    Args:
        context: the world; its root is the project that `path` is in.
        result: file that holds our version, and takes the merged one.
        path: of the file in the project, `locks/<name>`.

    Raises:
        UserError: the specs or recipes of both sides conflict, or it cannot be told what is being merged.
        LockError: a side's lock cannot be read.
        UnsatisfiableError, NetworkError, IntegrityError: as the solve and the sources say.
    """
    environment, platform = key = key_of(path)
    repository = Repository.at(context.root, context.environment, hint=_OUTSIDE)
    commits = find_commits(repository)
    pair = merge_commits(repository, commits, key, context.root)
    with merged_project(context, repository, commits) as merged:
        spec = select(merged.root, environment)
        if platform not in spec.targets:
            raise UserError(f"`{spec.source}` no longer names {platform} after the merge", hint=f"remove `{path}`")
        new = _resolve(merged, spec, platform, pair)
    text = new.debian_text if path.endswith(debian_file_name(environment, platform)) else new.text
    if text is None:
        raise UserError(f"`{path}` is not needed by the merged spec", hint=f"run `git rm {path}`")
    atomic_write(result, text)


def _resolve(merged: Context, spec: EnvSpec, platform: Platform, pair: LockPair | None) -> Resolved:
    """Solve for the merged spec without running a script of the branch that is merged.

    Raises:
        UserError: a recipe has to be built first.
    """
    try:
        (new,) = resolve(merged, spec, {platform: pair}, Upgrade())
    except NoBuildError as error:
        raise UserError(
            f"{error.what} has to be built for the merged spec, and a merge runs no code of recipes or sources",
            hint=f"finish the merge, read `{error.where}`, then run `envgen merge-lock`, which builds it",
        ) from error
    return new


def settle_locks(context: Context) -> tuple[str, ...]:
    """Resolve the locks that a merge left in conflict: solve for the specs as they are now, write and stage them.

    A Debian lock that is not needed any more is removed, in git too.

    Returns:
        Paths of the files that were settled.

    Raises:
        UserError: a spec still conflicts, or no lock does.
        LockError: a side's lock cannot be read.
    """
    repository = Repository.at(context.root, context.environment, hint=_OUTSIDE)
    conflicts = _unmerged(repository)
    keys = sorted({key for path in conflicts if (key := find_key(path))})
    if not keys:
        raise UserError("no lock is in conflict", hint="run `envgen lock` to update locks that are out of date")
    if open_ones := [path for path in conflicts if path.partition("/")[0] in INPUTS]:
        raise UserError(
            f"unresolved conflict in {', '.join(open_ones)}", hint="resolve the conflict and run `git add` first"
        )
    settled: list[str] = []
    for key in keys:
        environment, platform = key
        spec = select(context.root, environment)
        preferences = merge_conflict(repository, key, context.root)
        (new,) = resolve(context, spec, {platform: preferences}, Upgrade())
        settled += _write(context, repository, new, environment, platform)
    return tuple(settled)


def install_merge_driver(context: Context) -> str:
    """Configure git to use `merge-lock` in this clone: one line of configuration, and one of `.gitattributes`.

    Returns:
        The line of `.gitattributes`, which belongs into the repository.
    """
    repository = Repository.at(context.root, context.environment, hint=_OUTSIDE)
    repository.git("config", "merge.envgen.name", "envgen: solve the lock again, keeping what both sides have")
    repository.git("config", "merge.envgen.driver", "envgen merge-lock %A %P")
    line = "locks/*-lock.yml merge=envgen"
    file = context.root / ".gitattributes"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if line not in text.splitlines():
        atomic_write(file, f"{text.rstrip()}\n{line}\n".lstrip())
    return line


def _unmerged(repository: Repository) -> list[str]:
    """List paths in conflict, relative to the project."""
    listed = repository.git("ls-files", "--unmerged", "-z")
    return sorted({line.partition("\t")[2] for line in listed.split("\0") if line})


def _write(
    context: Context, repository: Repository, new: Resolved, environment: str, platform: Platform
) -> tuple[str, ...]:
    """Write and stage both files; return the paths of those that are there now."""
    lock, debian = (f"locks/{name(environment, platform)}" for name in (file_name, debian_file_name))
    beside = context.root / debian
    write_pair(context.root / lock, new.text, beside=beside, debian_text=new.debian_text)
    if new.debian_text is None:
        repository.git("rm", "--quiet", "--cached", "--ignore-unmatch", "--", debian)
    kept = (lock,) if new.debian_text is None else (lock, debian)
    repository.git("add", "--", *kept)
    return kept
