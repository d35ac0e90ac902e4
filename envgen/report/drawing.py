"""Where the nodes of the graph from the spec to the accelerator stack stand; SVG without a library."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.report.model import ReportedLink

SPEC = ""
"""Stands for the spec among the names of packages."""

_WIDTH, _HEIGHT = 190, 30
_GAP_X, _GAP_Y = 90, 14
_MARGIN = 8


class DrawnNode(Struct, frozen=True, kw_only=True):
    """A box: its package (`SPEC` for the spec), and its upper left corner in pixels."""

    name: str
    x: int
    y: int


class DrawnLink(Struct, frozen=True, kw_only=True):
    """A curve from one box to another: the data of an SVG path, and the requirement that it stands for."""

    path: str
    words: str


class Drawing(Struct, frozen=True, kw_only=True):
    """A graph in pixels."""

    width: int
    height: int
    nodes: tuple[DrawnNode, ...]
    links: tuple[DrawnLink, ...]
    node_width: int = _WIDTH
    node_height: int = _HEIGHT


def draw(links: Sequence[ReportedLink]) -> Drawing:
    """Place each package in a column by its distance from the spec, beside what it is required by."""
    levels = _levels(links)
    columns: dict[int, list[str]] = defaultdict(list)
    for name, level in levels.items():
        columns[level].append(name)
    tallest = max(map(len, columns.values()), default=1)
    places: dict[str, DrawnNode] = {}
    for level, names in sorted(columns.items()):
        top = (tallest - len(names)) * (_HEIGHT + _GAP_Y) // 2
        ordered = sorted(names, key=lambda name: (_mean(name, links, places), name))
        for row, name in enumerate(ordered):
            x, y = _MARGIN + level * (_WIDTH + _GAP_X), _MARGIN + top + row * (_HEIGHT + _GAP_Y)
            places[name] = DrawnNode(name=name, x=x, y=y)
    return Drawing(
        width=2 * _MARGIN + len(columns) * (_WIDTH + _GAP_X) - _GAP_X,
        height=2 * _MARGIN + tallest * (_HEIGHT + _GAP_Y) - _GAP_Y,
        nodes=tuple(places.values()),
        links=tuple(_curve(places[link.source or SPEC], places[link.target], link.words) for link in links),
    )


def _levels(links: Sequence[ReportedLink]) -> dict[str, int]:
    """Map each package to the number of requirements between it and the spec."""
    below: dict[str, list[str]] = defaultdict(list)
    for link in links:
        below[link.source or SPEC].append(link.target)
    levels, here = {SPEC: 0}, [SPEC]
    while here:
        here = list(dict.fromkeys(n for name in here for n in below[name] if n not in levels))
        depth = max(levels.values()) + 1
        levels |= dict.fromkeys(here, depth)
    return levels


def _mean(name: str, links: Sequence[ReportedLink], places: Mapping[str, DrawnNode]) -> float:
    """Return the mean height of what requires a package, so that few lines cross."""
    heights = [places[source].y for link in links if link.target == name and (source := link.source or SPEC) in places]
    return sum(heights) / len(heights) if heights else 0.0


def _curve(source: DrawnNode, target: DrawnNode, words: str) -> DrawnLink:
    x1, y1 = source.x + _WIDTH, source.y + _HEIGHT // 2
    x2, y2 = target.x, target.y + _HEIGHT // 2
    if x2 <= x1:  # within a column, or back: from the lower edge to the upper one
        x1, x2 = source.x + _WIDTH, target.x + _WIDTH
        return DrawnLink(path=f"M{x1} {y1}C{x1 + 40} {y1} {x2 + 40} {y2} {x2} {y2}", words=words)
    middle = (x1 + x2) // 2
    return DrawnLink(path=f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}", words=words)
