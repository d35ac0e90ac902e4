"""Who owns a path that several packages bring: a pure decision over what the packages declare.

Two packages with one file is where installers differ from run to run: the last one linked wins. Here the same bytes
at the same path belong to the first package by name, and the others are linked without that path (every
`nvidia-*-cu12` wheel brings an empty `nvidia/__init__.py`). Of different bytes, in this order:

1. the spec's `conflicts` say which package keeps its file;
2. among packages of channels the last in the order of linking keeps it, which is rattler's rule: the one that depends
   on the others, or else the first by name;
3. files that no import needs belong to the first package by name (see `UNIMPORTED`);
4. anything else is an error that names both packages and the way out.

A wheel's `RECORD` still lists a path that another package owns; nothing reads it in an environment whose packages conda
tools manage, except `pip uninstall`, which would then remove the owner's file.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.errors import ArtifactError
from envgen.names import project_name
from envgen.paths import folders_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

UNIMPORTED = re.compile(
    r"site-packages/(?:(?:tests?|docs?|examples?|benchmarks?|scripts?)/.+|[A-Z]+(?:\.(?:md|rst|txt))?)$"
)
"""Files that wheels put into site-packages by accident of packaging, and that no import of the project needs.

`tests/conftest.py` or `LICENSE` at the top of site-packages belongs to no project; pip lets the last one win. They go
to the first package by name whatever their bytes, and the linker says so.
"""


_SHOWN = 20
"""Faults that are told one by one: packages that hold a library each clash in hundreds of files."""


LINK = "link to "
"""How the content of a symbolic link begins."""


class Claim(Struct, frozen=True, kw_only=True):
    """One path that a package brings.

    Attributes:
        path: where it will stand, relative to the prefix, with forward slashes.
        content: equal for two claims exactly when linking them gives the same thing: a digest of the bytes with the
            placeholder that stands in them, or a link's target. None where it is not known, and taken for equal.
    """

    path: str
    content: str | None

    @property
    def link(self) -> str | None:
        """Return the target of a symbolic link; None for other files."""
        return self.content.removeprefix(LINK) if self.content and self.content.startswith(LINK) else None


class Claims(Struct, frozen=True, kw_only=True):
    """All paths of one package.

    Attributes:
        package: its conda name.
        claims: its paths.
        project: its name on the wheel index, where it comes from there.
        channel: whether it comes from a conda channel.
    """

    package: str
    claims: Sequence[Claim]
    project: str | None = None
    channel: bool = False

    def is_called(self, name: str) -> bool:
        """Return whether a name of the spec means this package."""
        wanted = project_name(name)
        return wanted in {project_name(own) for own in (self.package, self.project) if own}


class ClobberRules(Struct, frozen=True, kw_only=True):
    """What decides about different bytes.

    Attributes:
        fold_case: whether the target's file system takes `A` and `a` for one name (macOS, Windows).
        conflicts: path or pattern -> package that keeps its file, as the spec has it.
        order: returns names of packages in rattler's order of linking; asked for only where it matters.
    """

    fold_case: bool
    conflicts: Mapping[str, str] = field(default_factory=dict)
    order: Callable[[], Sequence[str]] = tuple


class Kept(Struct, frozen=True, kw_only=True):
    """Whose file stays at a path, and who brings another one."""

    path: str
    owner: str
    others: tuple[str, ...]


class Ownership(Struct, frozen=True, kw_only=True):
    """The decision.

    Attributes:
        clobbered: package -> paths of it that another package owns.
        conflicting: paths that were given to one of several packages although their bytes differ (see `UNIMPORTED`).
        kept: paths that packages of channels bring with different bytes.
        unused: entries of `conflicts` that decided nothing.
    """

    clobbered: Mapping[str, frozenset[str]]
    conflicting: tuple[str, ...]
    kept: tuple[Kept, ...] = ()
    unused: tuple[str, ...] = ()


def decide(packages: Iterable[Claims], rules: ClobberRules) -> Ownership:
    """Assign each path to one package.

    Args:
        packages: no two of one name; their order does not matter.
        rules: what decides about different bytes.

    Raises:
        ArtifactError: different bytes for one path that no rule gives to one package, a file where another package
            needs a folder, or two spellings of one path where case does not count.
    """
    decision = _Decision(sorted(packages, key=lambda claims: claims.package), rules)
    if decision.faults:
        shown = sorted(decision.faults)
        more = [f"and {len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
        raise ArtifactError("\n".join([*shown[:_SHOWN], *more]), hint=_way_out(decision))
    return decision.ownership()


def unused_conflict(key: str) -> str:
    """Return the note on an entry of `conflicts` that decides nothing."""
    return f"`conflicts.{key}` has no effect: no two packages contain different files there"


_Claimed = dict[str, list[tuple[Claims, str | None]]]
"""path -> package and content of each that brings it, in the order of the packages."""


class _Decision:
    """A decision in the making; `faults` is what stands against it, in words, and `open` the paths it is about."""

    def __init__(self, packages: Sequence[Claims], rules: ClobberRules) -> None:
        self.packages = packages
        self.rules = rules
        self.open: list[str] = []
        self._clobbered: dict[str, set[str]] = defaultdict(set)
        self._conflicting: list[str] = []
        self._kept: list[Kept] = []
        self._unused = dict.fromkeys(rules.conflicts)
        self._ranks: Mapping[str, int] | None = None
        self.claimed = _claimed(packages)
        self.faults = [
            *_file_and_folder(self.claimed, fold_case=rules.fold_case),
            *(_spellings(self.claimed) if rules.fold_case else ()),
        ]
        for path, claimants in self.claimed.items():
            if len(claimants) > 1:
                self._settle(path, claimants)

    def ownership(self) -> Ownership:
        return Ownership(
            clobbered={name: frozenset(paths) for name, paths in self._clobbered.items()},
            conflicting=tuple(sorted(self._conflicting)),
            kept=tuple(sorted(self._kept, key=lambda kept: kept.path)),
            unused=tuple(self._unused),
        )

    def _settle(self, path: str, claimants: list[tuple[Claims, str | None]]) -> None:
        owner = claimants[0][0]
        if len({content for _claims, content in claimants if content is not None}) > 1:
            found = self._owner(path, [claims for claims, _content in claimants])
            if found is None:
                self.open.append(path)
                self.faults.append(_difference(path, claimants))
                return
            owner = found
        for claims, _content in claimants:
            if claims is not owner:
                self._clobbered[claims.package].add(path)

    def _owner(self, path: str, claimants: list[Claims]) -> Claims | None:
        """Choose among packages whose bytes differ; None where no rule does."""
        if named := self._named(path, claimants):
            return named
        if all(claims.channel for claims in claimants):
            last = max(claimants, key=lambda claims: self._rank(claims.package))
            others = tuple(claims.package for claims in claimants if claims is not last)
            self._kept.append(Kept(path=path, owner=last.package, others=others))
            return last
        if UNIMPORTED.search(path):
            self._conflicting.append(path)
            return claimants[0]
        return None

    def _named(self, path: str, claimants: list[Claims]) -> Claims | None:
        """Choose by `conflicts`: an entry with the path itself counts before patterns, which count in their order."""
        conflicts = self.rules.conflicts
        keys = [path] if path in conflicts else []
        for key in [*keys, *(key for key in conflicts if key != path and fnmatchcase(path, key))]:
            if named := next((claims for claims in claimants if claims.is_called(conflicts[key])), None):
                self._unused.pop(key, None)
                return named
        return None

    def _rank(self, package: str) -> int:
        if self._ranks is None:
            self._ranks = {name: place for place, name in enumerate(self.rules.order())}
        return self._ranks.get(package, -1)


def _way_out(decision: _Decision) -> str:
    """Return what can be written into the spec; offered only if it settles everything."""
    proposed = dict(_proposals(decision))
    rules = decision.rules
    tried = ClobberRules(fold_case=rules.fold_case, conflicts={**rules.conflicts, **proposed}, order=rules.order)
    if decision.open and not _Decision(decision.packages, tried).faults:
        lines = ", ".join(f"{_quoted(path)}: {package}" for path, package in proposed.items())
        return f"`conflicts: {{{lines}}}` in the spec keeps the files of that package"
    return "these packages cannot be in one environment: remove one, or pin versions that do not conflict"


def _proposals(decision: _Decision) -> Iterator[tuple[str, str]]:
    """Name for each path one package that may keep it, or for many paths those folders that hold them."""
    few = len(decision.open) <= 3  # noqa: PLR2004  what one reads in a line
    for path in sorted(decision.open):
        first = decision.claimed[path][0][0]
        yield path if few else f"{path.rpartition('/')[0]}/*".lstrip("/"), first.project or first.package


def _quoted(path: str) -> str:
    return f'"{path}"'


def _claimed(packages: Iterable[Claims]) -> _Claimed:
    found: _Claimed = {}
    for claims in packages:
        for claim in claims.claims:
            claimants = found.setdefault(claim.path, [])
            if claimants and claimants[-1][0] is claims:
                raise ArtifactError(f"package `{claims.package}` lists the path `{claim.path}` twice")
            claimants.append((claims, claim.content))
    return found


def _difference(path: str, claimants: list[tuple[Claims, str | None]]) -> str:
    (owner, content), *others = [claimant for claimant in claimants if claimant[1] is not None]
    other, second = next(claimant for claimant in others if claimant[1] != content)
    names = f"packages `{owner.package}` and `{other.package}`"
    return f"{names} both contain `{path}`, with different content: {content} and {second}"


def _file_and_folder(claimed: _Claimed, *, fold_case: bool) -> Iterable[str]:
    paths = {_folded(path): path for path in claimed} if fold_case else {path: path for path in claimed}
    folders = folders_of(paths)
    for folded in sorted(paths.keys() & folders.keys()):
        path, below = paths[folded], paths[folders[folded]]
        yield (
            f"package `{claimed[path][0][0].package}` contains `{path}` as a file, "
            f"package `{claimed[below][0][0].package}` needs it as a folder for `{below}`"
        )


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _spellings(claimed: _Claimed) -> Iterable[str]:
    seen: dict[str, str] = {}
    for path in sorted(claimed):
        first = seen.setdefault(_folded(path), path)
        if first != path:
            yield (
                f"packages `{claimed[first][0][0].package}` and `{claimed[path][0][0].package}` contain `{first}` and "
                f"`{path}`, which are one file on a case-insensitive file system"
            )
