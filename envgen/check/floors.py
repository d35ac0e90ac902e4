"""What files ask of the machine: glibc, the C++ runtime, the level of the processor."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from envgen.check.loader import Where, locate
from envgen.checks import Misfit, several
from envgen.glibc import C_LIBRARIES, NO_GLIBC, Glibc, glibc_of
from envgen.platforms import DEFAULT_GLIBC, X86_64_LEVELS, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.check.binary import Binary
    from envgen.check.subject import Subject

_RUNTIME = "libstdc++.so.6"
_CXX = re.compile(r"(GLIBCXX|CXXABI)_(\d+(?:\.\d+)+)")

_OF_SYSTEMS = {
    (2, 17): {"GLIBCXX": (3, 4, 19), "CXXABI": (1, 3, 7)},
    (2, 24): {"GLIBCXX": (3, 4, 22), "CXXABI": (1, 3, 10)},
    (2, 27): {"GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11)},
    (2, 31): {"GLIBCXX": (3, 4, 28), "CXXABI": (1, 3, 12)},
    (2, 34): {"GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13)},
    (2, 35): {"GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13)},
    (2, 39): {"GLIBCXX": (3, 4, 33), "CXXABI": (1, 3, 15)},
}
"""glibc -> what libstdc++ has on every distribution with it: `manylinux-policy.json` of auditwheel 6.8."""

_LIBC6 = re.compile(r"(?:\d+:)?(\d+)\.(\d+)")


def check_glibc(subject: Subject) -> Iterator[Misfit]:
    """Yield which packages need a newer glibc than the spec promises, or the image has."""
    platform = subject.target.platform
    for limit, whose, is_of_spec in _limits(subject):
        over: dict[str, list[tuple[Glibc, Binary]]] = defaultdict(list)
        for binary in subject.binaries.values():
            needed = _newest_glibc(binary)
            if needed > limit:
                over[subject.owner(binary).name].append((needed, binary))
        for package, found in over.items():
            newest = dotted(max(glibc for glibc, _binary in found))
            yield Misfit(
                rule="GLIBC001",
                packages=(package,),
                files=tuple(binary.path for _glibc, binary in found),
                what=f"{several(b.name for _g, b in found)} of `{package}` need glibc {newest}, "
                f"expected {dotted(limit)} or older, {whose}",
                remedy=f'`platforms: {{{platform}: {{glibc: "{newest}"}}}}` where all machines have it'
                if is_of_spec
                else None,
            )


def check_cxx(subject: Subject) -> Iterator[Misfit]:
    """Yield which packages need a newer C++ runtime than the oldest system that the spec allows has."""
    floor = subject.target.glibc or DEFAULT_GLIBC
    there = _OF_SYSTEMS[max((glibc for glibc in _OF_SYSTEMS if glibc <= floor), default=min(_OF_SYSTEMS))]
    over: dict[str, list[tuple[str, Binary]]] = defaultdict(list)
    for binary in subject.binaries.values():
        wanted = [v for v in binary.wants.get(_RUNTIME, ()) if _is_newer(v, there)]
        if wanted and locate(subject, binary, _RUNTIME)[0] is Where.SYSTEM:
            over[subject.owner(binary).name].append((wanted[-1], binary))
    for package, found in over.items():
        yield Misfit(
            rule="GLIBC002",
            packages=(package,),
            files=tuple(binary.path for _version, binary in found),
            what=f"{several(b.name for _v, b in found)} of `{package}` need {several(v for v, _b in found)} of "
            f"`{_RUNTIME}`; systems with glibc {dotted(floor)} have GLIBCXX_{_numbers(there['GLIBCXX'])}",
        )


def check_level(subject: Subject) -> Iterator[Misfit]:
    """Yield which files the loader refuses on a processor that the spec allows."""
    if subject.target.platform != "linux-64":
        return
    known = {name: level for level, name in enumerate(X86_64_LEVELS, 1)}
    allowed = known.get(subject.target.archspec or X86_64_LEVELS[0])
    if allowed is None:
        return  # a single processor such as `zen4`: which level it has is not for us to say
    over: dict[str, list[Binary]] = defaultdict(list)
    for binary in subject.binaries.values():
        if binary.level > allowed:
            over[subject.owner(binary).name].append(binary)
    for package, found in over.items():
        level = X86_64_LEVELS[max(b.level for b in found) - 1]
        yield Misfit(
            rule="ISA001",
            packages=(package,),
            files=tuple(b.path for b in found),
            what=f"{several(b.name for b in found)} of `{package}` are refused by processors below {level}, "
            f"expected {X86_64_LEVELS[allowed - 1]}",
            remedy=f"`platforms: {{linux-64: {{archspec: {level}}}}}` where all machines have it",
        )


def _limits(subject: Subject) -> Iterator[tuple[Glibc, str, bool]]:
    """Yield what glibc may be needed, who says so, and whether that is the spec."""
    floor = subject.target.glibc or DEFAULT_GLIBC
    yield floor, f"as `platforms.{subject.target.platform}.glibc` says", True
    match = _LIBC6.match(subject.base.versions.get("libc6", "")) if subject.base else None
    if match and (int(match[1]), int(match[2])) < floor:
        yield (int(match[1]), int(match[2])), "the version of the image's `libc6`", False


def _newest_glibc(binary: Binary) -> Glibc:
    versions = [v for name, wanted in binary.wants.items() if C_LIBRARIES.fullmatch(name) for v in wanted]
    return max((glibc_of(version) for version in versions), default=NO_GLIBC)


def _is_newer(version: str, there: Mapping[str, tuple[int, ...]]) -> bool:
    match = _CXX.fullmatch(version)
    return bool(match and tuple(map(int, match[2].split("."))) > there[match[1]])


def _numbers(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
