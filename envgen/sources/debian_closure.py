"""Which packages some packages need: the closure over `Pre-Depends` and `Depends`.

No SAT: a suite of Debian is consistent in itself, so the best candidate for each name nearly always stands. Where it
does not (a kept old version beside a new one, two suites), the one that cannot stand is struck out and the walk starts
again; each round strikes one candidate, so it ends.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from envgen.errors import UnsatisfiableError
from envgen.sources.debian_index import Requirement

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from envgen.debs import Deb
    from envgen.sources.debian_index import Alternatives, DebianCandidate


class Offers(Protocol):
    """Looks packages up, best first."""

    def candidates(self, name: str) -> Sequence[DebianCandidate]:
        """List the versions of a package."""

    def providers(self, name: str) -> Sequence[DebianCandidate]:
        """List the packages that provide a virtual name."""


class Replaced(Struct, frozen=True, kw_only=True):
    """A package that was to be kept, and what had to take its place."""

    old: Deb
    new: Deb


class DebianClosure(Struct, frozen=True, kw_only=True):
    """Packages that together need nothing else, up to what was excluded.

    Attributes:
        debs: sorted by name; no two have one name.
        replaced: what could not be kept, sorted by name.
        dates: suite -> date of the release that was searched, aware.
        remarks: what the user should know of the age of releases.
    """

    debs: tuple[Deb, ...]
    replaced: tuple[Replaced, ...]
    dates: Mapping[str, dt.datetime] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def close(
    names: Iterable[str], *, offers: Offers, exclude: Collection[str] = (), keep: Collection[Deb] = ()
) -> DebianClosure:
    """Find the closure of some packages.

    Args:
        names: packages asked for.
        offers: the order of its answers is the order of preference; it puts what is to be kept first.
        exclude: names at which the walk stops; an alternative that is excluded counts as met.
        keep: what `offers` was told to prefer, to say what was replaced.

    Raises:
        UnsatisfiableError: a name that nobody offers, or no versions that go together.
    """
    walk = _Walk(offers=offers, exclude=frozenset(exclude))
    wanted = [(Requirement(name=name),) for name in names]
    while not walk.run(wanted):
        pass
    debs = tuple(sorted((c.deb for c in walk.chosen.values()), key=lambda deb: deb.name))
    kept = {deb.name: deb for deb in keep}
    changed = (Replaced(old=kept[d.name], new=d) for d in debs if d.name in kept and kept[d.name].sha256 != d.sha256)
    return DebianClosure(debs=debs, replaced=tuple(changed))


class _Walk(Struct, kw_only=True):
    """One search: what is chosen, who asked for it, and what was struck out in earlier rounds."""

    offers: Offers
    exclude: frozenset[str]
    chosen: dict[str, DebianCandidate] = field(default_factory=dict)
    asker: dict[str, str | None] = field(default_factory=dict)
    struck: set[str] = field(default_factory=set)

    def run(self, wanted: Sequence[Alternatives]) -> bool:
        """Walk once; False where a candidate was struck out and the walk must start again."""
        self.chosen.clear()
        self.asker.clear()
        queue: deque[tuple[Alternatives, DebianCandidate | None]] = deque((group, None) for group in wanted)
        while queue:
            group, asker = queue.popleft()
            if self._is_met(group):
                continue
            found = self._choose(group)
            if found is None or found.deb.name in self.chosen:
                self._strike(group, asker, found)
                return False
            self.chosen[found.deb.name] = found
            self.asker[found.deb.name] = asker.deb.name if asker else None
            queue.extend((depends, found) for depends in found.depends)
        return True

    def _is_met(self, group: Alternatives) -> bool:
        """Return whether an alternative is excluded or chosen already; an excluded name is never looked up."""
        return any(
            wanted.name in self.exclude or any(chosen.satisfies(wanted) for chosen in self.chosen.values())
            for wanted in group
        )

    def _choose(self, group: Alternatives) -> DebianCandidate | None:
        """Find the best candidate of the first alternative that has one; real packages before virtual ones."""
        for wanted in group:
            for candidate in self._offered(wanted.name):
                if candidate.satisfies(wanted) and candidate.deb.sha256 not in self.struck:
                    return candidate
        return None

    def _offered(self, name: str) -> Iterator[DebianCandidate]:
        """Yield what bears the name, then what provides it: looking that up means reading all of the indices."""
        yield from self.offers.candidates(name)
        yield from self.offers.providers(name)

    def _strike(self, group: Alternatives, asker: DebianCandidate | None, found: DebianCandidate | None) -> None:
        """Exclude what is in the way.

        That is the version chosen before, where another one satisfies `group`; else the one that requires `group`, as
        long as there is another version of it.
        """
        if found is not None:
            self.struck.add(self.chosen[found.deb.name].deb.sha256)
            return
        if asker is not None:
            others = [c for c in self.offers.candidates(asker.deb.name) if c.deb.sha256 not in self.struck]
            if len(others) > 1:
                self.struck.add(asker.deb.sha256)
                return
        raise UnsatisfiableError(
            f"no Debian suite offers `{' | '.join(map(str, group))}`{self._chain(asker)}",
            hint="check the name, add a suite, or exclude it if the recipe works without it",
        )

    def _chain(self, asker: DebianCandidate | None) -> str:
        chain = []
        name = asker.deb.name if asker else None
        while name:
            chain.append(f"{name} {self.chosen[name].deb.version}")
            name = self.asker[name]
        return f", which {' for '.join(chain)} needs" if chain else ""
