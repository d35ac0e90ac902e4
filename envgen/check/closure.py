"""What the loader finds of the libraries that files need, and whether it has the symbol versions they want."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from envgen.check.loader import STANDARD, Where, is_of_programs, is_of_system, leading, locate
from envgen.checks import Misfit, several

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.check.binary import Binary
    from envgen.check.subject import Part, Subject

    _Missing = dict[str, list[Binary]]

_EXTENSION = re.compile(r"\.(?:cpython-\w+(?:-[\w-]+)?|abi3(?:-[\w-]+)?)\.so")
"""End of the name of a file that only `import` opens."""

_RENAMED = re.compile(r"-[0-9a-f]{8}\.so")
"""Digest of the library that auditwheel copied: two with one name differ in their search paths alone."""

_MANY = 20
"""Names of libraries in one message."""

_DEBIAN = {
    "libGL.so.1": "libgl1",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libatomic.so.1": "libatomic1",
    "libexpat.so.1": "libexpat1",
    "libgcc_s.so.1": "libgcc-s1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libnsl.so.1": "libc6",
    "libstdc++.so.6": "libstdc++6",
    "libxcb.so.1": "libxcb1",
    "libz.so.1": "zlib1g",
}
"""Library that packages expect of a system -> the package of Debian 12 that has it."""


def check_closure(subject: Subject) -> Iterator[Misfit]:
    """Yield which needed libraries are found nowhere, or only on the system.

    Nothing is missing as long as a package was not read: it may bring the library.
    """
    missing: dict[str, _Missing] = defaultdict(lambda: defaultdict(list))
    outside: _Missing = defaultdict(list)
    off_path: dict[str, set[str]] = defaultdict(set)
    for binary in subject.binaries.values():
        for name in binary.needed:
            where, _found = locate(subject, binary, name)
            if where is Where.NOWHERE and _is_in_image(subject, name):
                outside[name].append(binary)
            elif where is Where.NOWHERE:
                missing[subject.owner(binary).name][name].append(binary)
            elif where is Where.SYSTEM and not is_of_system(name):
                outside[name].append(binary)
            elif where is Where.LOADED and binary.program:
                off_path[subject.owner(binary).name].add(binary.path)
    for package, libraries in missing.items() if subject.is_complete else ():
        yield from _missing(subject, subject.parts[package], libraries)
    yield from _not_in_image(subject, outside)
    if outside:
        yield _outside(subject, outside)
    if off_path:
        yield _off_path(off_path)


def check_versions(subject: Subject) -> Iterator[Misfit]:
    """Yield which libraries of the environment lack symbol versions that others want of them."""
    for binary in subject.binaries.values():
        for name, wanted in binary.wants.items():
            where, found = locate(subject, binary, name)
            if where is not Where.FOUND or found is None or not found.defines:
                continue
            if lacking := [version for version in wanted if version not in found.defines]:
                owner = subject.owner(found).name
                yield Misfit(
                    rule="LIB005",
                    packages=(subject.owner(binary).name, owner),
                    files=(binary.path, found.path),
                    what=f"`{binary.name}` needs {several(lacking)} of `{name}`, not defined by that of `{owner}`",
                    remedy=f"pin a version of `{owner}` that defines it",
                )


def check_order(subject: Subject) -> Iterator[Misfit]:
    """Yield libraries of which files that meet in a process find different ones under one name."""
    for name, needers in sorted(subject.needers.items()):
        if _RENAMED.search(name) or len(subject.providers.get(name, ())) < 2:  # noqa: PLR2004  one cannot be confused
            continue
        got: dict[str, list[Binary]] = defaultdict(list)
        for binary in needers:
            where, found = locate(subject, binary, name)
            if where is Where.FOUND and found and not is_of_programs(subject, binary):
                got[found.content or found.path].append(binary)
        if len(got) > 1:
            first = [binaries[0] for binaries in got.values()]
            packages = [subject.owner(binary).name for binary in first]
            yield Misfit(
                rule="LIB004",
                packages=tuple(dict.fromkeys(packages)),
                files=tuple(binary.path for binary in first),
                what=f"{several(packages)} find different files as `{name}`: the package imported first "
                "decides which one both get",
            )


def _missing(subject: Subject, part: Part, libraries: Mapping[str, list[Binary]]) -> Iterator[Misfit]:
    """Distinguish a package that cannot be used from one of which a part cannot be loaded."""
    lost = {one.path for found in libraries.values() for b in found for one in (b, *leading(subject, b))}
    binaries = part.files.binaries if part.files else ()
    started = [binary for binary in binaries if binary.program or _EXTENSION.search(binary.name)]
    if all(binary.path in lost for binary in started or binaries):
        rule = "LIB001"
    else:
        rule = "LIB008" if any(binary.path in lost for binary in started) else "LIB002"
    lacking = list({b.path: b for found in libraries.values() for b in found}.values())
    yield Misfit(
        rule=rule,
        packages=(part.name,),
        files=tuple(binary.path for binary in lacking),
        what=f"{several(b.name for b in lacking)} of `{part.name}`: "
        f"{several(libraries)} not in the environment, and not among what every system has",
        remedy=_brings(subject, libraries),
    )


def missing_in_image(subject: Subject) -> Mapping[str, tuple[Binary, ...]]:
    """Return what neither the environment nor the base of the image has: library -> the files that need it."""
    if subject.base is None:
        return {}
    return {
        name: needers
        for name, needers in sorted(subject.needers.items())
        if not (subject.providers.get(name) or is_of_system(name) or _is_in_image(subject, name))
    }


def package_of(subject: Subject, library: str) -> str | None:
    """Return the package of Debian that brings a library; None where none is known."""
    return next(iter(_debian(subject, library)), None)


def _debian(subject: Subject, name: str) -> tuple[str, ...]:
    """Return which packages of Debian have a library; that of Debian 12 where nobody has looked."""
    known = subject.base.packages(name) if subject.base else ()
    return known or tuple(filter(None, (_DEBIAN.get(name),)))


def _brings(subject: Subject, names: Mapping[str, object]) -> str | None:
    """Return what brings the libraries: Debian packages, in an image by the spec."""
    packages = dict.fromkeys(found[0] for name in names if (found := _debian(subject, name)))
    if not all(_debian(subject, name) for name in names):
        return None
    if subject.base is None:
        return f"install {several(packages)} (Debian) on the machines"
    return f"`image: {{base: {{packages: [{', '.join(packages)}]}}}}` adds it to the image, then `envgen lock`"


def _is_in_image(subject: Subject, name: str) -> bool:
    return subject.base is not None and not subject.base.versions.keys().isdisjoint(_debian(subject, name))


def _not_in_image(subject: Subject, outside: _Missing) -> Iterator[Misfit]:
    if subject.base is None:
        return
    for name, binaries in sorted(outside.items()):
        package = package_of(subject, name)
        if name in STANDARD and package and not _is_in_image(subject, name):
            yield Misfit(
                rule="LIB006",
                packages=tuple(dict.fromkeys(subject.owner(b).name for b in binaries)),
                files=tuple(b.path for b in binaries),
                what=f"{several(b.name for b in binaries)} needs `{name}`, which no Debian package of the image has",
                remedy=f"`image: {{base: {{packages: [{package}]}}}}`, then `envgen lock`",
            )


def _outside(subject: Subject, outside: _Missing) -> Misfit:
    binaries = list({b.path: b for found in outside.values() for b in found}.values())
    packages = tuple(sorted({subject.owner(b).name for b in binaries}))
    return Misfit(
        rule="LIB007",
        packages=packages,
        files=tuple(b.path for b in binaries),
        what=f"{several(sorted(outside), most=_MANY)} must be on the system, for {several(packages)}",
    )


def _off_path(programs: Mapping[str, set[str]]) -> Misfit:
    return Misfit(
        rule="LIB003",
        packages=tuple(sorted(programs)),
        files=tuple(sorted(path for paths in programs.values() for path in paths)),
        what=f"programs of {several(sorted(programs))} find libraries of the environment by LD_LIBRARY_PATH only",
    )
