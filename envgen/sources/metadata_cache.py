"""METADATA of wheels that was read before: facts for ever, by the wheel's sha256."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envgen.digest import Sha256
    from envgen.system.store import Store

_KIND = "wheel-metadata"


def known(store: Store, sha: Sha256) -> bytes | None:
    """Return the METADATA of a wheel if this machine has read it."""
    return store.cached(_KIND, sha)


def keep(store: Store, sha: Sha256, raw: bytes) -> None:
    """Remember the METADATA of a wheel."""
    store.put(_KIND, sha, raw)
