"""PEP 440 versions and specifiers in conda's words, without changing what they mean.

conda's order differs from PEP 440's in four places, and the mapping is made of the answers to them:

* Trailing zeros count once letters follow: conda holds `1rc1` for less than `1.0rc1`. So a version with a suffix is
  written with at least three release numbers and no further zeros: both become `1.0.0rc1`. A final release keeps its
  text, for there conda ignores trailing zeros as PEP 440 does.
* `1.0.0.dev1` is more than `1.0.0a1` for conda, `1.0.0dev1` is less. So a dev release of a plain release loses its
  point.
* `1.0+cu128` is less than `1.0` for conda. So the local part is dropped; a wheel's build string holds it.
* `1.0.0.post1` is more than `1.0.0.0.1` for conda. No spelling changes that and leaves the other versions in order, so
  a release with a zero after the third number and another number behind it (`has_inner_zero`) can come out on the wrong
  side of a post-release. `solve.order` checks the versions that a project really has.

Specifiers become bounds in that order. `V.dev0`, the least version that PEP 440 knows of a release, is written
without any trailing zero in a bound (`<2dev0`): so it also holds for the versions of a conda channel, which are
written as their authors pleased (`2.0rc1`).

Sources: https://packaging.python.org/en/latest/specifications/version-specifiers/ and conda's `VersionOrder`.
"""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envgen import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.specifiers import Specifier

_LARGEST = 2**64 - 1
"""The largest number that rattler reads in a version."""

_SHOWN = 3
"""Release numbers of a version with a suffix, at least: most projects write three, so their text does not change."""

_NUMBERS = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})*")
_PLAIN_BOUND = re.compile(rf">=(?P<least>{_NUMBERS.pattern})|(?P<first>{_NUMBERS.pattern})\.\*|")

_OPERATORS = ("===", "==", "~=", ">=", ">", "<=", "<", "!=")


class InexpressibleError(ValueError):
    """conda has no words that mean exactly this; what needs it cannot be used."""


def is_plainly_met(bound: str, version: str) -> bool:
    """Return whether a version is surely in a MatchSpec's bound: none, `>=1.2` or `1.2.*`, all of them of numbers.

    False says nothing: the bound has another form, or does not hold.
    """
    found = _PLAIN_BOUND.fullmatch(bound)
    if not (found and (not bound or _NUMBERS.fullmatch(version))):
        return False
    if first := found["first"]:
        numbers = _numbers(first)
        return _numbers(version)[: len(numbers)] == numbers
    return not bound or _without_zeros(_numbers(version)) >= _without_zeros(_numbers(found["least"]))


def parse_version(text: str) -> Version:
    """Read a version.

    Raises:
        InexpressibleError: PEP 440 knows no such version; a wheel cannot have it.
    """
    if len(text) > limits.VERSION:
        raise InexpressibleError(f"a version of {len(text)} characters, expected at most {limits.VERSION}")
    try:
        return Version(text)
    except ValueError as error:  # InvalidVersion, or a number of more digits than Python reads
        raise InexpressibleError(f"`{text}` is not a PEP 440 version") from error


def conda_version(version: Version) -> str:
    """Write a version such that conda's order of the texts is PEP 440's order of the versions.

    Versions that PEP 440 holds for equal become texts that conda holds for equal. The local part is dropped. The one
    pair that comes out wrong is a version with an inner zero and a post-release of what stands before the zero.

    Raises:
        InexpressibleError: a number in it is too large for conda.
    """
    release = _trimmed(version)
    _check(version, release)
    if version.pre is None and version.post is None and version.dev is None:
        return version.public
    suffix = version.public.removeprefix(version.base_version)
    if version.pre is None and version.post is None:
        suffix = suffix.removeprefix(".")
    return _release(version.epoch, _padded(release)) + suffix


def has_inner_zero(version: Version) -> bool:
    """Return whether a zero after the third release number has another number behind it: `13.3.5.0.6`.

    conda puts such a version below the post-releases of `13.3.5`, PEP 440 above them.
    """
    return len(version.release) > _SHOWN + 1 and 0 in _trimmed(version)[_SHOWN:]


def conda_spec(specifiers: SpecifierSet) -> str:
    """Write specifiers as the version part of a MatchSpec; the empty text stands for any version.

    It holds for the `conda_version` of exactly those versions that the specifiers contain when pre-releases are not
    left out, inner zeros excepted (`solve.order.spec_among`). Two things no MatchSpec can ask for: a local part, and
    the spelling that `===` is about. They are passed over here, and `is_exact` tells so: whoever offers wheels then
    leaves out those that the specifiers themselves do not contain, and no channel can meet such a requirement.

    Raises:
        InexpressibleError: conda has no words for one of the specifiers.
    """
    return _conda_spec(str(specifiers))


