"""METADATA of wheels that was read before: kept only where a digest proves it, and only if it is that wheel's.

* `metadata/<sha256 of METADATA>`: what an index promised a digest of, found by that digest;
* `metadata-of-wheel/<sha256 of a wheel>`: what was read out of a wheel all of which was digested;
* `metadata-digests/<sha256 of a wheel>`: which digest an index promised, for commands that ask no index;
* `metadata-recent/<sha256 of a wheel>`: what was read out of a wheel by ranges, and when. No digest proves it, so it
  counts for some minutes only, and a solve that fails with it is tried again without.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion

from envgen.digest import Sha256
from envgen.errors import ArtifactError
from envgen.metadata import parse_metadata_of

if TYPE_CHECKING:
    from envgen.metadata import WheelMetadata
    from envgen.names import ProjectName
    from envgen.system.store import Store

_BY_DIGEST, _OF_WHEEL, _PROMISES = "metadata", "metadata-of-wheel", "metadata-digests"
_RECENT = "metadata-recent"

_WHILE = dt.timedelta(minutes=10)
"""For how long METADATA is taken without proof; the public index lets its pages be kept as long."""


def proved(
    store: Store, sha: Sha256, project: ProjectName, version: str, *, promised: Sha256 | None
) -> WheelMetadata | None:
    """Return the METADATA of a wheel if this machine has read it; drop what is kept in its place and is not.

    Args:
        store: keeps it.
        sha: of the wheel.
        project: of the wheel.
        version: of the wheel, as in its file name.
        promised: digest of METADATA as the index gives it now, where it does.
    """
    found = _read(store, _OF_WHEEL, sha, project, version)
    if found is None and promised:
        found = _read(store, _BY_DIGEST, promised, project, version)
    return found


def known(store: Store, sha: Sha256, project: ProjectName, version: str) -> WheelMetadata | None:
    """Return the METADATA of a wheel as an index promised it last, without asking one: to show, not to solve with."""
    return proved(store, sha, project, version, promised=_promise(store, sha))


def keep_promised(store: Store, sha: Sha256, promised: Sha256, raw: bytes) -> None:
    """Keep METADATA whose digest is `promised`, as the index says of the wheel `sha`."""
    store.put(_BY_DIGEST, promised, raw)
    store.put(_PROMISES, sha, promised.encode())


def keep_read(store: Store, sha: Sha256, raw: bytes) -> None:
    """Keep METADATA of the wheel `sha`, all of whose bytes were digested."""
    store.put(_OF_WHEEL, sha, raw)


def recent(store: Store, sha: Sha256, project: ProjectName, version: str, *, now: dt.datetime) -> WheelMetadata | None:
    """Return METADATA of the wheel `sha` that was read without proof a short while before `now`, an aware moment."""
    when, _, raw = (store.cached(_RECENT, sha) or b"").partition(b"\n")
    try:
        if when and dt.timedelta() <= now - dt.datetime.fromisoformat(when.decode()) < _WHILE:
            return parse_metadata_of(raw, project, version)
    except (ArtifactError, InvalidVersion, ValueError, TypeError):
        pass
    return None


def keep_recent(store: Store, sha: Sha256, raw: bytes, *, now: dt.datetime) -> None:
    """Keep METADATA of the wheel `sha` that no digest proves, for a while from `now`."""
    store.put(_RECENT, sha, now.isoformat().encode() + b"\n" + raw)


def _promise(store: Store, sha: Sha256) -> Sha256 | None:
    text = store.cached(_PROMISES, sha)
    try:
        return Sha256.parse(text.decode()) if text else None
    except ValueError:
        return None


def _read(store: Store, kind: str, key: Sha256, project: ProjectName, version: str) -> WheelMetadata | None:
    raw = store.cached(kind, key)
    if raw is None:
        return None
    try:
        if kind == _OF_WHEEL or Sha256.of(raw) == key:
            return parse_metadata_of(raw, project, version)
    except (ArtifactError, InvalidVersion):
        pass  # dropped like what has another digest
    store.forget(kind, key)
    return None
