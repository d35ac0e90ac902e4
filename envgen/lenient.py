"""Requirements and specifiers in the spellings that tools accepted before 2023: published files still have them.

Nothing is guessed: every spelling here has one meaning, and uv reads each of them in the same way. What the standard
allows is never changed.

| written | read as |
|---|---|
| `>=3.6.*`, `<3.4.*` | `>=3.6`, `<3.4` |
| `!=3.0*` | `!=3.0.*` |
| `!=~5.0` | `!=5.0.*` |
| `>=7.2.0<8.0.0` | `>=7.2.0,<8.0.0` |
| `>=3.6,` in a requirement | `>=3.6` |
| `>=9.0.0a1.0` | `>=9.0.0a1` |
| `>dev` | `>0.0.0.dev0` |
| `>= '2.7'`, `>=3.6'` | `>=2.7`, `>=3.6` |

Sources: https://github.com/astral-sh/uv/issues/408, and https://peps.python.org/pep-0440/ for what is never changed.
"""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

_SEPARATOR = re.compile(r",|(?<=\d)(?=[<>=~]|!=)")
"""What stands between clauses: a comma, or nothing after a digit."""

_CLAUSE = re.compile(r"(?P<operator>===|~=|!=~|[<>=!]=|[<>])\s*(?P<version>[\w.+*!-]+)")
_REQUIREMENT = re.compile(r"(?P<asked>[\w.-]+ ?(?:\[[^\]]*\])?) ?(?P<specifiers>[(<>=!~].*)")
_SUFFIX_ZERO = re.compile(r"(?<=[a-z])(\d+)\.0$")
_QUOTES = str.maketrans("", "", "\"'")

_LONGEST = 4300
"""Digits of a number that Python reads; `packaging` raises a bare ValueError for more, some of it only in use."""

_SHOWN = 40
"""Characters of a text with such a number that an error shows."""


def parse_specifiers(text: str) -> SpecifierSet:
    """Read specifiers of versions.

    Raises:
        InvalidSpecifier: neither the standard nor a known old spelling gives them a meaning.
    """
    if _has_long_number(text):
        raise InvalidSpecifier(f"{text[:_SHOWN]!r}... has a number with more than {_LONGEST} digits")
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        try:
            return SpecifierSet(_respelled(text))
        except InvalidSpecifier:
            raise error from None


def parse_requirement(text: str) -> Requirement:
    """Read a requirement; its marker must be as the standard has it.

    Raises:
        InvalidRequirement: neither the standard nor a known old spelling gives it a meaning.
    """
    if _has_long_number(text):
        raise InvalidRequirement(f"{text[:_SHOWN]!r}... has a number with more than {_LONGEST} digits")
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        head, semicolon, marker = text.partition(";")
        found = _REQUIREMENT.fullmatch(" ".join(head.translate(_QUOTES).split()))
        if not found:
            raise
        try:
            return Requirement(f"{found['asked']}{_respelled(found['specifiers'])}{semicolon}{marker}")
        except InvalidRequirement:
            raise error from None


def _has_long_number(text: str) -> bool:
    return len(text) > _LONGEST and any(len(number) > _LONGEST for number in re.findall(r"\d+", text))


def _respelled(text: str) -> str:
    """Write specifiers as the standard has them; what is not a clause stays as it is."""
    bare = text.translate(_QUOTES).strip()
    if bare.startswith("(") and bare.endswith(")"):
        bare = bare[1:-1]
    parts = (part.strip() for part in _SEPARATOR.split(bare))
    clauses = [(part, _CLAUSE.fullmatch(part)) for part in parts if part]
    return ",".join(_clause(found["operator"], found["version"]) if found else part for part, found in clauses)


def _clause(operator: str, version: str) -> str:
    if operator == "!=~":
        return f"!={version.removesuffix('.*')}.*"
    if version == "dev" and operator == ">":
        return ">0.0.0.dev0"
    if not version.endswith("*"):
        return operator + _SUFFIX_ZERO.sub(r"\1", version)
    release = version.rstrip(".*")
    return f"{operator}{release}" if operator in ("<", "<=", ">", ">=") else f"{operator}{release}.*"
