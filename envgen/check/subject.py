"""What is checked: the packages of one lock with the facts of their files, as the loader of the target sees them."""

from __future__ import annotations

import functools
import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.check.binary import Binary, PackageFiles
    from envgen.packages import Package
    from envgen.platforms import Target

MACHINES = {"linux-64": 62, "linux-aarch64": 183}
"""Platform -> `e_machine` of what its loader takes."""


class Part(Struct, frozen=True, kw_only=True):
    """One package of what is checked.

    Attributes:
        name: as the environment calls it.
        package: as it is locked.
        files: facts of its files; None where the store does not have the package.
        lost: paths of it that another package owns.
    """

    name: str
    package: Package
    files: PackageFiles | None = None
    lost: frozenset[str] = frozenset()

    @property
    def shown(self) -> str:
        """Name and version."""
        return f"{self.name} {self.package.version}"


class Base(Struct, frozen=True, kw_only=True):
    """The Debian packages below an image.

    Attributes:
        versions: name -> version.
        libraries: file name of a library -> packages of the suites that have it, the most likely first, as far as
            that is known.
    """

    versions: Mapping[str, str]
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def packages(self, library: str) -> tuple[str, ...]:
        """Return which packages have a library, the most likely first; none where that is not known."""
        return self.libraries.get(library, ())


class PathClaims(Struct, frozen=True, kw_only=True):
    """What came of paths that several packages have.

    Attributes:
        clash: why the packages cannot be linked, or None.
        way_out: what would let them.
        kept: path -> packages that have different files there; the first one's is kept.
    """

    clash: str | None = None
    way_out: str | None = None
    kept: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Subject(Struct, frozen=True, kw_only=True, dict=True):  # `dict` keeps what is derived
    """Everything that rules look at.

    Attributes:
        target: what the lock was made for.
        parts: packages by name, sorted.
        base: of the image, None where the spec has none.
        scripts: package -> link scripts of it, which are not run.
        claims: what came of paths that several packages have.
        lacking: package -> file -> symbols that it wants of torch and that torch does not define.
    """

    target: Target
    parts: Mapping[str, Part]
    base: Base | None = None
    scripts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    claims: PathClaims = field(default_factory=PathClaims)
    lacking: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Return whether the files of every package are known."""
        return all(part.files is not None for part in self.parts.values())

    @functools.cached_property
    def binaries(self) -> Mapping[str, Binary]:
        """Return every file that the target's loader may load, by path."""
        machine = MACHINES.get(self.target.platform)
        return {b.path: b for _part, b in self._own() if b.machine == machine}

    @functools.cached_property
    def foreign(self) -> tuple[Binary, ...]:
        """Return the files for other processors."""
        machine = MACHINES.get(self.target.platform)
        return tuple(b for _part, b in self._own() if b.machine != machine)

    @functools.cached_property
    def owners(self) -> Mapping[str, Part]:
        """Return path -> package, of every ELF file."""
        return {binary.path: part for part, binary in self._own()}

    @functools.cached_property
    def places(self) -> Mapping[str, str]:
        """Return every path at which a library can be opened -> the file that is there, links followed."""
        links = {
            path: target
            for part in self.parts.values()
            for path, target in (part.files.links if part.files else {}).items()
            if path not in part.lost
        }
        ends = {path: _followed(path, links) for path in links}
        opened = {path: end for path, end in ends.items() if end in self.binaries}
        return {**opened, **{path: path for path in self.binaries}}

    @functools.cached_property
    def providers(self) -> Mapping[str, tuple[Binary, ...]]:
        """Return what a library is asked for by -> the files that answer to it, by name or by SONAME."""
        found: dict[str, dict[str, Binary]] = defaultdict(dict)
        for binary in self.binaries.values():
            if not binary.program:
                found[binary.called][binary.path] = binary
        for path, target in self.places.items():
            found[posixpath.basename(path)].setdefault(target, self.binaries[target])
        return {name: tuple(files.values()) for name, files in found.items()}

    @functools.cached_property
    def needers(self) -> Mapping[str, tuple[Binary, ...]]:
        """Return name of a library -> the files that need it."""
        found: dict[str, list[Binary]] = defaultdict(list)
        for binary in self.binaries.values():
            for name in binary.needed:
                found[name].append(binary)
        return {name: tuple(files) for name, files in found.items()}

    def owner(self, binary: Binary) -> Part:
        """Return the package of a file."""
        return self.owners[binary.path]

    def _own(self) -> Iterator[tuple[Part, Binary]]:
        for part in self.parts.values():
            for binary in part.files.binaries if part.files else ():
                if binary.path not in part.lost:
                    yield part, binary


def _followed(path: str, links: Mapping[str, str]) -> str:
    for _step in range(40):  # as many links as Linux follows (MAXSYMLINKS)
        if path not in links:
            return path
        path = links[path]
    return ""
