"""What a plan lacks comes into the store: downloaded, and made into extracted packages while others still travel."""

from __future__ import annotations

import os
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.convert.wheel import ConversionTerms, convert, convert_opened
from envgen.errors import EnvgenError, RecordMismatchError
from envgen.packages import BuiltPackage, ChannelPackage, Wheel
from envgen.prefix.facts import facts_of
from envgen.prepare import recipe_packages
from envgen.prepare.artifacts import is_at_hand, needed, refuse_missing
from envgen.prepare.built import extract_artifact
from envgen.prepare.built_files import wheel_file
from envgen.prepare.disk import refuse_full
from envgen.prepare.fetch import DOWNLOADS, fetch_package
from envgen.prepare.packages import link_package, recipe_inputs
from envgen.prepare.packages import plan as planned
from envgen.prepare.plan import Work, items_of
from envgen.prepare.published import fetch_converted
from envgen.prepare.shared_packages import copy_shared
from envgen.prepare.streaming import UNSTREAMABLE, WheelStreams
from envgen.prepare.turns import WATCHED, Load, Turns
from envgen.prepare.wheel_index import locked_indexes
from envgen.sources.metadata_cache import keep_read
from envgen.system.fs import remove_tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from envgen.events import Progress
    from envgen.names import NameTable
    from envgen.prepare.plan import Plan, PlannedPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.sources.indexes import WheelIndexes

_GRACE = 0.5
"""Seconds for running work to throw away what it has begun once something has gone wrong, or somebody said stop."""


class _StoppedError(Exception):
    """Other work has failed, or the user said stop: nobody waits for this piece of it any more."""


class _Stoppable(Struct, frozen=True, kw_only=True):
    """Progress through which work hears, at each piece of a file, that it is to stop."""

    shown: Progress
    stop: threading.Event

    def advance(self, amount: int) -> None:
        """Report how much more is done.

        Raises:
            _StoppedError: no more is wanted.
        """
        if self.stop.is_set():
            raise _StoppedError
        self.shown.advance(amount)


class _Job(Struct, frozen=True, kw_only=True):
    """What every piece of work needs to know."""

    context: Context
    pair: LockPair
    names: NameTable
    index: WheelIndexes
    streams: WheelStreams
    fetched: _Stoppable
    made: _Stoppable

    @property
    def terms(self) -> ConversionTerms:
        """Return the terms that wheels are converted with."""
        lock = self.pair.lock
        return ConversionTerms(
            target=lock.target, names=self.names, python_full=lock.marker_python, adjustments=lock.adjustments
        )

    def extras(self, wheel: Wheel) -> Collection[str]:
        """Return the extras that a wheel was locked with."""
        return self.pair.lock.extras.get(wheel.project, ())

    def trusts(self, wheel: Wheel) -> bool:
        """Return whether the lock takes a wheel though its RECORD may not fit."""
        return wheel.project in self.pair.lock.adjustments.trust_record


def prepare(context: Context, plan: Plan, pair: LockPair, *, keep_wheels: bool = True) -> None:
    """Fetch and build every package that the plan links into the store.

    Wheels become packages while they are downloaded, several at once, in the order of `Turns`; recipes come first, for
    some wait for others.

    Args:
        context: the world.
        plan: what the store lacks.
        pair: the lock that it was made for.
        keep_wheels: put wheels into the store, too.

    Raises:
        GoneError: a locked artifact is no longer offered.
        OfflineError: files are missing, and the network must not be used.
        NetworkError, IntegrityError: as sources and builders say; the first fault stops the rest. Work that hears
            nothing, as of a server that sends nothing, is left behind in its thread.
    """
    if not plan.prepare:
        return
    refuse_missing(context, needed(context, plan.prepare))
    refuse_full(context, plan, keep_wheels=keep_wheels)
    stop = threading.Event()
    cores = os.cpu_count() or 1
    # one thread for each core makes packages: inflating and hashing release the interpreter's lock
    lines, hands = ThreadPoolExecutor(DOWNLOADS), ThreadPoolExecutor(cores)
    with _job(context, plan, pair, stop, keep_wheels=keep_wheels) as job:
        fetched: set[Future[PlannedPackage]] = set()
        running: set[Future[Any]] = set()
        # two on one core: one of them waits for a server, to which it must speak before a body comes
        turns, load = Turns(sorted(plan.prepare, key=_turn), at_once=max(cores, 2)), Load(cores)
        try:
            fetched |= {lines.submit(_fetch_next, job, turns) for _ in plan.prepare}
            running |= fetched
            while running:
                # of both kinds at once: a package that cannot be made stops downloads that take minutes yet
                done, running = wait(running, timeout=WATCHED, return_when=FIRST_COMPLETED)
                if load.is_low():
                    turns.widen()
                for one in done:
                    one.result()
                running |= {hands.submit(_make, job, one.result()) for one in done & fetched}
        finally:
            stop.set()
            for pool in (lines, hands):
                pool.shutdown(wait=False, cancel_futures=True)
            wait(running, timeout=_GRACE)


def prepared(context: Context, pair: LockPair) -> list[Path]:
    """Prepare every package of a lock, and return their folders; raises as `prepare` does."""
    items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    prepare(context, planned(context, items), pair)
    return [context.store.need_package(item.wanted.key) for item in items]


def _size(item: PlannedPackage) -> int:
    return sum(artifact.size or 0 for artifact in item.artifacts)


