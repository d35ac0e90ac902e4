"""Laws of the plan of layers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from envgen.errors import UserError
from envgen.image.layer_plan import LARGE, LayerGroup, LayerPart, PlannedLayer, group
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

CAP = 100_000_000
BUDGET = 60

sizes = st.lists(st.integers(0, 30_000_000), min_size=1, max_size=8)
parts = st.dictionaries(
    st.text("abcdefgh-", min_size=1, max_size=6), st.tuples(st.sampled_from(LayerGroup), sizes), min_size=1, max_size=60
).map(lambda found: [_part(name, stage, some) for name, (stage, some) in found.items()])


def _part(name: str, stage: LayerGroup, some: Sequence[int]) -> LayerPart:
    return LayerPart(name=name, stage=stage, key="1", sizes={f"{name}/{n}": size for n, size in enumerate(some)})


def _planned(some: list[LayerPart]) -> tuple[PlannedLayer, ...]:
    try:
        return group(some, budget=BUDGET, cap=CAP)
    except UserError:
        assume(False)
        raise


def _paths(layer: PlannedLayer, some: list[LayerPart]) -> list[str]:
    by_name = {part.name: part for part in some}
    return [path for share in layer.shares for path in by_name[share.part].sizes if share.holds(path)]


@given(parts)
def test_every_file_is_in_one_layer(some: list[LayerPart]) -> None:
    found = Counter(path for layer in _planned(some) for path in _paths(layer, some))
    assert found == Counter(path for part in some for path in part.sizes)


@given(parts)
def test_no_limit_is_exceeded(some: list[LayerPart]) -> None:
    layers = _planned(some)
    everything = {path: size for part in some for path, size in part.sizes.items()}
    assert len(layers) <= BUDGET
    for layer in layers:
        assert sum(everything[path] for path in _paths(layer, some)) <= layer.size <= CAP


@given(parts)
def test_stages_are_in_order_and_keys_differ(some: list[LayerPart]) -> None:
    layers = _planned(some)
    assert [layer.stage for layer in layers] == sorted(layer.stage for layer in layers)
    assert len({layer.key for layer in layers}) == len(layers)


@given(parts, st.randoms(use_true_random=False))
def test_the_order_of_parts_makes_no_difference(some: list[LayerPart], random: st.DataObject) -> None:
    before = _planned(some)
    shuffled = list(some)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis's stand-in for `random.Random`
    assert _planned(shuffled) == before


@given(parts, st.data())
def test_a_part_that_changes_changes_its_own_layers(some: list[LayerPart], data: st.DataObject) -> None:
    before = _planned(some)
    number = data.draw(st.integers(0, len(some) - 1))
    changed = [replace(part, key="2") if at == number else part for at, part in enumerate(some)]
    after = _planned(changed)
    differ = [layer for layer in after if layer.key not in {layer.key for layer in before}]
    assert len(after) == len(before)
    assert all(some[number].name in {share.part for share in layer.shares} for layer in differ)


@given(parts, st.text("ijkl", min_size=1, max_size=6))
def test_a_small_part_that_comes_changes_one_layer(some: list[LayerPart], name: str) -> None:
    """Where there are as many layers as before: twice as many cohorts are another matter, and come once."""
    before = _planned(some)
    after = _planned([*some, _part(name, LayerGroup.REST, [LARGE // 10])])
    assume(len(after) == len(before))
    assert len({layer.key for layer in after} - {layer.key for layer in before}) == 1
