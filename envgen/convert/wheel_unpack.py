"""The files of a wheel, written where they will stand in a prefix: inflated, digested and proved in one pass."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections import deque
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from envgen.convert.wheel_layout import WheelLayout, entry_point_scripts, find_stem, library_family, relocate_script
from envgen.convert.wheel_record import check_entry, check_listing, installed_entry, parse_record, render_record
from envgen.convert.wheel_zip import Member, inflate, read_members
from envgen.digest import Sha256
from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from installer.records import RecordEntry

    from envgen.packages import Wheel
    from envgen.platforms import PythonMinor

    Spread = Callable[[Callable[["_File"], "UnpackedFile"], Iterable["_File"]], Iterable["UnpackedFile"]]
    """`map`, or the `map` of an executor: results come in the order of the items."""

_SMALL = 64 << 20
"""Bytes of a metadata file that are read at once; the largest real one, torch's RECORD, has 1.5 MB."""


_OWN = ("RECORD", "INSTALLER")
"""Files of dist-info that are written here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWheel:
    """A wheel whose zip directory was found safe.

    Attributes:
        descriptor: of the open file; reads are positioned, so that threads can share it.
        members: name -> file, in the order of the data.
        layout: where they go.
    """

    descriptor: int
    members: dict[str, Member]
    layout: WheelLayout

    @property
    def what(self) -> str:
        """Name of the wheel for messages."""
        return self.layout.what

    def read_info(self, name: str) -> bytes | None:
        """Read a small file of dist-info; None where there is none.

        Raises:
            ArtifactError: it is too large, or damaged.
        """
        member = self.members.get(f"{self.layout.dist_info}/{name}")
        if member is None:
            return None
        if member.size > _SMALL:
            raise ArtifactError(f"`{member.name}` in `{self.what}` has {member.size} bytes, expected {_SMALL} at most")
        return b"".join(inflate(self.descriptor, member, what=self.what))

    def require_info(self, name: str) -> bytes:
        """Read a small file of dist-info that must be there.

        Raises:
            ArtifactError: it is missing, too large, or damaged.
        """
        content = self.read_info(name)
        if content is None:
            raise ArtifactError(f"`{self.what}` lacks `{self.layout.dist_info}/{name}`")
        return content


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedFile:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A member, where it goes, what RECORD says of it, and the identical library that it becomes a link to."""

    member: Member
    path: str
    listed: RecordEntry
    alias_of: str | None


def open_wheel(archive: BinaryIO, wheel: Wheel, *, python: PythonMinor) -> OpenWheel:
    """Read and check a wheel's zip directory.

    Raises:
        ArtifactError: it is no safe zip, or not this wheel.
    """
    members = read_members(archive, what=wheel.filename)
    stem = find_stem((m.name for m in members), wheel)
    layout = WheelLayout(stem=stem, python=python, what=wheel.filename)
    return OpenWheel(descriptor=archive.fileno(), members={m.name: m for m in members}, layout=layout)


def unpack(
    wheel: OpenWheel, dest: Path, *, spread: Spread = map, advance: Callable[[int], None] | None = None
) -> tuple[UnpackedFile, ...]:
    """Write the files of a wheel, its entry points and a new RECORD.

    Args:
        wheel: opened.
        dest: an empty directory, which stands for the prefix.
        spread: how to go over the members.
        advance: told the bytes of the wheel that were read.

    Raises:
        ArtifactError: RECORD does not fit the files, or two of them go to one path; names the member.
    """
    record = parse_record(wheel.require_info("RECORD"), what=wheel.what)
    check_listing(record, wheel.members, dist_info=wheel.layout.dist_info, what=wheel.what)
    scripts = entry_point_scripts(wheel.read_info("entry_points.txt") or b"", what=wheel.what)
    files = _placed(wheel, record, scripts)
    for folder in sorted(_folders([*(f.path for f in files), *scripts, wheel.layout.installed_info("RECORD")])):
        (dest / folder).mkdir()
    written = list(spread(partial(_install, wheel, dest, advance), files))
    for file in files:
        if file.alias_of:  # both are in one folder
            (dest / file.path).symlink_to(posixpath.basename(file.alias_of))
    written += [_write(dest, path, content, script=True) for path, content in scripts.items()]
    written.append(_write(dest, wheel.layout.installed_info("INSTALLER"), b"conda\n"))
    written.append(_write_record(wheel, dest, written))
    return tuple(written)


