from __future__ import annotations

from itertools import product

import pytest
from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

from envgen.solve.allowed import Order

_TEXTS = [
    *(
        f"{release}{suffix}"
        for release, suffix in product(
            ("0.9", "1", "1.0.0.1", "1.1", "1.1.2", "2"),
            ("", ".dev0", "a1", "rc1", "rc1.dev1", "rc1.post1", ".post1", ".post1.dev0", "+cpu", ".post1+cu128"),
        )
    ),
    "1!0.5",
    "1!1.1",
]
_PUBLIC = [text for text in _TEXTS if "+" not in text]
_CLAUSES = [
    *(f"{operator}{text}" for operator, text in product(("<", "<=", ">", ">="), _PUBLIC)),
    *(f"{operator}{text}" for operator, text in product(("==", "!=", "==="), _TEXTS)),
    *(f"~={text}" for text in _PUBLIC if "." in Version(text).base_version),
    *(f"{operator}{text}.*" for operator, text in product(("==", "!="), ("0", "1", "1.0", "1.1", "1.1.2", "3", "1!0"))),
    ">=1,<2",
    ">=1.1a1,!=1.1.*,!=2rc1",
    "~=1.0,==1.1.*",
    "",
]
_ORDER = Order(sorted(map(Version, _TEXTS), reverse=True))


@pytest.mark.parametrize("text", _CLAUSES)
def test_the_versions_are_those_that_the_specifiers_contain(text: str) -> None:
    specifiers = SpecifierSet(text)
    found = [version for at, version in enumerate(_ORDER.versions) if _ORDER.allowing(specifiers).bits >> at & 1]
    assert found == [version for version in _ORDER.versions if specifiers.contains(version, prereleases=True)]


def test_few_versions_of_many_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    order, compared = Order([Version(f"1.{minor}") for minor in range(2000, 0, -1)]), list[Version]()
    contains = Specifier.contains

    def noted(clause: Specifier, version: Version, *, prereleases: bool) -> bool:
        compared.append(version)
        return contains(clause, version, prereleases=prereleases)

    monkeypatch.setattr(Specifier, "contains", noted)
    assert order.allowing(SpecifierSet(">=1.700,<1.900")).bits.bit_count() == 200
    assert len(compared) < 50
