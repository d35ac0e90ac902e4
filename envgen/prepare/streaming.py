"""A wheel of the index becomes a package while it is downloaded; kept beside it only where somebody asked for that."""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from envgen.convert.wheel_stream import Body, open_streamed
from envgen.digest import Digest
from envgen.errors import ArtifactError, DigestMismatchError, IntegrityError, UserError
from envgen.sources.pypi_metadata import open_ranges
from envgen.system.http import RangeUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from envgen.convert.wheel_stream import StreamedWheel
    from envgen.manifest.env_spec import EnvSpec
    from envgen.packages import Wheel
    from envgen.platforms import Target
    from envgen.project.context import Context

_TAIL = 64 << 10
"""Bytes that are fetched first: most directories, and all of the smallest wheels. With more, a user who says stop would
not be heard for too long on a slow line."""

_VARIABLE = "ENVGEN_KEEP_WHEELS"

UNSTREAMABLE = (ArtifactError, IntegrityError, RangeUnsupportedError, zipfile.BadZipFile)
"""What says that a wheel cannot be had in this way, or that it is not what it should be: the other way decides."""


class WheelStreams(Struct, frozen=True, kw_only=True):
    """Opens wheels of the index to be unpacked as they come.

    Attributes:
        context: the world.
        target: for which they are unpacked.
        keep: whether the wheels themselves go into the store too.
        advance: told how many bytes have come; raises where no more are wanted.
    """

    context: Context
    target: Target
    keep: bool
    advance: Callable[[int], None]

    @contextmanager
    def open(self, wheel: Wheel, url: str) -> Iterator[StreamedWheel]:
        """Yield a wheel to be read to its end; its bytes are proved when the block ends.

        Raises:
            DigestMismatchError: they are others than those that are locked.
            ArtifactError: the wheel cannot be read in this way; see `open_streamed`.
            RangeUnsupportedError: the server has no ranges.
            NetworkError: as the client says.
        """
        http = self.context.http
        ranges = open_ranges(http, url, wheel.size, tail=_TAIL)
        self.advance(0)
        pieces = iter((ranges.read(),)) if ranges.is_whole else http.stream(url, size=ranges.size)
        ranges.seek(0)
        with self._sink(wheel) as sink:

            def take(piece: bytes) -> None:
                sink(piece)
                self.advance(len(piece))

            opened = open_streamed(
                cast("BinaryIO", ranges),
                Body(pieces, take),
                wheel,
                size=ranges.size,
                python=self.target.python,
                fold_case=not self.target.platform.is_linux,
            )
            self.advance(0)
            yield opened

    @contextmanager
    def _sink(self, wheel: Wheel) -> Iterator[Callable[[bytes], object]]:
        """Yield what takes the bytes of a wheel, and prove them."""
        store = self.context.store
        if self.keep:
            with store.making(f"artifact-{wheel.sha256}"), store.new_artifact(wheel.sha256) as out:
                yield out.write
            return
        digest = Digest()
        yield digest.update
        if digest.sha256 != wheel.sha256:
            raise DigestMismatchError(
                what=f"`{wheel.filename}`", where="the wheel index", expected=wheel.sha256, got=digest.sha256
            )


def keeps_wheels(spec: EnvSpec, environment: Mapping[str, str]) -> bool:
    """Return whether the wheels of an environment stay in the store: images and bundles take them from there.

    `ENVGEN_KEEP_WHEELS` decides; without it, `keep-wheels` of the spec, and whether an image is made of it.

    Raises:
        UserError: the variable is neither 0 nor 1.
    """
    said = environment.get(_VARIABLE, "")
    if said not in {"", "0", "1"}:
        raise UserError(f"{_VARIABLE}: expected 0 or 1, got {said!r}")
    if said:
        return said == "1"
    return spec.keep_wheels or spec.image is not None
