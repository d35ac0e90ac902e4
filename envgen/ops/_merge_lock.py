"""`merge-lock`: locks that two branches changed are solved again for the merged spec, with both as preferences.

As git's merge driver it runs before git has written anything of the merge, and is told neither the other commit nor
the merged spec. So it finds the commits itself, merges specs and recipes as git will, and solves for these. A spec of a
solve group is solved with the others of it. Git asks for one file after the other, and only for those that both sides
changed; the others may have to be locked again after the merge, and are named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import NoBuildError, UserError
from envgen.lock.debian_lock import debian_file_name
from envgen.lock.model import file_name
from envgen.manifest.select import select
from envgen.merge.git_inputs import INPUTS, find_commits, merged_project
from envgen.merge.lock_sides import find_key, key_of, merge_commits, merge_conflict, merged_by_git
from envgen.project.lock_files import write_pair
from envgen.project.solve_groups import differences, members
from envgen.resolve.solve_group import resolve_together
from envgen.resolve.upgrade import Upgrade
from envgen.system.fs import atomic_write
from envgen.system.git import Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec
    from envgen.merge.git_inputs import Commits
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.resolve.resolved import Resolved

    _Preferences = Callable[[tuple[str, Platform]], LockPair | None]
    """Environment and platform -> what both sides have locked for it."""

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
    environment, platform = key_of(path)
    repository = Repository.at(context.root, context.environment, hint=_OUTSIDE)
    commits = find_commits(repository)
    with merged_project(context, repository, commits) as merged:
        spec = select(merged.root, environment)
        if platform not in spec.targets:
            raise UserError(f"`{spec.source}` no longer names {platform} after the merge", hint=f"remove `{path}`")
        news = _resolve(merged, spec, platform, lambda key: merge_commits(repository, commits, key, context.root))
        _tell_outdated(merged, repository, commits, spec, news)
    new = news[environment]
    text = new.debian_text if path.endswith(debian_file_name(environment, platform)) else new.text
    if text is None:
        raise UserError(f"`{path}` is not needed by the merged spec", hint=f"run `git rm {path}`")
    atomic_write(result, text)


def _resolve(merged: Context, spec: EnvSpec, platform: Platform, preferences: _Preferences) -> dict[str, Resolved]:
    """Solve for the merged specs without running a script of the branch that is merged; see `_together`.

    Raises:
        UserError: a recipe has to be built first.
    """
    try:
        return _together(merged, spec, platform, preferences)
    except NoBuildError as error:
        raise UserError(
            f"{error.what} has to be built for the merged spec, and a merge runs no code of recipes or sources",
            hint=f"finish the merge, read `{error.where}`, then run `envgen merge-lock`, which builds it",
        ) from error


def _together(context: Context, spec: EnvSpec, platform: Platform, preferences: _Preferences) -> dict[str, Resolved]:
    """Solve a spec for a platform, with the others of its solve group; return the new locks by environment."""
    group = [one for one in members(context, spec) if platform in one.targets]
    olds = {one.name: {platform: preferences((one.name, platform))} for one in group}
    return {name: new for name, (new,) in resolve_together(context, group, olds, Upgrade()).items()}


def _tell_outdated(
    merged: Context, repository: Repository, commits: Commits, spec: EnvSpec, news: Mapping[str, Resolved]
) -> None:
    """Name locks of the solve group that git merges by itself, and that do not go with the new one."""
    new = news[spec.name].lock
    for other in sorted(news.keys() - {spec.name}):
        kept = merged_by_git(repository, commits, (other, new.platform))
        if kept is None:
            continue
        is_complete = kept.shared.keys() == news.keys() - {other}
        if not is_complete or any(differences(spec.name, new, other, kept, merged.names)):
            merged.reporter.warn(
                f"`locks/{file_name(other, new.platform)}` is out of date after this merge: "
                f"it is in the solve group `{spec.solve_group}`, and only one side changed it; "
                f"run `envgen lock {other}` after the merge"
            )


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
    settled: dict[str, None] = {}
    done: set[tuple[str, Platform]] = set()
    for environment, platform in keys:
        if (environment, platform) in done:
            continue
        spec = select(context.root, environment)
        news = _together(context, spec, platform, lambda key: merge_conflict(repository, key, context.root))
        for name, new in news.items():
            done.add((name, platform))
            settled |= dict.fromkeys(_write(context, repository, new, name, platform))
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
