from __future__ import annotations

import pytest

from envgen.errors import SpecError
from envgen.licenses import Judgement, LicensePolicy, LicenseTable, Terms, evaluate, licenses_in
from envgen.project.shipped import license_table

TABLE = LicenseTable(
    spellings={"mit license": "MIT", "bsd": "LicenseRef-BSD"},
    terms={"LicenseRef-BSD": Terms(name="a BSD licence", redistribution="yes")},
)


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        ("MIT", "MIT"),
        ("mit  License", "MIT"),
        ("apache-2.0 or mit", "Apache-2.0 OR MIT"),
        ("BSD", "LicenseRef-BSD"),
        ("LicenseRef-Mine", "LicenseRef-Mine"),
        ("see LICENSE", None),
        (" ", None),
        (None, None),
    ],
)
def test_words_become_an_expression(words: str | None, expression: str | None) -> None:
    assert TABLE.expression(words) == expression


def test_shipped_table_holds_expressions_and_terms() -> None:
    table = license_table()
    for spelling, found in table.spellings.items():
        assert LicenseTable().expression(found) == found, spelling
    assert table.expression("NVIDIA Proprietary Software") in table.terms
    assert table.expression("Intel Simplified Software License") in table.terms


@pytest.mark.parametrize("text", ["= 1", "[spellings]", "spellings = []\n[terms]", "[spellings]\n[terms.x]\na = 1"])
def test_bad_table(text: str) -> None:
    with pytest.raises(SpecError, match="licence table"):
        LicenseTable.from_toml(text)


@pytest.mark.parametrize(
    ("expression", "true", "value"),
    [
        ("MIT", {"MIT"}, True),
        ("MIT OR GPL-3.0-only", {"MIT"}, True),
        ("MIT AND GPL-3.0-only", {"MIT"}, False),
        ("MIT OR ISC AND GPL-3.0-only", {"MIT"}, True),
        ("(MIT OR ISC) AND GPL-3.0-only", {"MIT"}, False),
        ("(MIT OR ISC) AND 0BSD", {"ISC", "0BSD"}, True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", {"GPL-2.0-only WITH Classpath-exception-2.0"}, True),
    ],
)
def test_evaluate(expression: str, true: set[str], value: bool) -> None:
    assert evaluate(expression, lambda license_: license_ in true) is value


def test_licenses_in() -> None:
    assert licenses_in("MIT AND (ISC OR MIT)") == ("MIT", "ISC")


@pytest.mark.parametrize(
    ("policy", "expression", "judgement"),
    [
        (LicensePolicy(), "GPL-3.0-only", Judgement.ALLOWED),
        (LicensePolicy(deny=("GPL-*", "AGPL-*")), "GPL-3.0-only", Judgement.DENIED),
        (LicensePolicy(deny=("GPL-*",)), "GPL-2.0-only WITH Classpath-exception-2.0", Judgement.DENIED),
        (LicensePolicy(deny=("GPL-*",)), "LGPL-3.0-only", Judgement.ALLOWED),
        (LicensePolicy(deny=("GPL-*",)), "GPL-3.0-only OR MIT", Judgement.ALLOWED),
        (LicensePolicy(allow=("mit", "LicenseRef-NVIDIA-*")), "MIT", Judgement.ALLOWED),
        (LicensePolicy(allow=("MIT",)), "MIT AND ISC", Judgement.NOT_ALLOWED),
        (LicensePolicy(allow=("MIT",), deny=("ISC",)), "0BSD OR ISC", Judgement.NOT_ALLOWED),
        (LicensePolicy(allow=("MIT",), deny=("ISC",)), "MIT AND ISC", Judgement.DENIED),
        (LicensePolicy(allow=("*",), deny=("ISC",)), "ISC", Judgement.DENIED),
        (LicensePolicy(allow=()), "MIT", Judgement.NOT_ALLOWED),
        (LicensePolicy(allow=("MIT",)), None, Judgement.UNKNOWN),
    ],
)
def test_judge(policy: LicensePolicy, expression: str | None, judgement: Judgement) -> None:
    assert policy.judge(expression) is judgement
