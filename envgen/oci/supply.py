"""Where artifacts come from before their own sources are asked: bundles, then a registry that has them by digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from envgen.errors import GoneError, IntegrityError, NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from envgen.digest import Sha256
    from envgen.events import Reporter
    from envgen.oci.read import LayoutReader
    from envgen.oci.registry import BlobRepository
    from envgen.system.shared_store import SharedStore


class Supply(Struct, kw_only=True):
    """Artifacts by digest.

    Attributes:
        bundles: asked first, in this order.
        shared: asked then; a store of somebody else, or None.
        mirror: asked then; None where there is none, or where the network must not be used.
        reporter: hears of a mirror that does not answer.
    """

    bundles: Sequence[LayoutReader]
    shared: SharedStore | None = None
    mirror: BlobRepository | None
    reporter: Reporter

    def has(self, sha: Sha256) -> bool:
        """Return whether a bundle or the shared store has an artifact."""
        return any(bundle.has(sha) for bundle in self.bundles) or bool(self.shared and self.shared.has(sha))

    def copy(self, sha: Sha256, out: BinaryIO, *, advance: Callable[[int], None] | None = None) -> bool:
        """Write an artifact to an empty file, and return whether it was found.

        Raises:
            IntegrityError: a bundle or the mirror has other bytes under this digest.
        """
        for bundle in self.bundles:
            if bundle.has(sha):
                bundle.copy(sha, out, advance=advance)
                return True
        if self.shared and self.shared.copy(sha, out, advance=advance):
            return True
        return self._mirrored(sha, out, advance)

    def _mirrored(self, sha: Sha256, out: BinaryIO, advance: Callable[[int], None] | None) -> bool:
        mirror = self.mirror
        if mirror is None:
            return False
        try:
            mirror.download(sha, out, advance=advance)
        except GoneError:
            return False
        except IntegrityError:
            raise
        except NetworkError as error:
            before, self.mirror = self.mirror, None
            if before:  # the first of several threads
                self.reporter.warn(f"the mirror of blobs is not used any more in this run: {error}")
            out.seek(0)
            out.truncate()
            return False
        return True
