"""A Debian archive: signed releases, what they offer, and where a package lies.

Trust runs one way: `InRelease` by its signature, `Packages` by the digest in it, a `.deb` by the digest in that.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING

from debian.debian_support import Version

from envgen.sources.debian_age import LockedDebs, refuse_rollback, remarks_on_age
from envgen.sources.debian_closure import DebianClosure, close
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from envgen.debs import Deb
    from envgen.sources.debian_index import DebianCandidate, PackageIndex
    from envgen.sources.debian_suites import DatedRelease, DebianSuites

_NOTHING = LockedDebs()


class DebianArchive:
    """Some suites of Debian. Offers of all suites count; the newest version wins, so security updates do."""

    def __init__(self, source: DebianSuites, suites: Sequence[str]) -> None:
        """Open the archive; nothing is fetched before it is asked for.

        Args:
            source: reads suites.
            suites: such as `bookworm`, `bookworm-updates` and `bookworm-security`; which archive holds a suite
                follows from its name.
        """
        self._suites = source
        self._names = tuple(suites)
        self._loaded: dict[str, tuple[PackageIndex, ...]] = {}
        self._releases: Mapping[str, DatedRelease] = {}

    def closure(
        self,
        names: Iterable[str],
        *,
        architecture: str,
        exclude: Collection[str] = (),
        keep: Collection[Deb] = (),
        locked: LockedDebs = _NOTHING,
    ) -> DebianClosure:
        """Find packages with all that they need.

        Args:
            names: packages asked for.
            architecture: Debian's name of it.
            exclude: names at which the walk stops.
            keep: locked packages, which are preferred as long as a suite offers the same bytes.
            locked: all packages that are locked: they are kept if a release is older than what they came from.

        Raises:
            SignatureError: a release is older than what is locked came from, and a package would be, too.
            UnsatisfiableError, NetworkError, IntegrityError: see `close` and `verify_release`.
        """
        self._load_all(architecture)
        releases = self._releases
        late = locked.newer_than(releases[suite].release for suite in self._names)
        kept = locked.debs if late else keep
        found = close(names, offers=self._offers(architecture, kept), exclude=exclude, keep=kept)
        refuse_rollback(late, locked, found.debs)
        dates = {suite: releases[suite].date for suite in self._names}
        told = (releases[suite].remark for suite in self._names)
        remarks = (*filter(None, told), *remarks_on_age(late, locked, found.debs))
        return replace(found, dates=dates, remarks=remarks)

    def missing(self, names: Iterable[str], *, architecture: str) -> dict[str, str | None]:
        """Find names that no suite offers, also not as a virtual package: name -> the nearest one that there is."""
        offers = self._offers(architecture, ())
        absent = [name for name in names if not offers.candidates(name) and not offers.providers(name)]
        known = sorted({name for index in self._loaded[architecture] for name in index.names()}) if absent else []
        return {name: next(iter(get_close_matches(name, known, n=1, cutoff=0.7)), None) for name in absent}

    def find(self, deb: Deb, *, architecture: str) -> Deb | None:
        """Find where the bytes of a locked package are offered now; None where no suite has them any more.

        A package moves from the security archive to the main one with each point release.

        Args:
            deb: as it is locked.
            architecture: which index to look into, since a package may be for `all`.
        """
        offered = self._offers(architecture, (deb,)).candidates(deb.name)
        return next((c.deb for c in offered if c.deb.sha256 == deb.sha256), None)

    def libraries(self, *, architecture: str) -> Mapping[str, tuple[str, ...]]:
        """Return which packages have a shared library; see `DebianSuites.libraries`."""
        return self._suites.libraries(self._names, architecture)

    def locate(self, deb: Deb) -> str:
        """Return where the mirror of this machine has a package."""
        return self._suites.locate(deb.url)

    def _offers(self, architecture: str, keep: Collection[Deb]) -> _Offers:
        self._load_all(architecture)
        return _Offers(self._loaded[architecture], keep=keep)

    def _load_all(self, architecture: str) -> None:
        if architecture not in self._loaded:
            self._loaded[architecture], self._releases = self._suites.load(self._names, architecture)


class _Offers:
    """Looks packages up in several indices: what is to be kept first, then by version, newest first."""

    def __init__(self, indices: Sequence[PackageIndex], *, keep: Collection[Deb]) -> None:
        self._indices = indices
        self._kept = {deb.sha256: deb for deb in keep}
        self.candidates = cache(self._candidates)
        self.providers = cache(self._providers)

    def _candidates(self, name: str) -> Sequence[DebianCandidate]:
        return self._ranked(c for index in self._indices for c in index.find(name))

    def _providers(self, name: str) -> Sequence[DebianCandidate]:
        return self._ranked(c for index in self._indices for c in index.providers(name))

    def _ranked(self, found: Iterable[DebianCandidate]) -> Sequence[DebianCandidate]:
        """Sort; of one package in two suites the one of the suite named first stays first, for sorting is stable."""
        newest_first = sorted(found, key=lambda c: Version(c.deb.version), reverse=True)
        return sorted(newest_first, key=self._distance)

    def _distance(self, candidate: DebianCandidate) -> int:
        """0 for what is locked, 1 for the same bytes in another place, 2 for anything else."""
        kept = self._kept.get(candidate.deb.sha256)
        if kept is None:
            return 2
        return int((kept.archive, kept.path) != (candidate.deb.archive, candidate.deb.path))
