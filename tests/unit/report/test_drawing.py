"""The graph: a column for each distance from the spec."""

from __future__ import annotations

from envgen.report.drawing import SPEC, draw
from envgen.report.model import ReportedLink


def link(source: str | None, target: str) -> ReportedLink:
    return ReportedLink(source=source, target=target, words=f"{target}==1")


def test_packages_stand_right_of_what_requires_them() -> None:
    drawing = draw((link(None, "vision"), link("vision", "torch"), link(None, "torch"), link("torch", "cudnn")))
    x = {node.name: node.x for node in drawing.nodes}
    assert x[SPEC] < x["torch"] == x["vision"] < x["cudnn"]
    assert len({(node.x, node.y) for node in drawing.nodes}) == 4
    assert all(node.x + drawing.node_width <= drawing.width for node in drawing.nodes)
    assert all(node.y + drawing.node_height <= drawing.height for node in drawing.nodes)
    assert [one.words for one in drawing.links] == ["vision==1", "torch==1", "torch==1", "cudnn==1"]


def test_a_cycle_ends() -> None:
    assert len(draw((link(None, "a"), link("a", "b"), link("b", "a"))).nodes) == 3


def test_nothing_but_the_spec() -> None:
    assert [node.name for node in draw(()).nodes] == [SPEC]
