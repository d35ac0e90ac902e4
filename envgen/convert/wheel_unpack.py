"""The files of a wheel, written where they will stand in a prefix: inflated, digested and proved in one pass."""

from __future__ import annotations

import os
import posixpath
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.builds import is_linked
from envgen.convert.wheel_layout import WheelLayout, entry_point_scripts, find_data, find_stem, relocate_script
from envgen.convert.wheel_places import place_members
from envgen.convert.wheel_record import check_entry, check_listing, installed_entry, parse_record, render_record
from envgen.convert.wheel_zip import Member, inflate, read_members
from envgen.digest import Digest, Sha256
from envgen.errors import ArtifactError, HostError
from envgen.paths import folders_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from installer.records import RecordEntry

    from envgen.convert.wheel_places import Placed
    from envgen.packages import Wheel
    from envgen.platforms import PythonMinor

_SMALL = 64 << 20
"""Bytes of a metadata file that are read at once; the largest real one, torch's RECORD, has 1.5 MB."""

_FIRST_LINE = 1 << 16
"""Bytes in which the first line of a script ends; a kernel reads 256 of them."""


class OpenWheel(ABC):
    """A wheel whose zip directory was found safe.

    Attributes:
        members: name -> file, in the order of the data.
        layout: where they go.
    """

    members: Mapping[str, Member]
    layout: WheelLayout

    @property
    def what(self) -> str:
        """Name of the wheel for messages."""
        return self.layout.what

    @abstractmethod
    def content(self, member: Member, advance: Callable[[int], None] | None) -> Iterator[bytes]:
        """Yield the content of a member, proved by its CRC; `inflate` says what is raised.

        Args:
            member: one of `members`, and each time a later one.
            advance: told the bytes of the wheel that were read.
        """

    @abstractmethod
    def read_info(self, name: str) -> bytes | None:
        """Read a small file of dist-info; None where there is none.

        Raises:
            ArtifactError: it is too large, or damaged.
        """

    def finish(self) -> None:  # noqa: B027  most have nothing left to do
        """Verify what needs everything to be read.

        Raises:
            ArtifactError, IntegrityError: the wheel is not what it was taken for.
        """

    def require_info(self, name: str) -> bytes:
        """Read a small file of dist-info that must be there.

        Raises:
            ArtifactError: it is missing, too large, or damaged.
        """
        content = self.read_info(name)
        if content is None:
            raise ArtifactError(f"`{self.what}` does not contain `{self.layout.dist_info}/{name}`")
        return content


@dataclass(kw_only=True)
class WheelFile(OpenWheel):
    """A wheel on the disk, its sha256 proved by the caller.

    Attributes:
        descriptor: of the open file; reads are positioned, so that threads can share it.
    """

    descriptor: int
    members: Mapping[str, Member]
    layout: WheelLayout

    def content(self, member: Member, advance: Callable[[int], None] | None) -> Iterator[bytes]:
        """Inflate a member; in any order."""
        return inflate(self.descriptor, member, what=self.what, advance=advance)

    def read_info(self, name: str) -> bytes | None:
        """Inflate a small file of dist-info."""
        member = self.members.get(f"{self.layout.dist_info}/{name}")
        if member is None:
            return None
        if member.size > _SMALL:
            raise ArtifactError(f"`{member.name}` in `{self.what}` has {member.size} bytes, expected at most {_SMALL}")
        return b"".join(inflate(self.descriptor, member, what=self.what))


class UnpackedFile(Struct, frozen=True, kw_only=True):
    """A file that was written.

    Attributes:
        path: relative to the prefix.
        sha256: of the bytes that were written.
        size: their number.
        relocated: whether the placeholder of the prefix is in them.
    """

    path: str
    sha256: Sha256
    size: int
    relocated: bool = False


class _File(Struct, frozen=True, kw_only=True):
    """A member, and where it goes."""

    member: Member
    placed: Placed


def open_wheel(archive: BinaryIO, wheel: Wheel, *, python: PythonMinor, fold_case: bool = False) -> WheelFile:
    """Read and check a wheel's zip directory.

    Args:
        archive: the wheel, with a file descriptor.
        wheel: what the lock says of it.
        python: names site-packages.
        fold_case: whether the target's file system takes `A` and `a` for one name (macOS, Windows).

    Raises:
        ArtifactError: it is not a safe zip, or not this wheel.
    """
    members = {m.name: m for m in read_members(archive, what=wheel.filename, fold_case=fold_case)}
    layout = layout_of(members, wheel, python=python)
    return WheelFile(descriptor=archive.fileno(), members=members, layout=layout)


def layout_of(members: Collection[str], wheel: Wheel, *, python: PythonMinor) -> WheelLayout:
    """Find out by the names of a wheel's files where they go.

    Raises:
        ArtifactError: they are not those of this wheel.
    """
    stem, data = find_stem(members, wheel), find_data(members, wheel)
    linked = bool(wheel.made and is_linked(wheel.made.source))
    return WheelLayout(
        stem=stem,
        python=python,
        what=wheel.filename,
        data=data,
        linked=linked,
    )


