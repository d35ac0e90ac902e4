"""Where packages are published to: three kinds of channel behind one interface, and the rules for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol

from envgen.errors import IntegrityError
from envgen.sign.packages import appended, read_sidecar
from envgen.sign.statements import StatementError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from envgen.convert.conda_archive import CondaArchive
    from envgen.digest import Sha256
    from envgen.publish.archives import PackedPackage


SIDECAR = ".sigs"
"""Ends the name of the file with the attestations of an archive; a copy has their sha256 behind that (CEP 50)."""


class OtherBytesError(IntegrityError):
    """A channel has another package of the same name, which is not overwritten."""

    def __init__(self, filename: str, channel: str, *, there: Sha256, ours: Sha256) -> None:
        super().__init__(
            f"`{filename}` is in {channel} with sha256 {there}, this one has {ours}: it is not overwritten",
            hint="raise the build number of the recipe, or publish to another channel; "
            "`envgen clean --kind channel` removes the one in the cache",
        )


class OddSidecarError(IntegrityError):
    """The attestations of a package in a channel cannot be read, and so not added to."""

    def __init__(self, filename: str, channel: str, why: object) -> None:
        super().__init__(
            f"the attestations of `{filename}` in {channel} cannot be read: {why}",
            hint=f"remove `{filename}{SIDECAR}` from the channel, and publish again",
        )


def bundles_of(sidecar: bytes | None, filename: str, channel: str) -> tuple[bytes, ...]:
    """Return the bundles of the sidecar of an archive; None is no sidecar.

    Raises:
        OddSidecarError: it is not one.
    """
    try:
        return () if sidecar is None else read_sidecar(sidecar)
    except StatementError as error:
        raise OddSidecarError(filename, channel, error) from error


def with_bundle(sidecar: bytes | None, bundle: bytes, filename: str, channel: str) -> bytes:
    """Return the sidecar of an archive with one more bundle; None is no sidecar yet.

    Raises:
        OddSidecarError: the one that is there is not one.
    """
    try:
        return appended(sidecar, bundle)
    except StatementError as error:
        raise OddSidecarError(filename, channel, error) from error


class Channel(Protocol):
    """A channel that can be written to. Several may publish at once."""

    @property
    def address(self) -> str:
        """Return its path or URL, as `--to` accepts it."""

    @property
    def label(self) -> str:
        """Return its address for a message."""

    @property
    def claimed_address(self) -> str | None:
        """Address that attestations name; None where readers may know the channel by several."""

    def find(self, package: PackedPackage) -> Sha256 | None:
        """Return the digest of the archive of a package; None where it is not there."""

    def fetch(self, package: PackedPackage, out: BinaryIO) -> None:
        """Copy the archive of a package that is there to an empty file; its digest is not verified."""

    def put(self, package: PackedPackage, file: Path, archive: CondaArchive) -> None:
        """Add an archive.

        Raises:
            OtherBytesError: another one came first.
        """

    def attestations(self, package: PackedPackage) -> Sequence[bytes]:
        """Return the bundles that stand beside the archive of a package, none of them verified.

        Raises:
            OddSidecarError: they cannot be read.
        """

    def attest(self, package: PackedPackage, bundle: bytes) -> None:
        """Add a bundle to those beside the archive of a package, which is there; `index` makes readers find it.

        Raises:
            OddSidecarError: those that are there cannot be read.
        """

    def index(self, subdirs: Collection[str]) -> None:
        """Make the index list every archive, also those that others publish meanwhile."""
