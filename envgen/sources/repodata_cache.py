"""What rattler keeps of channels, checked for answers that are not repodata.

Rattler takes any JSON object for repodata, one without a package if it has no key that repodata has, and keeps it for
as long as the answer says that it is valid. Such objects come from login pages and proxies, and are small.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_KEYS = frozenset({"info", "packages", "packages.conda"})
"""Of which every repodata has one (CEP 36)."""

_LARGEST = 1 << 20
"""Bytes: what is larger was read package by package."""

_INFO = ".info.json"


def forget_foreign(cache_dir: Path, channel: str) -> str | None:
    """Remove what is kept of a channel and is not repodata of its subdir; return the subdir of the first such answer.

    Args:
        cache_dir: where rattler keeps `<key>.json` with `<key>.info.json` beside it.
        channel: its base URL.
    """
    found = None
    for document, subdir in _kept(cache_dir, channel.rstrip("/")):
        if not _is_repodata(document, subdir):
            found = found or subdir
            for path in (document, document.with_name(f"{document.stem}{_INFO}")):
                path.unlink(missing_ok=True)
    return found


def _kept(cache_dir: Path, channel: str) -> Iterator[tuple[Path, str]]:
    """Yield the documents kept of a channel, and of which subdir each is."""
    for info in sorted(cache_dir.glob(f"*{_INFO}")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            folder, _, _ = str(json.loads(info.read_bytes())["url"]).rpartition("/")
            above, _, subdir = folder.rpartition("/")
            if _address(above) == _address(channel):
                yield info.with_name(f"{info.name.removesuffix(_INFO)}.json"), subdir


def _address(url: str) -> tuple[str | None, int | None, str]:
    """Return what of a URL does not depend on a login."""
    parts = urlsplit(url)
    return parts.hostname, parts.port, parts.path


def _is_repodata(document: Path, subdir: str) -> bool:
    try:
        if document.stat().st_size > _LARGEST:
            return True
        found = json.loads(document.read_bytes())
    except (OSError, ValueError, RecursionError):
        return True  # rattler says itself what it cannot read
    return isinstance(found, dict) and bool(_KEYS & found.keys()) and _subdir(found) in (None, subdir)


def _subdir(repodata: dict[str, Any]) -> object:
    info = repodata.get("info")
    return info.get("subdir") if isinstance(info, dict) else None
