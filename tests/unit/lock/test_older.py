"""What a lock keeps of packages that were not the newest: written, read back, and dropped where it may be wrong."""

from __future__ import annotations

import pytest

from envgen.digest import Sha256
from envgen.errors import LockError
from envgen.lock.cep37 import document
from envgen.lock.conda_lock import from_solution
from envgen.lock.older import facts_to_keep, from_json, to_json
from envgen.lock.read import read_lock
from envgen.lock.render import render_lock
from envgen.names import project_name
from envgen.records import Older
from envgen.structs import replace
from tests.unit.lock import samples

TORCH = Older(
    project=project_name("torch"),
    chosen="2.8.0+cu128",
    newest="2.9.0",
    line='torch==2.8.0; platform_machine == "x86_64"',
    why="`spam` requires `torch<2.9`",
    limit=False,
    days=40,
)
SYMPY = Older(
    project=project_name("sympy"),
    chosen="1.14.0",
    newest="2.0",
    line=None,
    why="it has a source archive only",
    limit=True,
)
LOCK = samples.lock()


def kept(*older: Older, request: Sha256 = LOCK.request, told: tuple[Older, ...] = ()) -> tuple[Older, ...]:
    asked = [r for r in samples.spec().pypi if r.name in {"torch", "jsonschema"}]
    return facts_to_keep(told, replace(LOCK, older=older), packages=LOCK.packages, request=request, asked=asked)


def test_a_lock_without_such_packages_says_nothing_of_them() -> None:
    assert LOCK.older == ()
    assert "envgen.older" not in document(LOCK)["metadata"]["custom_metadata"]


def test_it_is_read_back_as_written() -> None:
    lock = replace(LOCK, older=(SYMPY, TORCH))
    text = render_lock(lock)
    assert read_lock(text) == lock
    assert document(lock)["metadata"]["custom_metadata"]["envgen.older"] == (
        '{"sympy":{"limit":true,"newest":"2.0","why":"it has a source archive only"},'
        '"torch":{"days":40,"line":"torch==2.8.0; platform_machine == \\"x86_64\\"","newest":"2.9.0",'
        '"why":"`spam` requires `torch<2.9`"}}'
    )


def test_what_was_told_stands_in_the_lock() -> None:
    solution = replace(samples.solution(), older=(SYMPY,))
    lock = from_solution(
        solution, samples.spec(), recipes=samples.RECIPES, debian=samples.DEBIAN, converter=samples.CONVERTER
    )
    assert lock.older == (SYMPY,)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"nowhere":{"newest":"2","why":"so"}}',
        '{"torch":"2"}',
        '{"torch":{"newest":"2"}}',
        '{"torch":{"newest":"2","why":"so","more":"so"}}',
        '{"torch":{"newest":2,"why":"so"}}',
        '{"torch":{"newest":"2","why":"so","days":true}}',
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(text, LOCK.packages)
    written = render_lock(LOCK)
    damaged = written.replace("  custom_metadata:\n", f"  custom_metadata:\n    envgen.older: '{text}'\n")
    assert damaged != written
    with pytest.raises(LockError, match=r"envgen\.older"):
        read_lock(damaged)


def test_facts_stay_while_the_version_does() -> None:
    assert kept(SYMPY, TORCH) == (SYMPY, TORCH)
    assert kept(replace(SYMPY, chosen="1.13.0"), TORCH) == (TORCH,)


def test_facts_go_with_the_line_where_the_spec_changed() -> None:
    other = replace(TORCH, line="torch")
    assert kept(other) == (other,)
    assert kept(other, SYMPY, TORCH, request=Sha256("0" * 64)) == (SYMPY, TORCH)
    named = replace(TORCH, line=None)
    assert kept(named, request=Sha256("0" * 64)) == ()


def test_what_is_told_now_wins() -> None:
    now = replace(SYMPY, newest="3.0")
    assert kept(SYMPY, told=(now,)) == (now,)


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("the wheel index at http://127.0.0.1:8/simple/ has no project `a`", "the wheel index has no project `a`"),
        ("`a @ https://files.test/a.zip` names a file", "`a @ ...` names a file"),
        ("`/home/somebody/a.whl` cannot be read", "`envgen lock --upgrade sympy` says why"),
    ],
)
def test_no_address_and_no_path_gets_into_a_lock(why: str, expected: str) -> None:
    (found,) = kept(told=(replace(SYMPY, why=why),))
    assert found.why == expected


def test_order_is_by_project() -> None:
    assert to_json((TORCH, SYMPY)) == to_json((SYMPY, TORCH))
    assert kept(told=(TORCH, SYMPY)) == (SYMPY, TORCH)
