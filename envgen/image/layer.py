"""A layer: entries in, a compressed tar and its digests out, in one streaming pass."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO, Self

from isal import isal_zlib

from envgen.convert.wheel_zip import inflate, packed_data
from envgen.digest import Digest
from envgen.errors import DigestMismatchError, IntegrityError
from envgen.image.entries import File, InWheel, Literal, OnDisk
from envgen.image.tar import arrange, header
from envgen.oci.compress import Compression, GzipEncoder, encoder
from envgen.oci.layer import Layer
from envgen.oci.tar_blocks import END, padding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from envgen.digest import Sha256
    from envgen.image.entries import Directory, Entry

FORMAT = 1
"""Raise it with every change of the bytes that entries become: layers in the store are then rebuilt."""


_PIECE = 1 << 18
"""Bytes read at once: what fits a core's cache."""


def write_layer(
    entries: Iterable[Entry],
    out: BinaryIO,
    *,
    compression: Compression,
    special: Mapping[str, Directory],
    advance: Callable[[int], None] | None = None,
) -> Layer:
    """Write a layer. Memory stays at a few MB beside the list of entries.

    Args:
        entries: in any order; no two of one path.
        out: takes the blob, front to back.
        compression: of the blob. As gzip, deflated members of wheels are copied and not compressed again.
        special: see `tar.arrange`.
        advance: told the bytes of content that were written.

    Raises:
        IntegrityError: a source is not what its entry says.
        ArtifactError: a member of a wheel is damaged.
    """
    with _Writer(out, compression, advance) as writer:
        for entry in arrange(entries, special):
            writer.add(entry)
    return writer.layer()


class _Sha256:
    """Proves a file by its digest."""

    name = "sha256"

    def __init__(self, expected: Sha256) -> None:
        self.expected: str = expected
        self._digest = Digest()

    def update(self, data: memoryview) -> None:
        self._digest.update(data)

    @property
    def got(self) -> str:
        return self._digest.hexdigest()


class _Crc:
    """Proves a file by its CRC-32."""

    name = "CRC-32"

    def __init__(self, expected: int) -> None:
        self.expected = f"{expected:08x}"
        self._state = 0

    def update(self, data: memoryview) -> None:
        self._state = isal_zlib.crc32(data, self._state)

    @property
    def got(self) -> str:
        return f"{self._state:08x}"


class _Writer:
    """A layer while it is written."""

    def __init__(self, out: BinaryIO, compression: Compression, advance: Callable[[int], None] | None) -> None:
        self._compression = compression
        self._blob = Digest(sink=out.write)
        self._encoder = encoder(compression, self._blob.update)
        self._tar = Digest()
        self._advance = advance
        self._wheels: dict[Path, BinaryIO] = {}
        self._open = ExitStack()
        self._buffer = memoryview(bytearray(_PIECE))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._open.close()
        if kind is None:
            self._plain(END)
            self._encoder.close()

    def add(self, entry: Entry) -> None:
        self._plain(header(entry))
        if isinstance(entry, File):
            self._content(entry)
            self._plain(padding(entry.source.size))
            if self._advance:
                self._advance(entry.source.size)

    def layer(self) -> Layer:
        return Layer(
            digest=self._blob.sha256,
            size=self._blob.size,
            diff_id=self._tar.sha256,
            unpacked=self._tar.size,
            compression=self._compression,
        )

    def _plain(self, data: bytes | bytearray | memoryview) -> None:
        self._tar.update(data)
        self._encoder.write(data)

    def _content(self, entry: File) -> None:
        match entry.source:
            case Literal():
                self._plain(entry.source.data)
            case OnDisk():
                self._copy(entry.path, entry.source)
            case InWheel():
                self._from_wheel(entry.source)

    def _copy(self, path: str, source: OnDisk) -> None:
        """Copy a file, and prove it: a file of the store is one with those of environments, which people edit."""
        size = 0
        proof: _Crc | _Sha256 = _Sha256(source.sha256) if source.crc is None else _Crc(source.crc)
        for data in self._pieces(source.on_disk):
            proof.update(data)
            size += len(data)
            self._plain(data)
        if (proof.got, size) != (proof.expected, source.size):
            raise IntegrityError(
                f"`{source.on_disk}`, the source of `/{path}`, has {proof.name} {proof.got} and {size} bytes, "
                f"expected {proof.expected} and {source.size} bytes",
                hint="the file was modified: run `envgen clean --kind packages` and build the image again",
            )

    def _from_wheel(self, source: InWheel) -> None:
        member, wheel = source.member, self._wheel(source)
        if isinstance(self._encoder, GzipEncoder) and member.deflated:
            with self._encoder.member(crc=member.crc, size=member.size) as packed:
                for data in packed_data(wheel.fileno(), member, what=source.wheel.name):
                    packed(data)
            self._digest_only(source, wheel)
        else:
            for data in inflate(wheel.fileno(), member, what=source.wheel.name):
                self._plain(data)

    def _digest_only(self, source: InWheel, wheel: BinaryIO) -> None:
        """Add a member's content to the digest of the tar alone.

        To inflate all of pt28-accel takes 20 s of a core, and the CRC of the files that were inflated before 1 s. A
        file that somebody changed since shows by its CRC; then the member is inflated.
        """
        before = self._tar.copy()
        crc = 0
        for piece in self._pieces(source.on_disk):
            crc = isal_zlib.crc32(piece, crc)
            self._tar.update(piece)
        if (crc, self._tar.size - before.size) == (source.member.crc, source.member.size):
            return
        self._tar = before
        for data in inflate(wheel.fileno(), source.member, what=source.wheel.name):
            self._tar.update(data)

    def _wheel(self, source: InWheel) -> BinaryIO:
        """Open a wheel once and verify it, since its streams are copied without a check."""
        path = source.wheel
        if path not in self._wheels:
            stream = self._open.enter_context(path.open("rb"))
            got = self._digest(path)
            if got != source.wheel_sha256:
                raise DigestMismatchError(
                    what=f"`{path}`",
                    where="the store",
                    expected=source.wheel_sha256,
                    got=got,
                    hint="delete the file and run the command again",
                )
            self._wheels[path] = stream
        return self._wheels[path]

    def _digest(self, file: Path) -> Sha256:
        digest = Digest()
        for data in self._pieces(str(file)):
            digest.update(data)
        return digest.sha256

    def _pieces(self, file: str) -> Iterator[memoryview]:
        """Yield a file in pieces that are valid until the next: there is one buffer for all files."""
        try:
            stream = open(file, "rb", buffering=0)  # noqa: PTH123, SIM115  tens of thousands, Path is slow
        except FileNotFoundError as error:  # another process makes a damaged package again
            raise IntegrityError(f"`{file}` was removed while it was in use", hint="run the command again") from error
        with stream:
            while count := stream.readinto(self._buffer):
                yield self._buffer[:count]
