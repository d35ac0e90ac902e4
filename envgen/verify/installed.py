"""A prefix against a lock: the packages of the lock are linked into a folder that goes away, for the same path.

What that leaves is what each file of the prefix must be, those with the path of the environment in them included; the
records of the prefix are not believed. Where the store lacks a package they have to be, and the user is told.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.events import NullReporter
from envgen.prefix import inventory
from envgen.prefix.conda_meta import HISTORY, META
from envgen.prefix.drift import find_drift
from envgen.prefix.foreign import find_foreign
from envgen.prefix.kernel import KERNEL, odd_kernel
from envgen.prefix.link import link
from envgen.prefix.state import read_state
from envgen.prefix.transaction import PRIVATE, unfinished
from envgen.prefix.variables import STATE_FILE, odd_variables
from envgen.prefix.verify import differences, is_compiled, mode_of, read_records, unowned, unsafe_modes
from envgen.prepare.packages import link_packages, recipe_inputs
from envgen.prepare.plan import items_of
from envgen.verify.findings import Deviation, Kind, LockComparison, of_fault, ordered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envgen.prefix.changes import Wanted
    from envgen.prefix.foreign import ForeignPackage
    from envgen.prefix.installed import InstalledPackage
    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair

_Entries = dict[str, "Mapping[str, Any]"]

_SHOWN = 3
"""Names of packages in a message."""


class _Expected(Struct, frozen=True, kw_only=True):
    """What the files of a prefix must be.

    Attributes:
        entries: name of a package -> path -> entry, as records have it.
        links: path -> text of the link.
    """

    entries: Mapping[str, _Entries]
    links: Mapping[str, str]

    @property
    def owners(self) -> dict[str, str]:
        """Path -> package."""
        return {path: name for name, entries in self.entries.items() for path in entries}


def compare_prefix(
    context: Context, prefix: Path, pair: LockPair, *, variables: Mapping[str, str], name: str, quick: bool = False
) -> LockComparison:
    """Compare an environment with a lock; nothing is changed.

    Args:
        context: the world.
        prefix: the environment.
        pair: the lock.
        variables: of the spec, for this prefix.
        name: of the environment.
        quick: compare size, time and mode of files with what they were when they were linked, and read none.

    Raises:
        IntegrityError: a record cannot be read.
        ArtifactError: packages of the store cannot be in one environment, or cannot be read.
    """
    items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    state = read_state(prefix)
    installed = inventory.read(prefix, state)
    known = [have for have in installed if state and state.packages.get(have.dist)]
    drift = find_drift(prefix, known, state, stored=lambda _key: None)
    faults = [of_fault(text, name) for name, texts in drift.damaged.items() for text in texts]
    faults += [_mode(prefix, path, mode) for path, mode in drift.modes.items()]
    missing = [item.wanted.name for item in items if not context.store.package(item.wanted.key)]
    unproven: list[str] = []
    if quick or missing:
        expected = _by_records(prefix)
    else:
        with _linked(context, items, pair, prefix) as found:
            expected = found
        faults += _odd_records(prefix, expected)
    if quick:
        unproven += _not_recorded(len(installed) - len(known))
    else:
        unproven += _not_stored(missing, len(items))
        faults += _read(context, prefix, expected)
    foreign = find_foreign(prefix, installed)
    owners = expected.owners
    every = [
        *_packages(items, installed),
        *faults,
        *map(_extra, foreign),
        *_strangers(prefix, owners, foreign),
        *_variables(prefix, variables),
        *_kernel(prefix, name if pair.lock.has_kernel else None),
        *_cut_short(prefix),
    ]
    compiled = sum(1 for path in unowned(prefix, owners, compiled=True) if is_compiled(path))
    return LockComparison(
        lock=context.relative(pair.path),
        compared=f"{len(items)} packages, {len(owners)} files"
        + (" by size, time and mode (contents were not read)" if quick else ", every byte"),
        findings=ordered(every),
        unproven=tuple(unproven),
        notes=(f"files that Python compiled, which were not compared: {compiled}",) if compiled else (),
    )


@contextmanager
def _linked(context: Context, items: Iterable[PlannedPackage], pair: LockPair, prefix: Path) -> Iterator[_Expected]:
    """Link the packages of a lock as they are at `prefix`, elsewhere."""
    with context.store.in_use(), context.store.view() as folder:
        there = folder / "prefix"
        link(
            link_packages(context, items, pair),
            there,
            store=context.store,
            platform=pair.lock.platform,
            conflicts=pair.lock.adjustments.conflicts,
            alternative_prefix=str(prefix),
            skeleton=True,
            reporter=NullReporter(),
        )
        yield _by_records(there)


def _by_records(prefix: Path) -> _Expected:
    """Return what records say; compiled Python files are written again as Python likes."""
    entries = {
        str(record["name"]): {path: entry for path, entry in found.items() if not is_compiled(path)}
        for record, found in read_records(prefix)
    }
    every = chain.from_iterable(found.items() for found in entries.values())
    links = {path for path, entry in every if entry["path_type"] == "softlink"}
    return _Expected(entries=entries, links={path: _target(prefix, path) for path in links})


def _target(prefix: Path, path: str) -> str:
    try:
        return os.readlink(f"{prefix}/{path}")  # noqa: PTH115  thousands of them, Path is slow
    except OSError:
        return ""


def _packages(items: Sequence[PlannedPackage], installed: Iterable[InstalledPackage]) -> Iterator[Deviation]:
    """Compare packages by name, version, build, and the key that stands for their bytes."""
    there = {have.name: have for have in installed}
    for item in items:
        want = item.wanted
        if what := _other(want, there.pop(str(want.name), None)):
            yield Deviation(kind=Kind.PACKAGE, where=str(want.name), package=str(want.name), what=what)
    for name, have in there.items():
        yield Deviation(kind=Kind.PACKAGE, where=name, what=f"{have.version} is installed and not in the lock")


def _other(want: Wanted, have: InstalledPackage | None) -> str | None:
    """Describe how a package differs from the locked one; None where it does not."""
    if have is None:
        return f"not installed, expected {want.version}"
    if (have.version, have.build) != (want.version, want.build):
        return f"expected {want.version} {want.build}, got {have.version} {have.build}"
    if have.key != want.key:
        return f"was made from another file, or otherwise, than the lock says: expected {want.key}, got {have.key}"
    return None


def _read(context: Context, prefix: Path, expected: _Expected) -> Iterator[Deviation]:
    for name, texts in differences(prefix, expected.entries, context.reporter).items():
        yield from (of_fault(text, name) for text in texts)
    owners = expected.owners
    for path, target in expected.links.items():
        got = _target(prefix, path)
        if got and got != target:
            what = f"leads to {got!r}, expected {target!r}"
            yield Deviation(kind=Kind.LINK, where=path, package=owners[path], what=what)
    for path, mode in unsafe_modes(prefix, chain.from_iterable(each.items() for each in expected.entries.values())):
        yield Deviation(
            kind=Kind.MODE, where=path, package=owners[path], what=f"mode {mode:o}: other users can write to it"
        )


def _mode(prefix: Path, path: str, expected: int) -> Deviation:
    got = mode_of(f"{prefix}/{path}")
    return Deviation(kind=Kind.MODE, where=path, what=f"expected mode {expected:o}, got {got:o}")


def _odd_records(prefix: Path, expected: _Expected) -> Iterator[Deviation]:
    """Yield the records that list other files, or other digests, than the locked package has."""
    for record, entries in read_records(prefix):
        name = str(record["name"])
        mine = expected.entries.get(name)
        got = {path: _digests(entry) for path, entry in entries.items() if not is_compiled(path)}
        if mine is not None and got != {path: _digests(entry) for path, entry in mine.items()}:
            where = f"{META}/{name}-{record['version']}-{record['build']}.json"
            what = "lists other files or digests than the package of the lock has"
            yield Deviation(kind=Kind.CHANGED, where=where, package=name, what=what)


def _digests(entry: Mapping[str, Any]) -> tuple[object, ...]:
    return entry["path_type"], entry.get("sha256_in_prefix")


def _extra(one: ForeignPackage) -> Deviation:
    over = f" over the locked `{one.replaces}`" if one.replaces else ", which is not in the lock"
    what = f"{one.installer or 'another tool'} installed {one.project} {one.version}{over}"
    return Deviation(kind=Kind.EXTRA, where=one.folder, package=one.replaces, what=what)


def _strangers(prefix: Path, owned: Collection[str], foreign: Iterable[ForeignPackage]) -> Iterator[Deviation]:
    """Yield the files that neither a package nor a distribution beside the lock has."""
    beside = {path for one in foreign for path in one.files}
    for path in chain(unowned(prefix, owned), _notes(prefix)):
        if path not in beside:
            yield Deviation(kind=Kind.FOREIGN, where=path, what="no package of the lock has this file")


def _notes(prefix: Path) -> Iterator[str]:
    """Yield what is in `conda-meta` and is neither a record nor what conda and envgen keep there."""
    for name in sorted(os.listdir(prefix / META)):  # noqa: PTH208  names are all that counts
        path = f"{META}/{name}"
        if not name.endswith(".json") and path not in {*PRIVATE, HISTORY, STATE_FILE}:
            yield path


def _variables(prefix: Path, wanted: Mapping[str, str]) -> Iterator[Deviation]:
    if odd := "; ".join(odd_variables(prefix, wanted)):
        yield Deviation(kind=Kind.CHANGED if wanted else Kind.FOREIGN, where=STATE_FILE, what=odd)


def _kernel(prefix: Path, name: str | None) -> Iterator[Deviation]:
    if odd := odd_kernel(prefix, name):
        yield Deviation(kind=Kind.CHANGED if name else Kind.FOREIGN, where=KERNEL, what=odd)


def _cut_short(prefix: Path) -> Iterator[Deviation]:
    if unfinished(prefix):
        what = "a change of the environment was interrupted; `envgen create` finishes it"
        yield Deviation(kind=Kind.DAMAGE, where=META, what=what)


def _not_stored(missing: Sequence[str], every: int) -> Iterator[str]:
    if missing:
        some = ", ".join(f"`{name}`" for name in missing[:_SHOWN]) + (" and others" if len(missing) > _SHOWN else "")
        yield (
            f"{len(missing)} of {every} packages are not in the cache ({some}): files were compared with the "
            "environment's own records, not with the lock; `envgen create --prefix` of another folder fetches them"
        )


def _not_recorded(count: int) -> Iterator[str]:
    if count:
        yield f"of {count} packages it is not known how their files were linked: verify without `--quick`"
