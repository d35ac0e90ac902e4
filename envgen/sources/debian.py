"""A Debian archive: signed releases, what they offer, and where a package lies.

Trust runs one way: `InRelease` by its signature, `Packages` by the digest in it, a `.deb` by the digest in that.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import zstandard
from debian.debian_support import Version

from envgen import limits
from envgen.debs import DebianArea
from envgen.digest import Sha256
from envgen.errors import ArtifactError, DigestMismatchError, NetworkError, UnsatisfiableError
from envgen.inflate import InflateError, inflate
from envgen.sources.debian_age import LockedDebs, refuse_rollback, remark_on_clock, remarks_on_age
from envgen.sources.debian_closure import DebianClosure, close
from envgen.sources.debian_index import PackageIndex, condense
from envgen.sources.debian_release import verify_release
from envgen.system.credentials import display

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Sequence

    from envgen.debs import Deb
    from envgen.sources.debian_index import DebianCandidate
    from envgen.sources.debian_release import Index, Release
    from envgen.system.http import Http
    from envgen.system.mirrors import Mirrors
    from envgen.system.store import Store

_CACHE_KIND = "debian-index-1"
"""Kind of the condensed indices in the store; the number changes with what `condense` keeps."""

_PACKED = (".xz", ".gz")
"""How indices are packed, best first."""

_NOTHING = LockedDebs()

_MAX_RELEASE = 8 << 20
"""Bytes of an `InRelease`; Debian's largest has 150 kB."""

_MAX_INDEX = 256 << 20
"""Bytes of a packed `Packages`; Debian's largest has 9 MB."""


class DebianArchive:
    """Some suites of Debian. Offers of all suites count; the newest version wins, so security updates do."""

    def __init__(
        self,
        *,
        http: Http,
        store: Store,
        mirrors: Mirrors,
        suites: Sequence[str],
        keys: Sequence[bytes],
        now: dt.datetime,
        component: str = "main",
    ) -> None:
        """Open the archive; nothing is fetched before it is asked for.

        Args:
            http: the network.
            store: keeps condensed indices.
            mirrors: say where this machine reaches the archive.
            suites: such as `bookworm`, `bookworm-updates` and `bookworm-security`; which archive holds a suite
                follows from its name.
            keys: OpenPGP certificates that may sign releases.
            now: aware; releases that have expired by then are refused.
            component: which part of the suites.
        """
        self._http = http
        self._store = store
        self._mirrors = mirrors
        self._suites = tuple(suites)
        self._keys = tuple(keys)
        self._now = now
        self._component = component
        self._loaded: dict[str, tuple[PackageIndex, ...]] = {}
        self._releases: dict[str, Release] = {}
        self._remarks: dict[str, str] = {}

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
        late = locked.newer_than(self._releases[suite] for suite in self._suites)
        kept = locked.debs if late else keep
        found = close(names, offers=self._offers(architecture, kept), exclude=exclude, keep=kept)
        refuse_rollback(late, locked, found.debs)
        dates = {suite: min(self._releases[suite].date, self._now) for suite in self._suites}
        remarks = (*self._remarks.values(), *remarks_on_age(late, locked, found.debs))
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

    def locate(self, deb: Deb) -> str:
        """Return where the mirror of this machine has a package."""
        return self._mirrors.expand(deb.url)

    def _offers(self, architecture: str, keep: Collection[Deb]) -> _Offers:
        self._load_all(architecture)
        return _Offers(self._loaded[architecture], keep=keep)

    def _load_all(self, architecture: str) -> None:
        if architecture not in self._loaded:
            with ThreadPoolExecutor(max_workers=len(self._suites) or 1) as pool:
                self._loaded[architecture] = tuple(pool.map(lambda s: self._load(s, architecture), self._suites))

    def _load(self, suite: str, architecture: str) -> PackageIndex:
        release = self._release(suite)
        path = f"{self._component}/binary-{architecture}/Packages"
        index = next((release.indices[path + end] for end in _PACKED if path + end in release.indices), None)
        if index is None:
            raise UnsatisfiableError(f"Debian suite {suite} has no `{path}`", hint="choose another suite or platform")
        condensed = self._store.cached(_CACHE_KIND, index.sha256)
        if condensed is None:
            condensed = self._condense(release, index)
            self._store.put(_CACHE_KIND, index.sha256, condensed)
        return PackageIndex(zstandard.decompress(condensed), archive=DebianArea.of_suite(suite))

    def _release(self, suite: str) -> Release:
        url = self._expand(suite, "InRelease")
        response = self._http.get(url, limit=_MAX_RELEASE)
        if response.status == HTTPStatus.NOT_FOUND:
            raise NetworkError(f"{display(url)} does not exist", hint=f"check that the mirror has the suite {suite}")
        found = verify_release(response.body, suite=suite, keys=self._keys, now=self._now)
        where = urlsplit(url).hostname or display(url)
        if remark := remark_on_clock(found, headers=response.headers, where=where, now=self._now):
            self._remarks[suite] = remark
        self._releases[suite] = found
        return found

    def _condense(self, release: Release, index: Index) -> bytes:
        packed = self._fetch(release, index)
        try:
            text = inflate(packed, f".{index.path.rpartition('.')[2]}", limit=limits.DEBIAN_INDEX)
        except InflateError as e:
            raise ArtifactError(f"failed to unpack `{index.path}` of {release.suite}: {e}") from e
        return zstandard.compress(condense(text), 3)

    def _fetch(self, release: Release, index: Index) -> bytes:
        """Download an index by its digest, which a mirror in the middle of an update still has; else by name."""
        by_digest = f"{index.path.rpartition('/')[0]}/by-hash/SHA256/{index.sha256}"
        # Some mirrors copy no by-hash folders, whatever the release says.
        for path in (by_digest, index.path) if release.by_hash else (index.path,):
            url = self._expand(release.suite, path)
            response = self._http.get(url, limit=_MAX_INDEX)
            if response.status != HTTPStatus.NOT_FOUND:
                return _verified(response.body, index, where=response.url)
        raise NetworkError(
            f"{display(url)} does not exist", hint="the mirror is incomplete or is being updated: try again later"
        )

    def _expand(self, suite: str, path: str) -> str:
        return self._mirrors.expand(f"{DebianArea.of_suite(suite).placeholder}/dists/{suite}/{path}")


def _verified(data: bytes, index: Index, *, where: str) -> bytes:
    got = Sha256.of(data)
    if got != index.sha256:
        raise DigestMismatchError(
            what=f"`{index.path}`",
            where=display(where),
            expected=index.sha256,
            got=got,
            hint="the mirror is being updated, or modifies what it serves",
        )
    return data


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
