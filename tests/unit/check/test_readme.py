"""The table of rules in the README is the one in the code."""

from __future__ import annotations

import re
from pathlib import Path

import envgen
from envgen.checks import RULES

README = Path(envgen.__file__).parent / "check/README.md"


def test_every_rule_is_in_the_readme() -> None:
    rows = [line for line in README.read_text().splitlines() if re.match(r"\| [A-Z]+\d{3} ", line)]
    assert rows == [f"| {rule} | {severity} | {title} |" for rule, (severity, title) in sorted(RULES.items())]
