"""Projects of the repository: which files are theirs, what they declare, and whether all of it is committed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from envgen.builds import LocalSource
from envgen.digest import Digest, Sha256
from envgen.errors import LockError, UserError
from envgen.packages import Wheel
from envgen.project import shipped
from envgen.sources.sdist import static_project
from envgen.structs import replace
from envgen.system.project_files import project_files, uncommitted, untracked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from envgen.builds import RecipeSources, Source
    from envgen.lock.model import Lock
    from envgen.names import ProjectName
    from envgen.packages import Package
    from envgen.project.context import Context

_DECLARING = ("pyproject.toml", "setup.py", "setup.cfg")
"""Files from which a backend derives requirements that are not stated."""


def project_folder(root: Path, path: str) -> Path:
    """Return the folder of a project.

    Raises:
        UserError: there is no Python project.
    """
    folder = root / path
    if not any((folder / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise UserError(f"`{path}` is not a Python project: it has no `pyproject.toml` and no `setup.py`")
    return folder


def declared_digest(folder: Path, project: ProjectName) -> Sha256:
    """Digest what the requirements of a project are read from: changes of its code leave it as it is.

    Raises:
        ArtifactError: it is another project.
    """
    stated = static_project(folder, project)
    if stated is not None:
        return Sha256.of(stated)
    return declaring_digest(folder)


def declaring_digest(folder: Path) -> Sha256:
    """Digest the files by which a backend is told what a project is."""
    digest = Digest()
    for name in _DECLARING:
        file = folder / name
        data = file.read_bytes() if file.is_file() else b""
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.sha256


def files_digest(folder: Path, environment: Mapping[str, str]) -> Sha256:
    """Digest the files of a project by path, mode and bytes."""
    digest = Digest()
    for path in project_files(folder, environment):
        file = folder / path
        data = str(file.readlink()).encode() if file.is_symlink() else file.read_bytes()
        mode = "l" if file.is_symlink() else "x" if file.stat().st_mode & 0o100 else "f"
        digest.update(f"{mode}{path}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.sha256


def pinned(context: Context, lock: Lock, *, asked: bool | None, old: Lock | None) -> Lock:
    """Return a lock that pins the files of the projects of the repository as they are now, or the files of none.

    Args:
        context: the world.
        lock: as it was solved.
        asked: whether to pin; None for as `old` does.
        old: the lock before.
    """
    pin = (old is not None and pins_local(old)) if asked is None else asked
    recipes = recipe_sources_now(context, lock) if pin else lock.recipe_sources
    return replace(
        lock,
        packages=tuple(_pinned(context, package, pin=pin) for package in lock.packages),
        recipe_sources={name: replace(one, pinned=one.digest, digest=None) for name, one in recipes.items()},
    )


def pins_local(lock: Lock) -> bool:
    """Return whether a lock pins the files of a project of the repository."""
    wheels = (source.pinned for source in _sources(lock) if isinstance(source, LocalSource))
    return any(wheels) or any(one.pinned for one in lock.recipe_sources.values())


def recipe_sources_now(context: Context, lock: Lock) -> dict[str, RecipeSources]:
    """Return what recipes of a lock build from beyond their folders, with the digests of all that they build from.

    Raises:
        LockError: a recipe does not exist.
    """
    recipes, found = shipped.recipes(context.root) if lock.recipe_sources else {}, {}
    for name, sources in lock.recipe_sources.items():
        if name not in recipes:
            raise LockError(f"the recipe `{name}` does not exist", hint="run `envgen lock`")
        found[name] = replace(sources, digest=recipes[name].files_digest(context.environment))
    return found


def recipes_unlike_pinned(context: Context, lock: Lock) -> Iterator[str]:
    """Yield which recipes build from other files than are locked with them."""
    pinned = {name: one for name, one in lock.recipe_sources.items() if one.pinned}
    for one in recipe_sources_now(context, replace(lock, recipe_sources=pinned)).values():
        if one.digest != one.pinned:
            yield _unlike_pinned("`, `".join(one.paths))


def _unlike_pinned(what: str) -> str:
    return f"`{what}` has other files than were locked with `--pin-local`"


def unlike_pinned(context: Context, source: LocalSource) -> str | None:
    """Return what is wrong with a project that is locked with its files; None where these are the same, or not pinned.

    Raises:
        UserError: it is not there any more.
    """
    if source.pinned is None:
        return None
    found = files_digest(project_folder(context.root, source.path), context.environment)
    return None if found == source.pinned else _unlike_pinned(source.path)


def copy_project(folder: Path, dest: Path, environment: Mapping[str, str]) -> Path:
    """Copy the files of a project to a folder below `dest`, and return that."""
    root = dest / folder.name
    root.mkdir()
    for path in project_files(folder, environment):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / path, target, follow_symlinks=False)
    return root


def refuse_uncommitted(context: Context, locks: Iterable[Lock]) -> None:
    """Raise where projects of the repository have changes that are not committed.

    Raises:
        UserError: some have; names the files.
    """
    for path in sorted({path for lock in locks for path in local_paths(lock)}):
        changed = uncommitted(context.root / path, context.environment)
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise UserError(
                f"`{path}` has uncommitted changes: `{changed[0]}`{more}",
                hint="commit them, or accept them with `--dirty`",
            )


def tell_untracked(context: Context, lock: Lock) -> None:
    """Report files of projects of the repository that are not built, since git does not track them."""
    for path in sorted(set(local_paths(lock))):
        folder = context.root / path
        others = untracked(folder, context.environment) if folder.is_dir() else ()
        if others:
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            context.reporter.note(f"`{path}`: left out `{others[0]}`{more}: git does not track it")


def local_paths(lock: Lock) -> tuple[str, ...]:
    """List the folders and files of the project that packages are built from, as paths from its root."""
    wheels = (source.path for source in _sources(lock) if isinstance(source, LocalSource))
    return (*wheels, *(path for one in lock.recipe_sources.values() for path in one.paths))


def _sources(lock: Lock) -> Iterator[Source]:
    return (wheel.made.source for wheel in lock.wheels if wheel.made)


def _pinned(context: Context, package: Package, *, pin: bool) -> Package:
    made = package.made if isinstance(package, Wheel) else None
    if not isinstance(package, Wheel) or made is None or not isinstance(made.source, LocalSource):
        return package
    folder = project_folder(context.root, made.source.path)
    digest = files_digest(folder, context.environment) if pin else None
    return replace(package, made=replace(made, source=replace(made.source, pinned=digest)))
