from __future__ import annotations

import json
from dataclasses import replace

from envgen.diff.changes import diff
from envgen.packages import Wheel
from tests.unit.lock import samples


def test_the_same_lock_has_no_changes() -> None:
    changes = diff(samples.lock(), samples.lock())
    assert not changes
    assert changes.summary() == "no package changed"
    assert changes.lines() == ()


def test_without_an_old_lock_everything_is_added() -> None:
    changes = diff(None, samples.lock())
    assert changes.summary() == "8 added"
    assert changes.settings == ()
    assert len(changes.lines()) == 8


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
    assert changes.lines() == (
        "~ Debian lock: dddddddddddd -> none",
        "~ converter: 1 -> 2",
        "+ click 8.1",
        "- idna 3.11",
        "~ sympy 1.14.0 -> 1.15.0",
    )
    found = json.loads(json.dumps(changes.as_json()))
    assert [p["name"] for p in found["added"]] == ["click"]
    assert found["changed"][0]["before"]["version"] == "1.14.0"
    assert found["settings"][1] == {"what": "converter", "before": "1", "after": "2"}


def test_another_file_and_other_dependencies_of_the_same_version() -> None:
    old = samples.lock()
    torch = old.packages[-1]
    assert isinstance(torch, Wheel)
    other_file = replace(torch, sha256=samples.digest("other"))
    other_requires = replace(torch, requires={})
    assert diff(old, replace(old, packages=(*old.packages[:-1], other_file))).lines() == (
        f"~ torch 2.8.0+cu128: sha256 {torch.sha256[:12]} -> {other_file.sha256[:12]}",
    )
    assert diff(old, replace(old, packages=(*old.packages[:-1], other_requires))).lines() == (
        "~ torch 2.8.0+cu128: other dependencies: numpy, sympy",
    )
