"""The files of sources: what unpacks each kind to a folder."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, assert_never

from envgen.builds import GitSource, LocalSource, SourceArchive
from envgen.errors import ArtifactError, IntegrityError
from envgen.prepare.artifacts import ensure_artifact
from envgen.project.local_projects import copy_project, project_folder
from envgen.sources.sdist import unpack_sdist
from envgen.system.git_remote import check_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from envgen.builds import Source
    from envgen.project.context import Context


def unpacker(context: Context, source: Source, fetch: Callable[[BinaryIO], object]) -> Callable[[Path], Path]:
    """Return what fetches and unpacks a source to an empty folder, and returns its root there.

    Args:
        context: the world.
        source: any.
        fetch: writes a source archive; not called for the other kinds.
    """
    match source:
        case SourceArchive():
            return partial(_unpack, context, source, fetch)
        case GitSource():
            return partial(_check_out, context, source)
        case LocalSource():
            return partial(_copy, context, source)
    assert_never(source)


def direct_url(context: Context, address: str) -> str:
    """Return the URL of a file at an address that the spec gives; `./…` is one of the project."""
    return (context.root / address).resolve().as_uri() if address.startswith(".") else address


def _unpack(context: Context, source: SourceArchive, fetch: Callable[[BinaryIO], object], dest: Path) -> Path:
    archive = ensure_artifact(context, source.sha256, fetch)
    return _below(unpack_sdist(archive, filename=source.filename, dest=dest), source.subdirectory, source.filename)


def _check_out(context: Context, source: GitSource, dest: Path) -> Path:
    root = dest / "repository"
    tree = check_out(source.url, source.commit, root, context.environment)
    if source.tree and tree != source.tree:
        raise IntegrityError(f"commit {source.commit} of `{source.url}` has tree {tree}, the lock has {source.tree}")
    return _below(root, source.subdirectory, source.filename)


def _copy(context: Context, source: LocalSource, dest: Path) -> Path:
    return copy_project(project_folder(context.root, source.path), dest, context.environment)


def _below(root: Path, subdirectory: str, what: str) -> Path:
    folder = root / subdirectory if subdirectory else root
    if not folder.resolve().is_relative_to(root.resolve()) or not folder.is_dir():
        raise ArtifactError(f"`{what}` has no folder `{subdirectory}`")
    return folder
