from __future__ import annotations

from itertools import groupby

from envgen.solve.conflicts import Propagation, RequirementGraph, suspects
from envgen.solve.encode import Offer
from envgen.solve.spec_requirements import Line
from tests.unit.solve.fakes import conda_record

Offers = dict[str, tuple[Offer, ...]]


def offers(*packages: str) -> Offers:
    """Offer `name version: requirement; requirement`."""
    found = []
    for text in packages:
        head, _, rest = text.partition(":")
        name, version = head.split()
        depends = [part.strip() for part in rest.split(";") if part.strip()]
        record = conda_record(name, version, *depends)
        found.append(Offer(record=record, origin=record))
    return {name: tuple(group) for name, group in groupby(found, key=lambda offer: offer.name)}


def propagation(content: Offers, *specs: str) -> Propagation:
    return Propagation(RequirementGraph(content, [Line(text=spec, specs=(spec,)) for spec in specs]))


def alive(found: Propagation) -> dict[str, list[str]]:
    return {name: [str(offer.record.version) for offer in left] for name, left in found.alive.items()}


def test_what_must_be_narrows_what_can_be() -> None:
    content = offers("a 2: c >=2", "a 1: c <2", "b 1: c <2", "c 3", "c 2", "c 1")
    found = propagation(content, "a", "b")
    assert found.wiped is None
    assert alive(found) == {"a": ["1"], "b": ["1"], "c": ["1"]}


def test_what_cannot_be_reached_plays_no_part() -> None:
    content = offers("a 1: b", "b 1", "c 1: nothing")
    assert alive(propagation(content, "a")) == {"a": ["1"], "b": ["1"]}


def test_a_conflict_names_what_could_give_way_nearest_first() -> None:
    content = offers("top 1: middle ==1", "middle 1: base ==1", "base 1", "base 2", "other 1: base ==2")
    found = propagation(content, "other", "top")
    assert found.wiped == "middle"
    assert found.culprits()[:2] == [{"middle"}, {"other"}]
    assert suspects(found.graph)[-1] == set(), "records of a channel have no older wheels"


def test_a_requirement_on_nothing_wipes_out_who_has_it() -> None:
    found = propagation(offers("a 1: b", "b 1: __cuda >=12"), "a")
    assert found.wiped is not None
    (reason,) = {edge.spec for edge in found.why.values() if edge.name == "__cuda"}
    assert reason == "__cuda >=12"


def test_the_way_from_the_spec_to_a_requirement() -> None:
    content = offers("a 1: b >=1", "b 1: c", "c 1")
    graph = RequirementGraph(content, [Line(text="a", specs=("a",))])
    last = graph.edges[content["b"][0]][0]
    assert [(edge.source, edge.spec) for edge in graph.chain(last)] == [("a", "a"), ("a", "b >=1"), ("b", "c")]
