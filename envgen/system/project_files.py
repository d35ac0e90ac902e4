"""Files of a folder of the project: those that git tracks, so that a build leaves nothing in its own source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import ArtifactError, UserError
from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_OUTPUTS = frozenset({"__pycache__", "build", "dist"})
"""Folders that builds leave behind; outside git they are left out, and `*.egg-info`."""

_TIMEOUT = 60.0


def project_files(folder: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """List the files of a folder, sorted: those that git tracks, also in submodules.

    Outside git: all but hidden ones and build outputs.

    Raises:
        ArtifactError: a symbolic link leads out of the folder.
        UserError: git tracks none of its files, or a submodule is not checked out.
    """
    tracked = _tracked(folder, environment)
    found = _everything(folder) if tracked is None else list(tracked)
    there = sorted(path for path in found if (folder / path).is_file() or (folder / path).is_symlink())
    if not there and tracked is not None:
        raise UserError(f"git tracks no file in `{folder.name}`", hint="run `git add` for the files of the project")
    for path in there:
        if (folder / path).is_symlink() and not (folder / path).resolve().is_relative_to(folder.resolve()):
            raise ArtifactError(f"`{folder.name}/{path}` is a symbolic link out of the project")
    return tuple(there)


def uncommitted(place: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """List the files of a folder, or the file, that differ from the last commit; none outside git."""
    folder, name = (place, ".") if place.is_dir() else (place.parent, place.name)
    changed = git_in(folder, environment, "status", "--porcelain", "-z", "--no-renames", "--", name)
    return tuple(sorted(line[3:] for line in (changed or "").split("\0") if line))


def untracked(folder: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """List the files of a folder that git neither tracks nor ignores, sorted; none outside git."""
    listed = git_in(folder, environment, "ls-files", "--others", "--exclude-standard", "-z")
    return tuple(sorted(path for path in (listed or "").split("\0") if path))


def git_in(folder: Path, environment: Mapping[str, str], *arguments: str) -> str | None:
    """Run git in a folder; None where there is no git or the folder is in no repository.

    Raises:
        UserError: git fails.
    """
    try:
        found = run(["git", *arguments], cwd=folder, env={**environment, "LC_ALL": "C"}, timeout=_TIMEOUT)
    except ProcessError as error:
        if error.status is None or "not a git repository" in error.tail:
            return None
        raise UserError(f"git failed to list the files of `{folder.name}`: {error.tail}") from error
    return found.stdout.decode(errors="surrogateescape")


def _tracked(folder: Path, environment: Mapping[str, str]) -> tuple[str, ...] | None:
    listed = git_in(folder, environment, "ls-files", "-z")
    return None if listed is None else tuple(_with_submodules(folder, listed.split("\0"), environment))


def _with_submodules(folder: Path, listed: list[str], environment: Mapping[str, str]) -> Iterator[str]:
    for path in filter(None, listed):
        place = folder / path
        if place.is_symlink() or not place.is_dir():
            yield path
        elif not (place / ".git").exists():
            raise UserError(
                f"the git submodule `{folder.name}/{path}` is not checked out", hint="run `git submodule update --init`"
            )
        else:
            yield from (f"{path}/{file}" for file in _tracked(place, environment) or ())


def _everything(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*"))
    return [path.as_posix() for path in paths if not any(map(_is_left_out, path.parts))]


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name in _OUTPUTS or name.endswith(".egg-info")
