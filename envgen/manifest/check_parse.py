"""Read the section `check:` of a spec: which findings of `envgen check` a project accepts, and why.

check:
  accept:
    OMP002: "torch is imported first"              # of every package
    CUDA002 torchvision: "its copy decodes JPEGs"  # of one package
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.checks import RULES
from envgen.manifest import values
from envgen.manifest.adjust_parse import parse_reasons
from envgen.manifest.document import BadValueError
from envgen.suggest import nearest

if TYPE_CHECKING:
    from envgen.manifest.document import Value


def parse_check(section: Value) -> dict[str, str]:
    """Parse `check: {accept: {RULE: "reason"}}`; faults go into the document."""
    return parse_reasons(section.fields(("accept",)).get("accept"), _entry)


def _entry(text: str) -> str:
    """Check a rule, or a rule and the name of a package."""
    rule, _space, package = text.partition(" ")
    if rule not in RULES:
        hint = nearest(rule, RULES) or "run `envgen check` for the identifiers of its findings"
        raise BadValueError(f"unknown rule `{rule}`", hint=hint)
    return f"{rule} {values.conda_name(package.strip().lower())}" if package else rule
