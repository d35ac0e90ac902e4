"""What the user's `config.toml` says of the cache: how large it may be, and a second one to read from.

max-size = "50 GB"
shared-cache = "/srv/envgen"        # somebody's store, which is only read
shared-cache-owner = "builder"      # whose it is, where it is not root's
"""

from __future__ import annotations

import pwd
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.errors import Fault, SpecError
from envgen.system.config_file import read_config
from envgen.system.home import expand

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEYS = ("max-size", "shared-cache", "shared-cache-owner")
"""Keys of the file that are read here."""


class CacheSettings(Struct, frozen=True, kw_only=True):
    """What was set.

    Attributes:
        max_size: bytes that the cache may hold after a command; None for no bound.
        shared: a store that is only read, or None.
        owners: users whose files in it are taken.
    """

    max_size: int | None = None
    shared: Path | None = None
    owners: frozenset[int] = frozenset({0})


def read_cache_settings(path: Path, home: Path) -> CacheSettings:
    """Read the settings from a `config.toml`; its other keys are read elsewhere.

    Raises:
        SpecError: a value is wrong; all of them are told.
        UserError: the file cannot be read.
    """
    document = read_config(path)
    if faults := tuple(_faults(document, str(path))):
        raise SpecError(faults)
    texts: Mapping[str, str] = {key: document[key] for key in KEYS if key in document}
    owner = texts.get("shared-cache-owner")
    return CacheSettings(
        max_size=_size(texts["max-size"]) if "max-size" in texts else None,
        shared=expand(texts["shared-cache"], home) if "shared-cache" in texts else None,
        owners=frozenset({0, *([pwd.getpwnam(owner).pw_uid] if owner else [])}),
    )


def _faults(document: Mapping[str, Any], where: str) -> Iterator[Fault]:
    for key in KEYS:
        value = document.get(key)
        if value is None:
            continue
        if not isinstance(value, str):
            yield Fault(where=f"{where}: {key}", what=f"expected text, got {type(value).__name__}")
        elif why := _wrong(key, value):
            yield Fault(where=f"{where}: {key}", what=why)


def _wrong(key: str, value: str) -> str | None:
    match key:
        case "max-size":
            try:
                _size(value)
            except ValueError as error:
                return f"{error} (for example `50 GB`)"
        case "shared-cache":
            if not value.startswith(("/", "~")):
                return f"expected an absolute path, got {value!r}"
        case _:
            try:
                pwd.getpwnam(value)
            except KeyError:
                return f"no user is named {value!r}"
    return None


def _size(text: str) -> int:
    from envgen.manifest.image_parse import size  # noqa: PLC0415  most runs have no bound

    return size(text)
