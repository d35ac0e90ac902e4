from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envgen.cli.diff_json import delta_json
from envgen.cli.diff_text import lines
from envgen.diff.delta import diff_states, state_of
from envgen.packages import Wheel
from envgen.structs import replace
from tests.unit.lock import samples

if TYPE_CHECKING:
    from envgen.diff.delta import Delta
    from envgen.lock.model import Lock


def diff(old: Lock | None, new: Lock) -> Delta:
    return diff_states(state_of(old, None) if old else None, state_of(new, None), exact=True)


def test_the_same_lock_has_nodelta_json() -> None:
    changes = diff(samples.lock(), samples.lock())
    assert not changes
    assert changes.summary() == "no package changed"
    assert tuple(lines(changes)) == ()


def test_without_an_old_lock_everything_is_added() -> None:
    changes = diff(None, samples.lock())
    assert changes.summary() == "8 added"
    assert changes.settings == ()
    assert len(tuple(lines(changes))) == 8


def test_packages_and_settings() -> None:
    old = samples.lock()
    records = [r for r in samples.records() if r.name not in {"idna", "sympy"}]
    new = replace(
        samples.lock(*records, samples.wheel("sympy", "1.15.0"), samples.wheel("click", "8.1")),
        converter=2,
        debian=None,
    )
    changes = diff(old, new)
    assert changes.summary() == "1 added, 1 removed, 1 changed"
    assert tuple(lines(changes)) == (
        "~ Debian lock: dddddddddddd -> none",
        "~ converter: 1 -> 2",
        "+ click 8.1 (wheel, +26 B)",
        "- idna 3.11 (wheel, -26 B)",
        "~ sympy 1.14.0 -> 1.15.0 (wheel, ±0 B)",
    )
    found = json.loads(json.dumps(delta_json(changes)))
    assert [p["name"] for p in found["added"]] == ["click"]
    assert found["changed"][0]["before"]["version"] == "1.14.0"
    assert found["settings"][1] == {"what": "converter", "before": "1", "after": "2"}


def test_another_file_and_other_dependencies_of_the_same_version() -> None:
    old = samples.lock()
    torch = old.packages[-1]
    assert isinstance(torch, Wheel)
    other_file = replace(torch, sha256=samples.digest("other"))
    other_requires = replace(torch, requires={})
    changes = diff(old, replace(old, packages=(*old.packages[:-1], other_file)))
    digests = [f"2.8.0+cu128 sha256 {package.sha256[:12]}" for package in (torch, other_file)]
    assert tuple(lines(changes)) == (f"~ torch {' -> '.join(digests)} (wheel, ±0 B)",)
    changes = diff(old, replace(old, packages=(*old.packages[:-1], other_requires)))
    assert tuple(lines(changes)) == ("~ torch 2.8.0+cu128: other dependencies: numpy, sympy (wheel, ±0 B)",)


def test_a_package_of_another_manager_is_removed_there_and_added_here() -> None:
    old = samples.lock()
    records = [r for r in samples.records() if r.name != "idna"]
    idna = samples.conda("idna", "3.11", channel="https://conda.example.org/forge")
    found = delta_json(diff(old, samples.lock(*records, idna)))
    assert ([p["manager"] for p in found["added"]], [p["name"] for p in found["added"]]) == (["conda"], ["idna"])
    assert ([p["manager"] for p in found["removed"]], [p["name"] for p in found["removed"]]) == (["pip"], ["idna"])
    assert found["changed"] == []
