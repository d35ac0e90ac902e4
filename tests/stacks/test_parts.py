"""The parts of this suite that need no network: its list, its comparison and its table."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envgen.manifest.parse import parse_spec
from tests.stacks.comparison import compare, parse_pins, surprises
from tests.stacks.stack import CUTOFF, FILE, Size, Stack, read_stacks
from tests.stacks.table import markdown

STACKS = read_stacks(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_set_is_a_spec_of_the_same_day_and_requirements(stack: Stack) -> None:
    spec = parse_spec(f"name: {stack.name}\n{stack.spec()}", source=f"environments/{stack.name}.yaml")
    assert spec.exclude_newer == CUTOFF
    assert spec.pypi == tuple(map(Requirement, stack.requirements))
    assert tuple(map(str, spec.targets)) == stack.platforms


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_set_that_is_created_is_imported(stack: Stack) -> None:
    assert bool(stack.imports) is stack.created


def test_dozen_of_the_real_tests() -> None:
    dozen = [stack for stack in STACKS if stack.ci]
    assert len(dozen) == 12
    assert all(stack.needs_source or stack.size is Size.SMALL for stack in dozen)


def test_unknown_key_is_refused() -> None:
    with pytest.raises(TypeError, match="stack `a` has unknown keys: import"):
        read_stacks("a: {pypi: [b], size: small, import: [b]}")


def test_comparison_is_of_public_versions_and_of_both_sides() -> None:
    spam, eggs, ham, kept = map(canonicalize_name, ("spam", "eggs", "ham", "kept"))
    ours = {spam: "1.0", eggs: "2.0", kept: "1.0+cpu"}
    found = compare(ours, {spam: "1.1", ham: "3", kept: "1.0"})
    assert found.equal == 1
    assert found.words() == "spam 1.0 vs 1.1, eggs 2.0 vs -, ham - vs 3"


def test_comparison_lists_eight_differences() -> None:
    names = [canonicalize_name(f"spam{number}") for number in range(11)]
    assert compare(dict.fromkeys(names, "1"), dict.fromkeys(names, "2")).words().endswith("spam6 1 vs 2, 3 more")


def test_surprises_are_what_has_no_reason_and_reasons_without_effect() -> None:
    spam, eggs, ham = map(canonicalize_name, ("spam", "eggs", "ham"))
    x86 = compare({spam: "1", eggs: "1", ham: "1"}, {spam: "2", eggs: "2", ham: "1"})
    arm = compare({ham: "1"}, {ham: "1"})
    found = {"linux-64": x86, "linux-aarch64": arm}
    assert surprises(found, {spam: "a reason", ham: "another"}) == [
        "linux-64: eggs 1 vs 2",
        "ham is equal to uv: remove it from `deviations`",
    ]


def test_pins_of_uv() -> None:
    assert parse_pins("Spam_Eggs==1.0\nham[a]==2.0+cu128 ; python_version >= '3'\n") == {
        "spam-eggs": "1.0",
        "ham": "2.0+cu128",
    }


def test_table_has_a_row_for_each_set_and_platform() -> None:
    cells = [("b", "linux-64", "packages", "3"), ("a", "linux-64", "imports", "1 of 2, not x|y")]
    rows = markdown([*cells, ("b", "linux-64", "created", "yes")]).splitlines()[2:]
    assert rows == [
        r"| a | linux-64 |  |  |  |  |  |  | 1 of 2, not x\|y |",
        "| b | linux-64 | 3 |  |  |  | yes |  |  |",
    ]
