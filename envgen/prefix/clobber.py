"""Who owns a path that several packages bring: a pure decision over what the packages declare.

Two packages with one file is where installers differ from run to run: the last one linked wins. Here the same bytes
at the same path belong to the first package by name, and the others are linked without that path (every
`nvidia-*-cu12` wheel brings an empty `nvidia/__init__.py`). Different bytes are an error that names both packages.

A wheel's `RECORD` still lists a path that its package lost; nothing reads it in an environment whose packages conda
tools manage, except `pip uninstall`, which would then remove the owner's file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STRAY = re.compile(r"site-packages/(?:(?:tests?|docs?|examples?|benchmarks?|scripts?)/.+|[A-Z]+(?:\.(?:md|rst|txt))?)$")
"""Files that wheels put into site-packages by accident of packaging, and that no import of the project needs.

`tests/conftest.py` or `LICENSE` at the top of site-packages belongs to no project; pip lets the last one win. They go
to the first package by name whatever their bytes, and the linker says so.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One path that a package brings.

    Attributes:
        path: where it will stand, relative to the prefix, with forward slashes.
        content: equal for two claims exactly when linking them gives the same thing: a digest of the bytes with the
            placeholder that stands in them, or a link's target.
    """

    path: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """All paths of one package."""

    package: str
    claims: Sequence[Claim]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The decision.

    Attributes:
        lost: package -> paths of it that another package owns.
        stray: paths that were given to one of several packages although their bytes differ (see `STRAY`).
    """

    lost: Mapping[str, frozenset[str]]
    stray: tuple[str, ...]


def decide(packages: Iterable[Claims], *, fold_case: bool) -> Ownership:
    """Give each path to one package.

    Args:
        packages: no two of one name; their order does not matter.
        fold_case: whether the target's file system takes `A` and `a` for one name (macOS, Windows).

    Raises:
        ArtifactError: different bytes for one path, a file where another package needs a folder, or two spellings
            of one path where case does not count.
    """
    ordered = sorted(packages, key=lambda claims: claims.package)
    claimed = _claimed(ordered)
    faults = [*_file_and_folder(claimed), *(_spellings(claimed) if fold_case else ())]
    lost: dict[str, set[str]] = defaultdict(set)
    stray = []
    for path, claimants in claimed.items():
        if len(claimants) == 1:
            continue
        if len({content for _package, content in claimants}) > 1:
            if not STRAY.search(path):
                faults.append(_difference(path, claimants))
                continue
            stray.append(path)
        for package, _content in claimants[1:]:
            lost[package].add(path)
    if faults:
        raise ArtifactError(
            "\n".join(sorted(faults)),
            hint="these packages cannot be in one environment: leave one out, or pin versions that do not clash",
        )
    return Ownership(lost={name: frozenset(paths) for name, paths in lost.items()}, stray=tuple(sorted(stray)))


_Claimed = dict[str, list[tuple[str, str]]]
"""path -> (package, content) of each that brings it, in the order of the packages."""


def _claimed(packages: Iterable[Claims]) -> _Claimed:
    found: _Claimed = {}
    for claims in packages:
        for claim in claims.claims:
            claimants = found.setdefault(claim.path, [])
            if claimants and claimants[-1][0] == claims.package:
                raise ArtifactError(f"package `{claims.package}` lists the path `{claim.path}` twice")
            claimants.append((claims.package, claim.content))
    return found


def _difference(path: str, claimants: list[tuple[str, str]]) -> str:
    (owner, content), *others = claimants
    other, second = next(claimant for claimant in others if claimant[1] != content)
    return f"packages `{owner}` and `{other}` both bring `{path}`, with different bytes: {content} and {second}"


def _file_and_folder(claimed: _Claimed) -> Iterable[str]:
    folders: dict[str, str] = {}
    for path in claimed:
        parent = path.rpartition("/")[0]
        while parent and parent not in folders:
            folders[parent] = path
            parent = parent.rpartition("/")[0]
    for path in claimed.keys() & folders.keys():
        below = folders[path]
        yield (
            f"package `{claimed[path][0][0]}` brings `{path}` as a file, "
            f"package `{claimed[below][0][0]}` needs it as a folder for `{below}`"
        )


def _spellings(claimed: _Claimed) -> Iterable[str]:
    seen: dict[str, str] = {}
    for path in sorted(claimed):
        first = seen.setdefault(path.casefold(), path)
        if first != path:
            yield (
                f"packages `{claimed[first][0][0]}` and `{claimed[path][0][0]}` bring `{first}` and `{path}`, "
                "one name on a file system that ignores case"
            )
