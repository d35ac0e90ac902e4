"""Licences of wheels that this machine has seen: whoever compares locks asks no index."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from envgen.names import project_name
from envgen.packages import PackageKind
from envgen.project import shipped
from envgen.sources import metadata_cache

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envgen.diff.delta import Entry
    from envgen.digest import Sha256
    from envgen.system.store import Store


def known_licenses(store: Store, entries: Iterable[Entry]) -> dict[Sha256, str]:
    """Read the licences of wheels from METADATA in the store: sha256 -> SPDX expression, or the wheel's own words."""
    table = functools.cache(shipped.license_table)
    wheels = {entry.digest: entry for entry in entries if entry.kind is PackageKind.WHEEL and entry.digest}
    words = {digest: text for digest, entry in wheels.items() if (text := _words(store, digest, entry))}
    return {digest: table().expression(text) or text for digest, text in words.items()}


def _words(store: Store, digest: Sha256, entry: Entry) -> str | None:
    found = metadata_cache.known(store, digest, project_name(entry.name), entry.version)
    return found.license if found else None
