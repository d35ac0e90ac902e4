"""Which wheels of a project can be chosen for a target, newest first: a pure function of a page and a few rules.

Most of a page is never looked at: versions are ordered once, files are judged when a version is in question.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from envgen.lenient import parse_specifiers
from envgen.metadata import ANY_PATCH
from envgen.solve.allowed import Allowed, Order
from envgen.solve.order import misplaced
from envgen.structs import replace
from envgen.versions import has_inner_zero
from envgen.wheels import TagOrder

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from envgen.digest import Sha256
    from envgen.platforms import Target
    from envgen.solve.task import IndexFile, IndexPage

    _Test = Callable[[IndexFile], bool]


class Reason(StrEnum):
    """Why no wheel of a version can be chosen."""

    NO_DIGEST = "the index has no sha256 for it"
    TOO_NEW = "it was uploaded after `exclude-newer`"
    NO_UPLOAD_TIME = "the index has no upload time for it, which `exclude-newer` needs"
    YANKED = "it was yanked"
    UNREADABLE = "its `Requires-Python` cannot be parsed"
    PYTHON = "it does not run on this Python"
    INTERPRETER = "it has no wheel for this Python"
    PLATFORM = "it has no wheel for the platform"
    PRERELEASE = "it is a pre-release"
    SDIST = "it has only a source archive"
    UNUSABLE = "its metadata or its version cannot be used"


class Rules(Struct, frozen=True, kw_only=True):
    """What decides on files besides their project: one object for all projects of a solve.

    Attributes:
        tags: which wheels run on the target, and which is best.
        platforms: platform tags of the target.
        pythons: the full version of Python; where it is not known yet, the first and a last one of its minor.
        exclude_newer: moment after which uploads are ignored.
        sources: let a source archive stand for a version that has no wheel for the target: what would be chosen if
            envgen could build all of them.
    """

    tags: TagOrder
    platforms: frozenset[str]
    pythons: tuple[str, ...]
    exclude_newer: dt.datetime | None
    sources: bool = False

    @classmethod
    def of(cls, target: Target, *, python: str | None, exclude_newer: dt.datetime | None) -> Rules:
        """Derive the rules of a target."""
        pythons = (python,) if python else tuple(f"{target.python}.{patch}" for patch in ANY_PATCH)
        return cls(
            tags=TagOrder.of(target),
            platforms=frozenset(tag.platform for tag in target.wheel_tags()),
            pythons=pythons,
            exclude_newer=exclude_newer,
        )


class Rejection(Struct, frozen=True, kw_only=True):
    """Why no wheel of a version can be chosen.

    Attributes:
        reason: which test its last files failed.
        detail: what those files say of it: platform tags, Requires-Python, moments, or what is wrong.
    """

    reason: Reason
    detail: str = ""


class Listing:
    """One project as a target sees it.

    Attributes:
        exists: whether the index has the project at all.
        versions: every version that has a wheel of whatever kind, newest first.
        unusable: versions whose metadata turned out to be of no use, or that conda sorts wrongly, and why.

    Args:
        page: of the index; None where it has no such project.
        rules: of the target.
        required: what the spec itself demands of the project, all of it: nothing else is ever offered.
        kept: digest of the wheel that an old lock holds: among wheels of one version it wins.
        locked: version of that wheel: it may be chosen though it is a pre-release.
    """

    def __init__(
        self,
        page: IndexPage | None,
        rules: Rules,
        *,
        required: Sequence[SpecifierSet] = (),
        kept: Sha256 | None = None,
        locked: Version | None = None,
    ) -> None:
        self.exists = page is not None
        self.unusable: dict[Version, str] = {}
        self._page = page
        self._rules = rules
        self._kept = kept
        self._demands = tuple(required)
        self._locked = locked
        wheels = tuple(page.versions) if page else ()
        self._texts = _ordered(wheels)
        self._order = _order(wheels, page.sdists if page and rules.sources else frozenset())
        self.versions = self._order.versions
        self._judged: dict[tuple[Version, bool], IndexFile | Rejection] = {}
        self._newest: dict[Allowed, Version | None] = {}
        self._required = self.allowing(SpecifierSet(",".join(filter(None, map(str, required)))))
        stable = sum(1 << at for at, version in enumerate(self.versions) if not version.is_prerelease)
        held = 1 << self.versions.index(locked) if locked in self.versions else 0
        self._without_prereleases = Allowed(stable | held, prereleases=False, pinned=False)
        self._prereleases = not stable or self._required.prereleases
        self._leave_out_misplaced(locked)

    @cached_property
    def _archives(self) -> Mapping[Version, Sequence[str]]:
        return _ordered(self._page.sdists if self._page else frozenset())

    @property
    def sdists(self) -> tuple[Version, ...]:
        """Versions of which there is a source archive and no wheel, newest first."""
        return tuple(version for version in self._archives if version not in self._texts)

    def with_sources(self) -> Listing:
        """Return the listing as it would be if a source archive could stand for a wheel."""
        if not self.unusable and (self._rules.sources or not self._archives):
            return self
        rules = replace(self._rules, sources=True)
        return Listing(self._page, rules, required=self._demands, kept=self._kept, locked=self._locked)

    def newest_has_source_only(self, specifiers: SpecifierSet) -> bool:
        """Return whether the newest release that is allowed has a source archive and no wheel, where none is built."""
        if self._rules.sources:
            return False
        every = self.with_sources()
        newest = every.newest(every.allowing(specifiers))
        return newest is not None and newest in self.sdists

    def allowing(self, specifiers: SpecifierSet) -> Allowed:
        """Return what specifiers allow, pre-releases too."""
        return self._order.allowing(specifiers)

    def newest(self, allowed: Allowed) -> Version | None:
        """Find the newest usable version among those that are allowed, see `matching`."""
        if allowed not in self._newest:
            self._newest[allowed] = next(self.matching(allowed), None)
        return self._newest[allowed]

    def matching(self, allowed: Allowed) -> Iterator[Version]:
        """Yield every version that is allowed, by the spec too, and that has a usable wheel, newest first.

        Pre-releases, but for a locked one, come only if the spec or, where nothing stable fits, a specifier mentions
        one, or if the project has nothing else. A source archive stands in only where no newer version has a wheel.
        """
        wanted = allowed & self._required
        found = False
        for version in self._usable(wanted if self._prereleases else wanted & self._without_prereleases):
            found = True
            yield version
        if not found and not self._prereleases and wanted.prereleases:
            yield from self._usable(wanted)

    def newer(self, than: Version, specifiers: SpecifierSet) -> Version | None:
        """Find the newest stable release that specifiers allow, whatever the spec demands, if it is newer than one."""
        found = (v for v in self.versions if not v.is_prerelease and specifiers.contains(v) and v not in self.unusable)
        newest = next((v for v in found if not isinstance(self.file(v), Rejection)), None)
        return newest if newest is not None and newest > than else None

    def refuse(self, version: Version, why: str) -> None:
        """Exclude a version from later offers, for the reason given."""
        self.unusable[version] = why
        self._newest.clear()

    def file(self, version: Version, *, pinned: bool = False) -> IndexFile | Rejection:
        """Choose the wheel of a version; a yanked one counts only where the version is `pinned`, or as what is kept."""
        key = (version, pinned)
        if key not in self._judged:
            self._judged[key] = self._judge(version, pinned=pinned)
        return self._judged[key]

    def has_limits_above(self, version: Version) -> bool:
        """Return whether newer versions than one may be there that envgen cannot use; without, there are none."""
        return any(other > version for other in (*self.unusable, *islice(self._archives, 1)))

    def blocked(self, allowed: Allowed, *, above: Version | None = None) -> dict[Version, Rejection]:
        """Return of every version that is allowed, by the spec too, why it cannot be chosen; newest first.

        Args:
            allowed: versions.
            above: judge newer ones than this only, where it is given.
        """
        wanted = allowed & self._required
        found: dict[Version, Rejection] = {}
        for version in self._allowed(wanted):
            if above is not None and version <= above:
                break
            judged = self.file(version, pinned=wanted.pinned)
            if isinstance(judged, Rejection):
                found[version] = judged
            elif version in self.unusable:
                found[version] = Rejection(reason=Reason.UNUSABLE, detail=self.unusable[version])
            elif version.is_prerelease and not self._prereleases:
                found[version] = Rejection(reason=Reason.PRERELEASE)
        return found

    def _leave_out_misplaced(self, locked: Version | None) -> None:
        """Refuse versions that conda would sort on the wrong side of a more important version."""
        if not any(map(has_inner_zero, self.versions)):
            return
        found = {version: self.file(version, pinned=True) for version in self._allowed(self._required)}
        weights = {
            version: (version == locked, not file.yanked, not version.is_prerelease, version)
            for version, file in found.items()
            if not isinstance(file, Rejection)
        }
        for version, other in misplaced(sorted(weights, key=lambda v: weights[v], reverse=True)).items():
            order = "after" if version < other else "before"
            why = "is locked" if other == locked else "is kept instead"
            self.refuse(version, f"conda sorts {version} {order} {other}, which {why}")

    def _usable(self, wanted: Allowed) -> Iterator[Version]:
        has_wheel = False
        for version in self._allowed(wanted):
            file = self.file(version, pinned=wanted.pinned)
            # nobody knows what an archive requires, so an old one would seem to fit where no wheel does
            if version in self.unusable or isinstance(file, Rejection):
                continue
            if has_wheel and is_archive(file) and file.sha256 != self._kept:
                continue
            has_wheel |= not is_archive(file)
            yield version

    def _allowed(self, wanted: Allowed) -> Iterator[Version]:
        return (version for at, version in enumerate(self.versions) if wanted.bits >> at & 1)

    def _judge(self, version: Version, *, pinned: bool) -> IndexFile | Rejection:
        wheel = self._judge_wheels(version, pinned=pinned)
        if isinstance(wheel, Rejection) and self._rules.sources:
            return self.archive(version, pinned=pinned) or wheel
        return wheel

    def archive(self, version: Version, *, pinned: bool = False) -> IndexFile | None:
        """Find a source archive of a version that the rules let pass, if there is one."""
        files = [file for text in self._archives.get(version, ()) for file in self._page_archives(text)]
        wheels_alone = {Reason.PLATFORM, Reason.INTERPRETER}
        tests = [passes for reason, passes in self._tests(pinned=pinned) if reason not in wheels_alone]
        return next((file for file in files if all(passes(file) for passes in tests)), None)

    def _page_archives(self, text: str) -> Sequence[IndexFile]:
        return self._page.archives(text) if self._page else ()

    def _judge_wheels(self, version: Version, *, pinned: bool) -> IndexFile | Rejection:
        page = self._page
        if page is None or version not in self._texts:
            return Rejection(reason=Reason.SDIST)
        files = [file for text in self._texts[version] for file in page.files(text)]
        for reason, passes in self._tests(pinned=pinned):
            left = [file for file in files if passes(file)]
            if not left:
                return Rejection(reason=reason, detail=_detail(reason, files))
            files = left
        return min(files, key=self._preference)

    def _tests(self, *, pinned: bool) -> Sequence[tuple[Reason, _Test]]:
        limit, page = self._rules.exclude_newer, self._page
        measurable, undated = page is not None and page.measurable, page is not None and page.undated
        return (
            (Reason.NO_DIGEST, lambda f: f.sha256 is not None or measurable),
            (Reason.NO_UPLOAD_TIME, lambda f: limit is None or f.uploaded is not None or undated),
            (Reason.TOO_NEW, lambda f: limit is None or f.uploaded is None or f.uploaded <= limit),
            (Reason.YANKED, lambda f: pinned or not f.yanked or f.sha256 == self._kept),
            (Reason.PLATFORM, lambda f: not self._rules.platforms.isdisjoint(_tags(f)[-1].split("."))),
            (Reason.UNREADABLE, lambda f: _pythons(f.requires_python) is not None),
            (Reason.PYTHON, lambda f: _runs_on(f.requires_python, self._rules.pythons)),
            (Reason.INTERPRETER, lambda f: self._rules.tags.preference(f.filename) is not None),
        )

    def _preference(self, file: IndexFile) -> tuple[bool, bool, tuple[int, int, str] | tuple[()], str]:
        fit = self._rules.tags.preference(file.filename) or ()
        return (file.sha256 != self._kept, file.yanked, fit, file.filename)


def is_archive(file: IndexFile) -> bool:
    """Return whether a file is a source archive, not a wheel."""
    return not file.filename.endswith(".whl")


@lru_cache(maxsize=2048)  # every platform, and every search of one, has the same pages
def _ordered(texts: tuple[str, ...] | frozenset[str]) -> Mapping[Version, Sequence[str]]:
    """Map versions, newest first, to the texts that mean them; texts that mean none are left out."""
    found: dict[Version, list[str]] = {}
    for text in texts:
        try:
            found.setdefault(Version(text), []).append(text)
        except ValueError:  # InvalidVersion, or a number of more digits than Python reads
            continue  # releases from before PEP 440; nobody can ask for them
    return MappingProxyType({version: found[version] for version in sorted(found, reverse=True)})


@lru_cache(maxsize=2048)  # by texts: versions that are equal may be written differently
def _order(wheels: tuple[str, ...], sdists: frozenset[str]) -> Order:
    found = _ordered(wheels)
    return Order(sorted({*found, *_ordered(sdists)}, reverse=True) if sdists else tuple(found))


@lru_cache(maxsize=4096)  # a few hundred texts on all pages together, thousands of files
def _pythons(requires_python: str | None) -> SpecifierSet | None:
    """Read a file's Requires-Python; None if it has no meaning."""
    try:
        return parse_specifiers(requires_python or "")
    except InvalidSpecifier:
        return None


@lru_cache(maxsize=4096)
def _runs_on(requires_python: str | None, pythons: tuple[str, ...]) -> bool:
    """Return whether a file's Requires-Python holds for one of some Pythons."""
    specifiers = _pythons(requires_python)
    return specifiers is not None and any(specifiers.contains(python, prereleases=True) for python in pythons)


def _tags(file: IndexFile) -> list[str]:
    """Split off the tags of a wheel: interpreters, ABIs, platforms."""
    return file.filename.removesuffix(".whl").split("-")[-3:]


def _detail(reason: Reason, files: Sequence[IndexFile]) -> str:
    """Return what there is instead: platforms, Pythons."""
    if reason is Reason.PLATFORM:
        return ", ".join(sorted({_tags(file)[-1] for file in files}))
    if reason is Reason.INTERPRETER:
        return ", ".join(sorted({_tags(file)[0] for file in files}))
    if reason in (Reason.PYTHON, Reason.UNREADABLE):
        return ", ".join(sorted({file.requires_python or "" for file in files}))
    if reason is Reason.TOO_NEW:
        return min(file.uploaded.date().isoformat() for file in files if file.uploaded)
    return ""
