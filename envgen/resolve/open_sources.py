"""Sources that a spec refers to by address: found, pinned, and offered as the only release of their project."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.builds import GitSource, LocalSource, SourceArchive
from envgen.convert.build_backend import SourceName
from envgen.errors import DigestMismatchError, UserError
from envgen.names import project_name
from envgen.prepare.artifacts import ensure_artifact
from envgen.prepare.source_trees import direct_url, unpacker
from envgen.project.local_projects import declared_digest, files_digest, project_folder
from envgen.references import FileReference, FolderReference, GitReference, parse_reference
from envgen.sources.pypi_json import named
from envgen.sources.pypi_page import ProjectPage
from envgen.sources.unproven import measure
from envgen.system.git_remote import check_out, find_commit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from packaging.requirements import Requirement

    from envgen.builds import Source
    from envgen.digest import Sha256
    from envgen.names import ProjectName
    from envgen.packages import Wheel
    from envgen.project.context import Context

_EVER = "1970-01-01T00:00:00Z"
"""Moment of upload of what no index has: `exclude-newer` does not concern it."""


class OpenSource(Struct, frozen=True, kw_only=True):
    """A source whose files can be had.

    Attributes:
        name: for messages; its version is empty as long as nobody knows it.
        source: what it is.
        unpack: fetches and unpacks it to an empty folder, and returns its root there.
    """

    name: SourceName
    source: Source
    unpack: Callable[[Path], Path]


class DirectWheel(Struct, frozen=True, kw_only=True):
    """A wheel at an address that the spec gives."""

    address: str
    filename: str
    sha256: Sha256


def open_archive(context: Context, source: SourceArchive, fetch: Callable[[BinaryIO], object]) -> OpenSource:
    """Open a source archive of an index."""
    stem = source.filename.removesuffix(".zip").removesuffix(".tar.gz").removesuffix(".tar.bz2").removesuffix(".tgz")
    project, _, version = stem.rpartition("-")
    name = SourceName(project=project_name(project), version=version, origin=source.filename)
    return OpenSource(name=name, source=source, unpack=unpacker(context, source, fetch))


async def open_direct(context: Context, requirement: Requirement, kept: Wheel | None) -> OpenSource | DirectWheel:
    """Find what a direct reference is now; what an old lock pinned of the same reference is kept.

    Args:
        context: the world.
        requirement: with a URL that `parse_reference` reads.
        kept: wheel of the project in the old lock, where it is to be kept.

    Raises:
        NetworkError, IntegrityError, UserError: it cannot be had, or is something else.
    """
    project = project_name(requirement.name)
    match reference := parse_reference(requirement.url or ""):
        case FileReference():
            return await asyncio.to_thread(_open_file, context, project, reference, kept)
        case GitReference():
            source = await asyncio.to_thread(_open_git, context, reference, kept)
            return _opened(context, project, source, requirement.url or "")
        case FolderReference():
            return _opened(context, project, _open_folder(context, project, reference), reference.path)


def page_of(found: OpenSource | DirectWheel) -> ProjectPage:
    """Return a page that lists one release: the source, whose version is known by now, or the wheel."""
    if isinstance(found, DirectWheel):
        filename, sha256 = found.filename, found.sha256
    else:
        filename = f"{found.name.project.replace('-', '_')}-{found.name.version}.tar.gz"
        sha256 = found.source.sha256
    entry = {"filename": filename, "url": filename, "hashes": {"sha256": str(sha256)}, "upload-time": _EVER}
    return ProjectPage(url="https://direct.invalid/", entries=named([entry]))


def _opened(context: Context, project: ProjectName, source: Source, origin: str) -> OpenSource:
    name = SourceName(project=project, version="", origin=origin)
    return OpenSource(name=name, source=source, unpack=unpacker(context, source, lambda _: None))


def _open_file(
    context: Context, project: ProjectName, reference: FileReference, kept: Wheel | None
) -> OpenSource | DirectWheel:
    if reference.url.startswith(".") and not (context.root / reference.url).is_file():
        raise UserError(f"`{project}`: the file `{reference.url}` does not exist")
    same = kept if kept is not None and kept.direct == reference.url else None
    sha256 = same.listed.sha256 if same else None
    fetch = partial(_download, context, reference.url, sha256)
    if sha256 is None:
        sha256 = measure(context.http, context.store, direct_url(context, reference.url))
    if reference.sha256 and sha256 != reference.sha256:
        raise DigestMismatchError(
            what=f"`{reference.filename}`", where="its address", expected=reference.sha256, got=sha256
        )
    path = ensure_artifact(context, sha256, fetch)
    if reference.is_wheel:
        return DirectWheel(address=reference.url, filename=reference.filename, sha256=sha256)
    source = SourceArchive(
        filename=reference.filename,
        sha256=sha256,
        size=path.stat().st_size,
        address=reference.url,
        subdirectory=reference.subdirectory,
    )
    name = SourceName(project=project, version="", origin=reference.url)
    return OpenSource(name=name, source=source, unpack=unpacker(context, source, fetch))


def _download(context: Context, address: str, sha256: Sha256 | None, out: BinaryIO) -> None:
    url = direct_url(context, address)
    if sha256 is None:
        context.http.download_unproven(url, out)
    else:
        context.http.download(url, out, expected=sha256)


def _open_git(context: Context, reference: GitReference, kept: Wheel | None) -> GitSource:
    old = kept.made.source if kept is not None and kept.made else None
    if isinstance(old, GitSource):
        wanted = (reference.url, reference.reference, reference.subdirectory)
        if (old.url, old.reference, old.subdirectory) == wanted:
            return old
    with context.store.view() as folder:
        commit = find_commit(reference.url, reference.reference, context.environment, scratch=folder / "clone")
        tree = check_out(reference.url, commit, folder / "files", context.environment)
    return GitSource(
        url=reference.url,
        reference=reference.reference,
        commit=commit,
        tree=tree,
        subdirectory=reference.subdirectory,
    )


def _open_folder(context: Context, project: ProjectName, reference: FolderReference) -> LocalSource:
    folder = project_folder(context.root, reference.path)
    return LocalSource(
        path=reference.path,
        declared=declared_digest(folder, project),
        digest=files_digest(folder, context.environment),
    )
