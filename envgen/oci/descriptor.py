"""What a manifest or an index says of a blob: OCI image specification 1.1, `descriptor.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from envgen.digest import Sha256

if TYPE_CHECKING:
    from collections.abc import Mapping


class Descriptor(Struct, frozen=True, kw_only=True):
    """What a manifest or index says of a blob.

    Attributes:
        media_type: of the blob.
        digest: of its bytes.
        size: of its bytes.
        annotations: as they stand there.
    """

    media_type: str
    digest: Sha256
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)


def parse_descriptor(entry: Any) -> Descriptor:
    """Parse a descriptor of a manifest or an index.

    Raises:
        ValueError: it is not one.
    """
    try:
        return Descriptor(
            media_type=_text(entry["mediaType"]),
            digest=_digest(entry["digest"]),
            size=_size(entry["size"]),
            annotations={_text(key): _text(value) for key, value in entry.get("annotations", {}).items()},
        )
    except KeyError as error:
        raise ValueError(f"{error} is missing") from error
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value


def _digest(value: Any) -> Sha256:
    if not _text(value).startswith("sha256:"):
        raise ValueError(f"expected a sha256, got {value!r}")
    return Sha256.parse(value)


def _size(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"expected a number of bytes, got {value!r}")
    return value
