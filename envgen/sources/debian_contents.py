"""`Contents`: which Debian package has a file. Of its million lines, those of shared libraries are kept.

Format: https://wiki.debian.org/DebianRepository/Format#A.22Contents.22_indices: a path, spaces, and the packages that
have it, each after its section and a slash, with commas between.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from envgen.inflate import Inflated
    from envgen.system.store import Store

_FOLDERS = rb"(?:usr/)?lib(?:/[\w.-]+-linux-gnu[\w.]*)?"
"""Where the dynamic loader looks without being told."""

_LINE = re.compile(rb"^" + _FOLDERS + rb"/([^\s/]+\.so(?:\.[\w.]+)?)[ \t]+(\S+)$", re.MULTILINE)

_DEVELOPMENT = re.compile(r"-(?:dev|dbg|dbgsym|cross)$")
"""End of the name of a package that is not there to run programs."""

_KIND = "debian-libraries-1"
"""Kind of what is kept in a store by suite and architecture."""

_BLOCK = 1 << 20
"""Bytes that are searched at once."""


def condense_contents(stream: BinaryIO | Inflated) -> bytes:
    """Return the lines of a `Contents` file that `parse_libraries` reads: a library, and its packages; sorted."""
    found: dict[bytes, set[bytes]] = defaultdict(set)
    for name, packages in _lines(stream):  # one name may be in several folders
        found[name].update(package.rpartition(b"/")[2] for package in packages.split(b","))
    return b"".join(b"%s %s\n" % (name, b",".join(sorted(found[name]))) for name in sorted(found))


def parse_libraries(condensed: Iterable[bytes]) -> Mapping[str, tuple[str, ...]]:
    """Read what `condense_contents` wrote of several suites: file name of a library -> packages that have it.

    The most likely comes first: those that are there to run programs, then by length of the name.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for text in condensed:
        for line in text.decode().splitlines():
            name, _space, packages = line.partition(" ")
            found[name].update(packages.split(","))
    return {name: tuple(sorted(packages, key=_likelihood)) for name, packages in found.items()}


def _likelihood(package: str) -> tuple[bool, int, str]:
    return _DEVELOPMENT.search(package) is not None, len(package), package


def keep_libraries(store: Store, condensed: Mapping[str, bytes], architecture: str) -> None:
    """Keep what suites have in a store, under the names of the suites."""
    for suite, text in condensed.items():
        store.put(_KIND, f"{suite}-{architecture}", text)


def kept_libraries(store: Store, suites: Iterable[str], architecture: str) -> Mapping[str, tuple[str, ...]]:
    """Return which packages have a library, as far as a store has it: file name -> names of packages."""
    found = (store.cached(_KIND, f"{suite}-{architecture}") for suite in suites)
    return parse_libraries(text for text in found if text)


def _lines(stream: BinaryIO | Inflated) -> Iterator[tuple[bytes, bytes]]:
    rest = b""
    while block := stream.read(_BLOCK):
        whole, _newline, rest = (rest + block).rpartition(b"\n")
        yield from _LINE.findall(whole)
    yield from _LINE.findall(rest)