def _placed(wheel: OpenWheel, record: Mapping[str, RecordEntry], scripts: Collection[str]) -> list[_File]:
    """Give each member its path, and refuse two with one; an entry point wins over a script, as with pip."""
    own = {wheel.layout.installed_info(name): name for name in _OWN}
    paths: dict[str, str] = {}
    for name in wheel.members:
        path = wheel.layout.place(name)
        if path is None or path in scripts:
            continue
        if other := paths.get(path) or own.get(path):
            raise ArtifactError(f"`{name}` and `{other}` in `{wheel.what}` both go to `{path}`")
        paths[path] = name
    for path in sorted(paths.keys() & _folders([*paths, *scripts])):
        raise ArtifactError(f"`{paths[path]}` in `{wheel.what}` goes to `{path}`, which is a folder")
    aliases = _aliases({path: record[name] for path, name in paths.items()})
    return [
        _File(member=wheel.members[name], path=path, listed=record[name], alias_of=aliases.get(path))
        for path, name in paths.items()
    ]


def _folders(paths: Iterable[str]) -> set[str]:
    """Name every folder above some paths."""
    found: set[str] = set()
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def _aliases(listed: Mapping[str, RecordEntry]) -> dict[str, str]:
    """Find the copies of one library in one folder under its several names: path -> the one that stays a file.

    Zip files hold no links, so `libccl.so`, `libccl.so.1` and `libccl.so.1.0` (216 MB each) came as three files. The
    longest name, the one with the full version, stays.
    """
    families: dict[tuple[str, str], list[str]] = {}
    for path, entry in listed.items():
        if family := library_family(path):
            families.setdefault((family, str(entry.hash_)), []).append(path)
    found: dict[str, str] = {}
    for paths in families.values():
        real = max(paths, key=lambda path: (len(path), path))
        found |= {path: real for path in paths if path != real}
    return found


class _Digest:
    """Digests and counts what flows through it."""

    __slots__ = ("size", "state")

    def __init__(self, algorithm: str) -> None:
        self.state = hashlib.new(algorithm)
        self.size = 0

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.state.update(chunk)
            self.size += len(chunk)
            yield chunk


def _install(wheel: OpenWheel, dest: Path, advance: Callable[[int], None] | None, file: _File) -> UnpackedFile:
    """Inflate one member, prove it by RECORD, and write it unless it becomes a link."""
    script = wheel.layout.is_script(file.member.name)
    proof = own = _Digest(file.listed.hash_.name if file.listed.hash_ else "sha256")
    chunks = proof.watch(inflate(wheel.descriptor, file.member, what=wheel.what, advance=advance))
    head = next(chunks, b"")
    moved = relocate_script(head) if script else None
    content: Iterable[bytes] = chain((head if moved is None else moved,), chunks)
    if moved is not None or proof.state.name != "sha256":
        own = _Digest("sha256")
        content = own.watch(content)
    if file.alias_of:
        deque(content, maxlen=0)
    else:
        _pour(content, dest / file.path, executable=script or file.member.executable)
    _prove(wheel, file, proof)
    return UnpackedFile(
        path=file.path, sha256=Sha256(own.state.hexdigest()), size=own.size, relocated=moved is not None
    )


def _prove(wheel: OpenWheel, file: _File, proof: _Digest) -> None:
    """Hold a file against RECORD, METADATA excepted.

    IPEX 2.8.0 was published with a METADATA edited after RECORD was written, and no other installer minds. What
    METADATA says is compared with the lock, which is a stronger proof than RECORD.
    """
    if file.member.name == f"{wheel.layout.dist_info}/METADATA":
        return
    check_entry(file.listed, proof.state, proof.size, what=wheel.what)


def _pour(content: Iterable[bytes], target: Path, *, executable: bool) -> None:
    with target.open("xb") as out:
        if executable:
            os.fchmod(out.fileno(), 0o755)
        out.writelines(content)


def _write(dest: Path, path: str, content: bytes, *, script: bool = False) -> UnpackedFile:
    _pour((content,), dest / path, executable=script)
    return UnpackedFile(path=path, sha256=Sha256.of(content), size=len(content), relocated=script)


def _write_record(wheel: OpenWheel, dest: Path, written: Iterable[UnpackedFile]) -> UnpackedFile:
    """Write RECORD for what was installed. Linking changes scripts, so no hash is claimed for them."""
    path = wheel.layout.installed_info("RECORD")
    site_packages = wheel.layout.python.site_packages
    entries = [
        installed_entry(posixpath.relpath(f.path, site_packages), None if f.relocated else f.sha256, f.size)
        for f in written
    ]
    own = installed_entry(posixpath.relpath(path, site_packages), None, 0)
    return _write(dest, path, render_record([*entries, own]))