def unpack(
    wheel: OpenWheel,
    dest: Path,
    *,
    trusted: bool = False,
    advance: Callable[[int], None] | None = None,
) -> tuple[UnpackedFile, ...]:
    """Write the files of a wheel, its entry points and a new RECORD.

    Args:
        wheel: opened.
        dest: an empty directory, which stands for the prefix.
        trusted: do without the wheel's RECORD: the caller proved its sha256.
        advance: told the bytes of the wheel that were read.

    Raises:
        ArtifactError: RECORD does not fit the files, or two of them go to one path; names the member.
        HostError: names of files differ by case only, and the file system does not tell them apart.
    """
    try:
        return _unpack(wheel, dest, trusted=trusted, advance=advance)
    except FileExistsError as error:  # all paths are different ones
        raise HostError(
            f"`{wheel.what}` has two files or folders whose names differ by case only, one of them "
            f"`{posixpath.basename(error.filename)}`, and the file system of `{dest.parent}` treats both as one",
            hint="move the cache to a file system that distinguishes them: `ENVGEN_CACHE`",
        ) from error


def _unpack(
    wheel: OpenWheel, dest: Path, *, trusted: bool, advance: Callable[[int], None] | None
) -> tuple[UnpackedFile, ...]:
    record = {} if trusted else _record(wheel)
    scripts = entry_point_scripts(wheel.read_info("entry_points.txt") or b"", what=wheel.what)
    placed = place_members(wheel.members, wheel.layout, record, scripts)
    files = [_File(member=wheel.members[one.member], placed=one) for one in placed]
    for folder in sorted(folders_of([*(f.path for f in placed), *scripts, wheel.layout.installed_info("RECORD")])):
        (dest / folder).mkdir()
    written = [_install(wheel, file, dest, advance) for file in files]
    wheel.finish()
    for file in placed:
        if file.alias_of:  # both are in one folder
            (dest / file.path).symlink_to(posixpath.basename(file.alias_of))
    written += [_write(dest, path, content, script=True) for path, content in scripts.items()]
    written.append(_write(dest, wheel.layout.installed_info("INSTALLER"), b"conda\n"))
    written.append(_write_record(wheel, dest, written))
    return tuple(written)


def _record(wheel: OpenWheel) -> dict[str, RecordEntry]:
    """Read RECORD, and check it against the wheel's files."""
    record = parse_record(wheel.read_info("RECORD"), what=wheel.what)
    sizes = {name: member.size for name, member in wheel.members.items()}
    check_listing(record, sizes, dist_info=wheel.layout.dist_info, what=wheel.what)
    return record


def _install(wheel: OpenWheel, file: _File, dest: Path, advance: Callable[[int], None] | None) -> UnpackedFile:
    """Inflate one member, prove it by RECORD, and write it unless it becomes a link."""
    script = wheel.layout.is_script(file.member.name)
    listed = file.placed.listed
    proof = own = Digest(listed.hash_.name if listed and listed.hash_ else "sha256")
    chunks = content = proof.through(wheel.content(file.member, advance))
    moved = None
    if script:
        head = _beginning(chunks)
        moved = relocate_script(head)
        content = chain((head if moved is None else moved,), chunks)
    if moved is not None or proof.name != "sha256":
        own = Digest()
        content = own.through(content)
    path = file.placed.path
    if file.placed.alias_of:
        deque(content, maxlen=0)
    else:
        _pour(content, f"{dest}/{path}", executable=script or file.member.executable)
    _prove(wheel, file, proof)
    return UnpackedFile(path=path, sha256=own.sha256, size=own.size, relocated=moved is not None)


def _beginning(chunks: Iterable[bytes]) -> bytes:
    """Read up to the first line's end: a network cuts a file anywhere."""
    head = b""
    for chunk in chunks:
        head += chunk
        if b"\n" in head or len(head) > _FIRST_LINE:
            break
    return head


def _prove(wheel: OpenWheel, file: _File, proof: Digest) -> None:
    """Check a file against RECORD, METADATA excepted.

    IPEX 2.8.0 was published with a METADATA edited after RECORD was written, and no other installer minds. What
    METADATA says is compared with the lock, which is a stronger proof than RECORD.
    """
    listed = file.placed.listed
    if listed is not None and file.member.name != f"{wheel.layout.dist_info}/METADATA":
        check_entry(listed, proof, what=wheel.what)


def _pour(content: Iterable[bytes], target: str, *, executable: bool) -> None:
    # pieces are large: a buffer and what Python asks of a file that it opens cost more than writing most files
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        if executable:
            os.fchmod(handle, 0o755)
        for piece in content:
            _write_all(handle, piece)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    written = os.write(handle, data)
    while written < len(data):
        written += os.write(handle, memoryview(data)[written:])


def _write(dest: Path, path: str, content: bytes, *, script: bool = False) -> UnpackedFile:
    _pour((content,), f"{dest}/{path}", executable=script)
    return UnpackedFile(path=path, sha256=Sha256.of(content), size=len(content), relocated=script)


def _write_record(wheel: OpenWheel, dest: Path, written: Iterable[UnpackedFile]) -> UnpackedFile:
    """Write RECORD for what was installed. Linking changes scripts, so no hash is claimed for them."""
    path = wheel.layout.installed_info("RECORD")
    site_packages = wheel.layout.python.site_packages
    entries = [
        installed_entry(_relative(f.path, site_packages), None if f.relocated else f.sha256, f.size) for f in written
    ]
    own = installed_entry(_relative(path, site_packages), None, 0)
    return _write(dest, path, render_record([*entries, own]))


def _relative(path: str, folder: str) -> str:
    """Return `posixpath.relpath`, which asks for the working directory; most paths are below the folder."""
    return path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else posixpath.relpath(path, folder)
