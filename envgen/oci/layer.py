"""The record of a layer that is written: which blob it is, and what the blob holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from envgen.digest import Sha256
    from envgen.oci.compress import Compression


class Layer(Struct, frozen=True, kw_only=True):
    """A layer that is written.

    Attributes:
        digest: of the blob, compressed as it is.
        size: bytes of the blob.
        diff_id: digest of the uncompressed tar.
        unpacked: bytes of the uncompressed tar.
        compression: of the blob.
    """

    digest: Sha256
    size: int
    diff_id: Sha256
    unpacked: int
    compression: Compression
