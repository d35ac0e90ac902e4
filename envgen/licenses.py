"""Licences: the many spellings of one, and whether a policy lets a package in.

A licence is an SPDX expression wherever a package's own words can be taken for one. What SPDX does not list is a
`LicenseRef-...` of the shipped table, which also says what such a licence allows; everything else is unknown.
"""

from __future__ import annotations

import re
import tomllib
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.errors import Fault, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN = re.compile(r"\(|\)|[^\s()]+")


class Terms(Struct, frozen=True, kw_only=True):
    """What a licence that SPDX does not list says about passing software on, in a line for people."""

    name: str
    redistribution: str


class LicenseTable(Struct, frozen=True, kw_only=True):
    """What ships about licences.

    Attributes:
        spellings: words of packages, lower case -> SPDX expression or `LicenseRef-...`.
        terms: `LicenseRef-...` -> what it says.
    """

    spellings: Mapping[str, str] = field(default_factory=dict)
    terms: Mapping[str, Terms] = field(default_factory=dict)

    @classmethod
    def from_toml(cls, text: str) -> LicenseTable:
        """Read a table from TOML: `[spellings]` and `[terms.<licence>]`.

        Raises:
            SpecError: the text is no such table.
        """
        try:
            document = tomllib.loads(text)
            return cls(
                spellings={spelling.lower(): found for spelling, found in document["spellings"].items()},
                terms={license_: Terms(**facts) for license_, facts in document["terms"].items()},
            )
        except (tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError) as error:
            raise SpecError((Fault(where="licence table", what=str(error)),)) from error

    def expression(self, text: str | None) -> str | None:
        """Return the SPDX expression of a package's own words; None where they are not known to mean one."""
        if not text or not text.strip():
            return None
        plain = " ".join(text.split())
        if found := self.spellings.get(plain.lower()):
            return found
        # takes 10 ms, for the list of all licences
        from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression  # noqa: PLC0415

        try:
            return canonicalize_license_expression(plain)
        except InvalidLicenseExpression:
            return None


class Judgement(StrEnum):
    """What a policy says about a package: `DENIED` is by name, `NOT_ALLOWED` what merely is not among the allowed."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "not allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


class LicensePolicy(Struct, frozen=True, kw_only=True):
    """What a project accepts.

    Attributes:
        allow: licences, `*` stands for any text; None allows all that is not denied.
        deny: licences, likewise; stronger than `allow`.
        packages: project or conda name -> its licence, where its own metadata does not say it.
    """

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)

    def judge(self, expression: str | None) -> Judgement:
        """Return whether a package under a licence may be used: one side of an OR is enough, an AND needs both.

        Without `allow` an unknown licence passes as `UNKNOWN`; with it what is not known is not allowed either, and
        the caller decides what `UNKNOWN` means.
        """
        if expression is None:
            return Judgement.UNKNOWN
        if evaluate(expression, self._accepts):
            return Judgement.ALLOWED
        return Judgement.NOT_ALLOWED if evaluate(expression, self._tolerates) else Judgement.DENIED

    def _tolerates(self, license_: str) -> bool:
        return not any(_matches(license_, pattern) for pattern in self.deny)

    def _accepts(self, license_: str) -> bool:
        is_listed = self.allow is None or any(_matches(license_, pattern) for pattern in self.allow)
        return is_listed and self._tolerates(license_)


def licenses_in(expression: str) -> tuple[str, ...]:
    """List the licences of an SPDX expression, each once, in its order; an exception stays with its licence."""
    found: list[str] = []

    def note(license_: str) -> bool:
        found.append(license_)
        return True

    evaluate(expression, note)
    return tuple(dict.fromkeys(found))


def evaluate(expression: str, accepts: Callable[[str], bool]) -> bool:
    """Evaluate an SPDX expression whose licences are true or false; every licence is asked about.

    `AND` binds stronger than `OR`; `GPL-2.0-only WITH Classpath-exception-2.0` is one licence. The expression is
    valid: `LicenseTable.expression` made it.
    """
    tokens = _TOKEN.findall(expression)[::-1]

    def alternatives() -> bool:
        value = conjunction()
        while tokens and tokens[-1].upper() == "OR":
            tokens.pop()
            other = conjunction()
            value = value or other
        return value

    def conjunction() -> bool:
        value = one()
        while tokens and tokens[-1].upper() == "AND":
            tokens.pop()
            other = one()
            value = value and other
        return value

    def one() -> bool:
        word = tokens.pop()
        if word == "(":
            value = alternatives()
            tokens.pop()
            return value
        if tokens and tokens[-1].upper() == "WITH":
            tokens.pop()
            word = f"{word} WITH {tokens.pop()}"
        return accepts(word)

    return alternatives()


def _matches(license_: str, pattern: str) -> bool:
    """Compare without regard to case; a licence with an exception is also matched by its own name."""
    plain = license_.partition(" WITH ")[0]
    return any(fnmatchcase(text.lower(), pattern.lower()) for text in (license_, plain))
