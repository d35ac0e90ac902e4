"""Nix archives of what is in an image: the files of its layers below the prefix, or its layout as a folder."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from envgen.digest import Digest, chunks
from envgen.errors import DigestMismatchError
from envgen.export.nar import NarFile, NarFolder, NarLink, write_nar
from envgen.image.content import linked
from envgen.image.entries import EXECUTABLE, Directory, File, InWheel, Link, Literal, OnDisk, file
from envgen.image.inputs import HISTORY, open_environment, refuse_missing_inputs
from envgen.manifest.variables import env_at
from envgen.prefix.variables import STATE_FILE, state_text
from envgen.system.fs import atomic_path
from envgen.system.os_faults import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from envgen.digest import Sha256
    from envgen.export.nar import NarNode
    from envgen.image.entries import Entry
    from envgen.image.inputs import ImageInputs
    from envgen.project.context import Context


def write_prefix_archive(context: Context, inputs: ImageInputs, target: Path) -> tuple[Sha256, int]:
    """Write the environment of an image as an archive, and return its sha256 and size.

    Raises:
        UserError: the file cannot be written, or the disk is full.
        DigestMismatchError: a file was changed in the store.
        NetworkError, IntegrityError: as sources and builders say.
    """
    refuse_missing_inputs(context, [inputs])
    digest = Digest()
    with (
        explained(target.parent),
        prefix_entries(context, inputs) as entries,
        atomic_path(target) as temporary,
        temporary.open("wb") as out,
    ):
        found = [entry for _name, entry in entries]
        write_nar((_node(entry) for entry in (*found, *variable_entries(inputs))), _through(digest, out))
    return digest.sha256, digest.size


def variable_entries(inputs: ImageInputs) -> tuple[File, ...]:
    """Return the file with the variables of the spec, which `create` writes and an image has in its configuration."""
    prefix = inputs.image.prefix
    wanted = env_at(inputs.spec.env, prefix)
    return (file(f"{prefix.strip('/')}/{STATE_FILE}", state_text(wanted)),) if wanted else ()


@contextmanager
def prefix_entries(context: Context, inputs: ImageInputs) -> Iterator[list[tuple[str, Entry]]]:
    """Yield what an image has at its prefix: name of the package, or an empty text, and the entry.

    Packages that the store lacks are fetched and made.

    Raises:
        NetworkError, IntegrityError: as sources and builders say.
    """
    with context.store.in_use(), context.store.view() as scratch:
        environment = open_environment(context, inputs, scratch)
        names = [str(content.package.record.name) for content in environment.contents]
        job = linked(environment, names, store=context.store, splice=False, reporter=context.reporter)
        with job as found:
            history = file(f"{environment.prefix}/{HISTORY}", b"")
            yield [*((name, entry) for name in names for entry in found.entries(name)), ("", history)]


def write_folder_archive(folder: Path, target: Path) -> tuple[Sha256, int]:
    """Write a folder as an archive, and return its sha256 and size.

    Raises:
        UserError: the file cannot be written, or the disk is full.
    """
    digest = Digest()
    nodes = [_node_of(path, path.relative_to(folder).as_posix()) for path in folder.rglob("*")]
    with explained(target.parent), atomic_path(target) as temporary, temporary.open("wb") as out:
        write_nar(nodes, _through(digest, out))
    return digest.sha256, digest.size


def _node_of(path: Path, name: str) -> NarNode:
    if path.is_symlink():
        return NarLink(path=name, target=str(path.readlink()))
    if path.is_dir():
        return NarFolder(path=name)
    status = path.stat()
    executable = bool(status.st_mode & stat.S_IXUSR)
    return NarFile(path=name, size=status.st_size, executable=executable, pieces=partial(_read, path))


def _through(digest: Digest, out: BinaryIO) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        digest.update(data)
        out.write(data)

    return write


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from chunks(stream)


def _node(entry: Entry) -> NarNode:
    match entry:
        case Link():
            return NarLink(path=entry.path, target=entry.target)
        case Directory():
            return NarFolder(path=entry.path)
        case File():
            pieces = partial(_pieces, entry)
            return NarFile(path=entry.path, size=entry.source.size, executable=entry.mode == EXECUTABLE, pieces=pieces)


def _pieces(entry: File) -> Iterator[bytes]:
    match entry.source:
        case Literal():
            yield entry.source.data
        case InWheel() | OnDisk():
            yield from _proven(entry, entry.source.on_disk, entry.source.sha256)


def _proven(entry: File, path: str, expected: Sha256) -> Iterator[bytes]:
    """Yield a file and prove it: a file of the store is one with those of environments, which people edit."""
    digest = Digest()
    with Path(path).open("rb") as stream:
        yield from digest.through(chunks(stream))
    if digest.sha256 != expected:
        raise DigestMismatchError(
            what=f"`/{entry.path}`",
            where="the store",
            expected=expected,
            got=digest.sha256,
            hint="run `envgen clean --kind packages` and write the archive again",
        )
