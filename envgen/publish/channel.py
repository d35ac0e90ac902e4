"""Where packages are published to: three kinds of channel behind one interface, and the rules for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from envgen.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from envgen.convert.conda_archive import CondaArchive
    from envgen.digest import Sha256
    from envgen.publish.archives import PackedPackage


class OtherBytesError(IntegrityError):
    """A channel has another package of the same name, which is not overwritten."""

    def __init__(self, filename: str, channel: str, *, there: Sha256, ours: Sha256) -> None:
        super().__init__(
            f"`{filename}` is in {channel} with sha256 {there}, this one has {ours}: it is not overwritten",
            hint="raise the build number of the recipe, or publish to another channel",
        )


class Channel(Protocol):
    """A channel that can be written to. Several may publish at once."""

    @property
    def label(self) -> str:
        """Its address for people."""

    def find(self, package: PackedPackage) -> Sha256 | None:
        """Return the digest of the archive of a package; None where it is not there."""

    def put(self, package: PackedPackage, file: Path, archive: CondaArchive) -> None:
        """Add an archive.

        Raises:
            OtherBytesError: another one came first.
        """

    def index(self, subdirs: Collection[str]) -> None:
        """Make the index list every archive, also those that others publish meanwhile."""