@lru_cache(maxsize=1 << 14)  # releases of a project repeat the specifiers of their requirements
def _conda_spec(text: str) -> str:
    specifiers = SpecifierSet(text)
    gaps = [_family(s) for s in specifiers if s.operator == "!=" and s.version.endswith(".*")]
    rest = [s for s in specifiers if not (s.operator == "!=" and s.version.endswith(".*"))]
    rest.sort(key=lambda s: (_OPERATORS.index(s.operator), s.version))
    clauses = [*map(_alternatives, rest), _outside(gaps)]
    return "|".join(",".join(filter(None, parts)) for parts in itertools.product(*clauses))


def is_exact(specifiers: SpecifierSet) -> bool:
    """Return whether `conda_spec` leaves nothing out: no specifier has a local part or is `===`."""
    return not any(s.operator == "===" or "+" in s.version for s in specifiers)


def _alternatives(specifier: Specifier) -> tuple[str, ...]:
    """Write one specifier, `!=V.*` excepted; it holds where any of the texts holds."""
    if specifier.operator in ("==", "===") and not specifier.version.endswith(".*"):
        return tuple(f"=={spelling}" for spelling in _spellings(parse_version(specifier.version)))
    return (_clause(specifier),)


def _clause(specifier: Specifier) -> str:
    if specifier.version.endswith(".*"):
        return _between(*_family(specifier))
    version = parse_version(specifier.version)
    match specifier.operator:
        case "!=":
            # Only wheels with that local part are excluded, which is not for a version to say.
            return "" if version.local else ",".join(f"!={spelling}" for spelling in _spellings(version))
        case "~=":
            return f">={conda_version(version)},<{_floor(_after(version, version.release[:-1]))}"
        case ">":
            return _above(version)
        case "<":
            return f"<{_first(version)}"
        case operator:
            return f"{operator}{conda_version(version)}"


def _above(version: Version) -> str:
    """Write `>V`, which excludes the post-releases of V unless V is one."""
    if version.post is not None or version.dev is not None:
        return f">{conda_version(version)}"
    if version.pre is not None:
        kind, number = version.pre
        return f">={conda_version(Version(f'{version.base_version}{kind}{number + 1}.dev0'))}"
    release = _padded(_trimmed(version))
    return f">={_floor(Version(f'{_release(version.epoch, (*release, 1))}.dev0'))}"


def _first(version: Version) -> str:
    """Write the end of `<V`, which excludes the pre-releases of V unless V is one."""
    if version.is_prerelease:
        return conda_version(version)
    earliest = Version(f"{version.public}.dev0")
    return conda_version(earliest) if version.post is not None else _floor(earliest)


def _family(specifier: Specifier) -> tuple[Version, Version]:
    """Read `==V.*`: the least version of the family, and the least above it."""
    version = parse_version(specifier.version.removesuffix(".*"))
    return Version(f"{version.base_version}.dev0"), _after(version, version.release)


def _outside(gaps: Iterable[tuple[Version, Version]]) -> tuple[str, ...]:
    """Write what remains between the gaps; gaps that overlap or touch are one."""
    merged: list[tuple[Version, Version]] = []
    for low, high in sorted(gaps):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    edges = [None, *itertools.chain.from_iterable(merged), None]
    return tuple(map(_between, edges[::2], edges[1::2]))


def _between(low: Version | None, high: Version | None) -> str:
    bounds = [f"{operator}{_floor(edge)}" for operator, edge in ((">=", low), ("<", high)) if edge is not None]
    return ",".join(bounds)


def _spellings(version: Version) -> tuple[str, ...]:
    """Write a version our way, and as its author did: a channel has that."""
    return tuple(dict.fromkeys((conda_version(version), version.public)))


def _after(version: Version, release: tuple[int, ...]) -> Version:
    """Return the least version above all that begin with `release`: `1.2` gives `1.3.dev0`."""
    return Version(f"{_release(version.epoch, (*release[:-1], release[-1] + 1))}.dev0")


def _floor(version: Version) -> str:
    """Write `V.dev0` as a bound that is below every spelling of every version of the release V."""
    release = _trimmed(version)
    _check(version, release)
    return f"{_release(version.epoch, release)}dev0"


def _trimmed(version: Version) -> tuple[int, ...]:
    return _without_zeros(version.release)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _without_zeros(release: tuple[int, ...]) -> tuple[int, ...]:
    """Leave out zeros at the end, which mean nothing; the first number stays."""
    kept = list(release)
    while len(kept) > 1 and not kept[-1]:
        kept.pop()
    return tuple(kept)


def _padded(release: tuple[int, ...]) -> tuple[int, ...]:
    return release + (0,) * (_SHOWN - len(release))


def _release(epoch: int, release: tuple[int, ...]) -> str:
    return (f"{epoch}!" if epoch else "") + ".".join(map(str, release))


def _check(version: Version, release: tuple[int, ...]) -> None:
    numbers = (version.epoch, *release, version.pre and version.pre[1], version.post, version.dev)
    if any(number is not None and number > _LARGEST for number in numbers):
        raise InexpressibleError(f"conda cannot read `{version}`: a number in it is larger than {_LARGEST}")
