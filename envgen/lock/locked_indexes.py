"""The indexes of a lock: as text in its metadata, and what changed in the spec since it was made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.indexes import LockedIndex, index_of, index_words, is_index_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from envgen.indexes import NamedIndex
    from envgen.packages import Wheel


def to_json(indexes: Mapping[str, LockedIndex]) -> str:
    """Write indexes as text: `{"team":{"address":"<sha256>","projects":["acme-*"]}}`."""
    found = {
        name: {
            "projects": list(index.projects),
            "address": str(index.address),
            **({"undated": index.undated} if index.undated else {}),
        }
        for name, index in indexes.items()
    }
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


def from_json(text: str) -> dict[str, LockedIndex]:
    """Read what `to_json` writes.

    Raises:
        ValueError: it is something else.
    """
    document = read_json(text)
    try:
        return {_name(name): _index(**entry) for name, entry in document.items()}
    except (AttributeError, TypeError) as error:
        raise ValueError(f"expected indexes by name, got {text!r}") from error


def _name(text: str) -> str:
    if not is_index_name(text):
        raise ValueError(f"not the name of an index: {text!r}")
    return text


def _index(*, projects: list[str], address: str, undated: str | None = None) -> LockedIndex:
    if not (isinstance(projects, list) and all(isinstance(one, str) for one in projects)):
        raise ValueError(f"expected a list of projects, got {projects!r}")
    if not isinstance(undated, str | None):
        raise ValueError(f"expected text, got {undated!r}")  # noqa: TRY004  what the reader makes a complaint of
    return LockedIndex(projects=tuple(projects), address=Sha256.parse(address), undated=undated)


def index_differences(now: Mapping[str, NamedIndex], then: Mapping[str, LockedIndex]) -> Iterator[str]:
    """Return what the spec says of its indexes otherwise than its lock, in words."""
    for name in sorted(now.keys() | then.keys()):
        if name not in now:
            yield f"`indexes.{name}` is no longer in the spec"
        elif name not in then:
            yield f"`indexes.{name}` is new in the spec"
        else:
            mine, its = LockedIndex.of(now[name]), then[name]
            if mine.address != its.address:
                yield f"`indexes.{name}.url` changed"
            if set(mine.projects) != set(its.projects):
                what = f"`indexes.{name}.projects` are {_listed(mine.projects)}"
                yield f"{what}, the lock was made with {_listed(its.projects)}"
            if mine.undated != its.undated:
                yield f"`indexes.{name}.undated` changed"


def moved_wheels(wheels: Iterable[Wheel], indexes: Mapping[str, NamedIndex]) -> Iterator[str]:
    """Return which wheels are locked from another index than the one that names them, in words."""
    for wheel in (wheel for wheel in wheels if not wheel.direct):
        now = index_of(wheel.project, indexes)
        if now != wheel.index:
            yield f"`{wheel.project}` comes from {index_words(now)}, it is locked from {index_words(wheel.index)}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
