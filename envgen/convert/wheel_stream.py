"""A wheel unpacked while it is downloaded: its zip directory was read by ranges, its members come one after another.

What the ranges said is not proved by anything when the first file is written. Names, kinds and sizes are checked as for
a wheel on the disk, so that nothing is written outside of the package and not more than a wheel may hold. In the end
the sha256 of all bytes proves the wheel, and the directory at its end is compared with what the ranges had. Whoever
makes the package keeps it only then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envgen import limits
from envgen.convert.wheel_directory import read_info
from envgen.convert.wheel_unpack import OpenWheel, layout_of
from envgen.convert.wheel_zip import check_local_header, inflate_pieces, member_of, open_zip, read_directory
from envgen.errors import ArtifactError

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from envgen.convert.wheel_layout import WheelLayout
    from envgen.convert.wheel_zip import Member
    from envgen.packages import Wheel
    from envgen.platforms import PythonMinor


class Body:
    """The bytes of a file as they come, each seen once.

    Args:
        pieces: of the file, from its beginning.
        sink: receives every piece, for instance to digest it.

    Attributes:
        position: how many bytes were taken.
    """

    def __init__(self, pieces: Iterator[bytes], sink: Callable[[bytes], object]) -> None:
        self.position = 0
        self._pieces = pieces
        self._sink = sink
        self._piece = memoryview(b"")

    def some(self, most: int) -> memoryview:
        """Return the next bytes, at least one unless the file has ended; they are not copied."""
        if not self._piece:
            piece = next(self._pieces, b"")
            self._sink(piece)
            self._piece = memoryview(piece)
        taken, self._piece = self._piece[:most], self._piece[most:]
        self.position += len(taken)
        return taken

    def parts(self, size: int) -> Iterator[memoryview]:
        """Return the next `size` bytes in pieces, fewer where the file ends."""
        while size and (taken := self.some(size)):
            size -= len(taken)
            yield taken

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer where the file ends."""
        return b"".join(self.parts(size))


@dataclass(kw_only=True)
class StreamedWheel(OpenWheel):
    """A wheel whose members come in the order of their data; see the module.

    Attributes:
        body: the wheel.
        waiting: what the directory has and was not read yet, the next one last.
        info: name of a member -> content, as the ranges had it.
        end: the end of the wheel as the ranges have it, from the last member's data on.
    """

    members: Mapping[str, Member]
    layout: WheelLayout
    body: Body
    waiting: list[zipfile.ZipInfo]
    info: Mapping[str, bytes]
    end: Callable[[int], bytes]
    _left: int = field(default=0, init=False)

    def read_info(self, name: str) -> bytes | None:
        """Return what the ranges had; it is compared with the body when that gets there."""
        return self.info.get(f"{self.layout.dist_info}/{name}")

    def content(self, member: Member, advance: Callable[[int], None] | None) -> Iterator[bytes]:
        """Inflate a member, after passing over those before it."""
        while self.waiting and self.waiting[-1].filename != member.name:
            self._pass_over(self.waiting[-1])
        if not self.waiting:
            raise ArtifactError(f"`{member.name}` in `{self.what}` was already read")
        self._begin()
        content = inflate_pieces(self._data(member.packed, advance), member, what=self.what)
        return self._compared(member.name, content)

    def finish(self) -> None:
        """Read what is left, and compare the directory at the end with the one that the members were read by.

        Raises:
            ArtifactError: it is another one.
        """
        while self.waiting:
            self._pass_over(self.waiting[-1])
        expected = self.end(self.body.position)
        # one byte more than there should be shows a body that is too long
        if self.body.take(len(expected) + 1) != expected:
            raise ArtifactError(
                f"the zip directory of `{self.what}` differs from the one that was read by range requests"
            )

    def _begin(self) -> None:
        """Read up to the data of the next member."""
        info = self.waiting.pop()
        gap = info.header_offset - self.body.position
        if gap < 0:
            raise ArtifactError(f"`{info.filename}` in `{self.what}`: overlaps the member before it")
        for _ in self.body.parts(gap):
            pass
        check_local_header(self.body.take, info, what=self.what)

    def _pass_over(self, info: zipfile.ZipInfo) -> None:
        if info.filename in self.info:
            for _ in self.content(self.members[info.filename], None):
                pass
            return
        self._begin()
        for _ in self._data(info.compress_size, None):
            pass

    def _data(self, size: int, advance: Callable[[int], None] | None) -> Iterator[memoryview]:
        for part in self.body.parts(size):
            yield part
            size -= len(part)
            if advance:
                advance(len(part))
        if size:
            raise ArtifactError(f"`{self.what}` is truncated")

    def _compared(self, name: str, content: Iterator[bytes]) -> Iterator[bytes]:
        expected = self.info.get(name)
        if expected is None:
            yield from content
            return
        whole = b"".join(content)
        if whole != expected:
            raise ArtifactError(f"`{name}` in `{self.what}` differs from what was read by range requests")
        yield whole


def open_streamed(
    ranges: BinaryIO,
    body: Body,
    wheel: Wheel,
    *,
    size: int,
    python: PythonMinor,
    fold_case: bool,
) -> StreamedWheel:
    """Read and check a wheel's zip directory by ranges, before its body comes.

    Args:
        ranges: the wheel as a seekable stream; little more than its end is read.
        body: the wheel again, from its beginning.
        wheel: what the lock says of it.
        size: bytes of it.
        python: names site-packages.
        fold_case: see `open_wheel`.

    Raises:
        ArtifactError: it is not a safe zip, not this wheel, or its directory does not stand at its end.
    """
    what = wheel.filename
    archive = open_zip(ranges, what=what)
    infos = read_directory(archive, what=what, size=size, fold_case=fold_case)
    last = max((info.header_offset + info.compress_size for info in infos), default=0)
    if archive.start_dir < last:
        raise ArtifactError(f"`{what}` has its zip directory before its last member")
    if size - last > limits.WHEEL_DIRECTORY:
        raise ArtifactError(f"`{what}` has {size - last} bytes after its last member")
    members = {info.filename: member_of(info, start=info.header_offset) for info in infos if not info.is_dir()}

    def end(position: int) -> bytes:
        ranges.seek(position)
        return ranges.read()

    return StreamedWheel(
        members=members,
        layout=layout_of(members, wheel, python=python),
        body=body,
        waiting=infos[::-1],
        info=read_info(archive, infos, what=what),
        end=end,
    )
