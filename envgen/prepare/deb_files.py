"""Debian packages at hand: which archive to ask, and having the files in the store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from envgen.errors import GoneError, UserError
from envgen.prepare.artifacts import ensure_artifact, refuse_missing
from envgen.prepare.packages import artifact_of
from envgen.project import shipped
from envgen.sources.debian import DebianArchive
from envgen.sources.debian_suites import DebianSuites

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from envgen.debs import Deb
    from envgen.project.context import Context

_DOWNLOADS = 6
"""Small files from one mirror at once: enough to hide the way there and back, few enough to be polite."""


_WRONG_PATH = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
"""What reading ends in if a path is wrong; other errors, such as a limit of the process, say nothing about it."""


def debian_suites(context: Context) -> DebianSuites:
    """Open Debian's archive, trusted by the keys that ship or by those that `ENVGEN_DEBIAN_KEYRING` names."""
    return DebianSuites(
        http=context.http,
        store=context.store,
        mirrors=context.mirrors,
        keys=lambda: _keys(context.environment),
        now=context.now,
    )


def debian_archive(context: Context, suites: Iterable[str]) -> DebianArchive:
    """Open some suites of Debian, for themselves."""
    return DebianArchive(debian_suites(context), tuple(suites))


def _keys(environment: Mapping[str, str]) -> tuple[bytes, ...]:
    own = environment.get("ENVGEN_DEBIAN_KEYRING")
    try:
        return (Path(own).read_bytes(),) if own else shipped.debian_keys()
    except _WRONG_PATH as error:
        raise UserError(
            f"ENVGEN_DEBIAN_KEYRING: {error}", hint="unset it to use the keys that ship with envgen"
        ) from error


def fetch_debs(
    context: Context, debs: Collection[Deb], archive: DebianArchive, *, architecture: str
) -> dict[Deb, Path]:
    """Fetch Debian packages into the store, verified.

    Raises:
        GoneError: one is no longer offered.
        OfflineError: some are missing, and the network must not be used.
        NetworkError, IntegrityError: as the archive says.
    """
    refuse_missing(context, map(artifact_of, debs))
    missing = [deb for deb in debs if not context.store.artifact(deb.sha256)]
    total = sum(deb.size for deb in missing)
    with context.reporter.progress("Debian packages", total=total) as bar, ThreadPoolExecutor(_DOWNLOADS) as pool:

        def fetch(deb: Deb) -> Path:
            source = partial(_download, context, archive, deb, architecture=architecture, advance=bar.advance)
            return ensure_artifact(context, deb.sha256, source, advance=bar.advance)

        return dict(zip(debs, pool.map(fetch, debs), strict=True))


def _download(
    context: Context,
    archive: DebianArchive,
    deb: Deb,
    out: BinaryIO,
    *,
    architecture: str,
    advance: Callable[[int], None],
) -> None:
    """Download a Debian package from its locked address, else from one that offers the same bytes now."""
    try:
        context.http.download(archive.locate(deb), out, expected=deb.sha256, size=deb.size, advance=advance)
    except GoneError as error:
        moved = archive.find(deb, architecture=architecture)
        if moved is None or moved.url == deb.url:
            raise GoneError(
                f"`{deb.name}` {deb.version} is no longer offered by Debian",
                hint="run `envgen lock` to lock its successor; other packages stay as they are",
            ) from error
        context.http.download(archive.locate(moved), out, expected=deb.sha256, size=deb.size, advance=advance)
