from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from envgen.debs import Deb, DebianArea
from envgen.lock.debian_lock import DebianLock
from envgen.merge.preferences import merge_debian_locks, merge_locks, pick
from envgen.platforms import Platform
from envgen.structs import replace
from tests.unit.lock import samples

if TYPE_CHECKING:
    from envgen.lock.model import Lock


def lock(**versions: str) -> Lock:
    """Make a lock that holds these versions of the sample's packages, and no others."""
    kept = (p for p in samples.lock().packages if p.name in versions)
    return replace(samples.lock(), packages=tuple(replace(p, version=versions[p.name]) for p in kept))


def versions(found: Lock) -> dict[str, str]:
    return {str(p.name): p.version for p in found.packages}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ({"idna": "1"}, {"idna": "1"}, {"idna": "1"}, {"idna": "1"}),
        ({}, {"sympy": "1"}, {"idna": "1", "torch": "2"}, {"idna": "1", "sympy": "1", "torch": "2"}),
        ({"idna": "1", "sympy": "1"}, {"idna": "1"}, {"idna": "2", "sympy": "1"}, {"idna": "2"}),
        ({"idna": "1"}, {"idna": "9"}, {"idna": "10"}, {"idna": "10"}),
        ({"idna": "1"}, {"idna": "10"}, {"idna": "9"}, {"idna": "10"}),
        ({"idna": "1"}, {}, {"idna": "2"}, {"idna": "2"}),
        ({"idna": "1"}, {}, {}, {}),
    ],
)
def test_each_side_keeps_what_it_changed(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str], merged: dict[str, str]
) -> None:
    assert versions(merge_locks(lock(**base), lock(**ours), lock(**theirs))) == merged


def test_without_a_base_both_sides_added_everything() -> None:
    assert versions(merge_locks(None, lock(idna="1"), lock(torch="2"))) == {"idna": "1", "torch": "2"}


def test_debian_packages() -> None:
    def debian(*versions: tuple[str, str]) -> DebianLock:
        debs = [
            Deb(
                name=name,
                version=version,
                architecture="amd64",
                archive=DebianArea.DEBIAN,
                path=f"pool/main/{name}.deb",
                sha256=samples.digest(name + version),
                size=1,
            )
            for name, version in versions
        ]
        return DebianLock.of_uses(
            environment="sample", platform=Platform.LINUX_64, suites=["bookworm"], uses={"python": debs}
        )

    merged = merge_debian_locks(debian(("a", "1"), ("b", "1")), debian(("a", "2"), ("b", "1")), debian(("a", "1")))
    assert [(p.name, p.version) for p in merged.packages] == [("a", "2")]
    early, late = (dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (1, 2))
    ours = replace(debian(("a", "1")), releases={"bookworm": late, "x": early})
    theirs = replace(debian(("a", "1")), releases={"bookworm": early, "y": late})
    assert merge_debian_locks(None, ours, theirs).releases == {"bookworm": late, "x": early, "y": late}


def test_pick() -> None:
    assert pick("x", "x", "y") == (True, "y")
    assert pick("x", "y", "x") == (True, "y")
    assert pick(None, "y", "y") == (True, "y")
    assert pick("x", None, "x") == (True, None)
    assert pick("x", "y", "z") == (False, None)
