from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from debian.deb822 import Deb822

from envgen.debs import DebianArea
from envgen.digest import Sha256
from envgen.errors import UnsatisfiableError
from envgen.sources.debian_closure import DebianClosure, close
from envgen.sources.debian_index import DebianCandidate, parse_candidate

if TYPE_CHECKING:
    from envgen.debs import Deb

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "debian_closure.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Listed:
    """Offers what a case lists, kept packages first."""

    offered: tuple[DebianCandidate, ...]

    def candidates(self, name: str) -> list[DebianCandidate]:
        return [c for c in self.offered if c.deb.name == name]

    def providers(self, name: str) -> list[DebianCandidate]:
        return [c for c in self.offered if name in c.provides]


def candidate(label: str, relations: dict[str, str]) -> DebianCandidate:
    name, _, version = label.partition("=")
    fields = {
        "Package": name,
        "Version": version,
        "Architecture": "all",
        "Filename": f"pool/main/x/{name}_{version}_all.deb",
        "SHA256": Sha256.of(label.encode()),
        "Size": "1",
        **relations,
    }
    return parse_candidate(Deb822(fields), archive=DebianArea.DEBIAN)


def label(deb: Deb) -> str:
    return f"{deb.name}={deb.version}"


def solve(case: dict[str, Any]) -> DebianClosure:
    keep = {text: candidate(text, {}).deb for text in case.get("keep", ())}
    offered = [candidate(text, relations) for text, relations in case["offers"].items()]
    offered.sort(key=lambda c: label(c.deb) not in keep)
    return close(case["ask"], offers=Listed(tuple(offered)), exclude=case.get("exclude", ()), keep=tuple(keep.values()))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["what"]) for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    if "fails" in case:
        with pytest.raises(UnsatisfiableError) as caught:
            solve(case)
        assert case["fails"] in caught.value.message
        return
    found = solve(case)
    assert [label(deb) for deb in found.debs] == case["closure"]
    assert [f"{label(r.old)} {label(r.new)}" for r in found.replaced] == case.get("replaced", [])