def _turn(item: PlannedPackage) -> tuple[bool, int]:
    return not isinstance(item.package, BuiltPackage), -_size(item)


@contextmanager
def _job(context: Context, plan: Plan, pair: LockPair, stop: threading.Event, *, keep_wheels: bool) -> Iterator[_Job]:
    report = context.reporter
    downloads = report.progress("downloading", total=plan.fetch_size if plan.sizes_known else None)
    packages = report.progress("unpacking", total=sum(map(_size, plan.prepare)) if plan.sizes_known else None)
    with locked_indexes(context, [pair.lock]) as index, downloads as shown, packages as made:
        names = context.names.overridden(pair.lock.names).substituted(pair.lock.stand_ins)
        fetched = _Stoppable(shown=shown, stop=stop)
        yield _Job(
            context=context,
            pair=pair,
            names=names,
            index=index,
            streams=WheelStreams(context=context, target=pair.lock.target, keep=keep_wheels, advance=fetched.advance),
            fetched=fetched,
            made=_Stoppable(shown=made, stop=stop),
        )


def _fetch_next(job: _Job, turns: Turns[PlannedPackage]) -> PlannedPackage:
    with turns.next() as item:
        job.fetched.advance(0)  # the work may have been stopped while this thread waited
        _fetch(job, item)
    return item


def _fetch(job: _Job, item: PlannedPackage) -> None:
    """Fetch what a package is made from into the store; what a recipe takes is fetched when it is built."""
    package = item.package
    if item.work is Work.COPY and copy_shared(job.context, item):
        return
    if item.work is Work.EXTRACT and isinstance(package, Wheel):
        fetch_converted(job.context, item, job.terms, extras=job.extras(package), advance=job.fetched.advance)
        return
    if isinstance(package, BuiltPackage) or (isinstance(package, Wheel) and _stream(job, item.wanted.key, package)):
        return
    fetch_package(job.context, package, job.pair, index=job.index, advance=job.fetched.advance)


def _stream(job: _Job, key: str, wheel: Wheel) -> bool:
    """Make the package of a wheel while it is downloaded; return whether that is done.

    Where it cannot be, for whatever reason, the wheel is fetched as a whole, and what is wrong with it is found there.
    """
    store = job.context.store
    from_index = job.context.supply.mirror is None and not job.trusts(wheel) and not wheel.direct and not wheel.made
    if not from_index or is_at_hand(job.context, wheel.sha256) or (store.package(key) and not store.altered(key)):
        return False
    url = job.index.locate(wheel)
    try:
        store.ensure_package(key, partial(_convert_stream, job, wheel, url))
    except UNSTREAMABLE:
        return False
    return True


def _convert_stream(job: _Job, wheel: Wheel, url: str, dest: Path) -> None:
    with job.streams.open(wheel, url) as opened:
        convert_opened(opened, wheel, job.terms, dest=dest, extras=job.extras(wheel), advance=job.made.advance)
    # all bytes are proved by now: a later `lock` need not read METADATA by ranges, which nothing would prove
    keep_read(job.context.store, wheel.sha256, opened.require_info("METADATA"))


def _make(job: _Job, item: PlannedPackage) -> None:
    package, store = item.package, job.context.store
    if item.work is Work.COPY and store.package(item.wanted.key) and not store.altered(item.wanted.key):
        job.made.advance(_size(item))
        return
    match package:
        case BuiltPackage():
            recipe_packages.prepare_built(job.context, package, job.pair, prepared)
            job.made.advance(_size(item))
        case Wheel():
            store.ensure_package(item.wanted.key, partial(_convert, job, package))
        case ChannelPackage():
            store.ensure_package(item.wanted.key, partial(extract_artifact, store, _have(job, package), package))
    _find_facts(job, item)


def _find_facts(job: _Job, item: PlannedPackage) -> None:
    """Find what linking needs to know of a package, while others still travel; a fault is told when it is linked.

    Nothing is found of `noarch: python`, for the Python that lays it out may be among the others.
    """
    with suppress(EnvgenError):
        facts_of(link_package(job.context, item, job.pair), job.context.store)


def _have(job: _Job, package: Wheel | ChannelPackage) -> Path:
    store = job.context.store
    found = wheel_file(store, package) if isinstance(package, Wheel) else store.artifact(package.sha256)
    if found is None:
        raise EnvgenError(f"`{package.filename}` was removed from the store while it was in use")
    return found


def _convert(job: _Job, package: Wheel, dest: Path) -> None:
    """Convert a wheel; one that the spec trusts is held against its RECORD first, for it may fit by now."""
    if not job.trusts(package):
        _convert_wheel(job, package, dest, trusted=False)
        return
    try:
        _convert_wheel(job, package, dest, trusted=False)
    except RecordMismatchError:
        for path in dest.iterdir():
            remove_tree(path)
        _convert_wheel(job, package, dest, trusted=True)
    else:
        told = f"`trust-record.{package.project}` has no effect: RECORD of `{package.filename}` matches its files"
        job.context.reporter.note(told)


def _convert_wheel(job: _Job, package: Wheel, dest: Path, *, trusted: bool) -> None:
    convert(
        _have(job, package),
        package,
        job.terms,
        dest=dest,
        extras=job.extras(package),
        trusted=trusted,
        advance=job.made.advance,
    )
