"""Packages into a prefix: only what changed, finished by the next run if this one is cut short.

Packages that are files and links are linked by `direct`, all others by rattler, which replaces prefixes in programs.
What it does not do is done here: one owner for each path, packages that were replaced under one name, version and
build, and records that tell the truth. Removal is ours too: what an interrupted run left has no record to remove it by,
and compiled Python files are in none.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import EnvgenError, UserError
from envgen.events import NullReporter
from envgen.prefix import inventory
from envgen.prefix.clobber import unused_conflict
from envgen.prefix.conda_meta import META, link_digests, links_of, normalise, record_path, tell_request
from envgen.prefix.detours import refuse_detours
from envgen.prefix.direct import direct_packages, link_directly
from envgen.prefix.direct_records import render_records, write_records
from envgen.prefix.installed import InstalledPackage
from envgen.prefix.link_plan import plan_links
from envgen.prefix.provenance import provenance
from envgen.prefix.removal import remove_paths
from envgen.prefix.settled import is_settled, settle
from envgen.prefix.state import read_state, record_state
from envgen.prefix.transaction import Touched, alone, clean_up, transaction, unfinished
from envgen.prefix.view import build_view
from envgen.structs import replace
from envgen.system.fs import folds_case
from envgen.system.os_faults import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envgen.events import Reporter
    from envgen.platforms import Platform
    from envgen.prefix.brought import Brought
    from envgen.prefix.changes import PrefixChanges
    from envgen.prefix.clobber import Kept, Ownership
    from envgen.prefix.contents import LinkPackage
    from envgen.prefix.direct import DirectPackage
    from envgen.prefix.direct_records import RenderedRecord
    from envgen.prefix.link_plan import LinkPlan
    from envgen.prefix.provenance import Provenance
    from envgen.system.seal import Statuses
    from envgen.system.store import Store

    _Linked = tuple[tuple[InstalledPackage, ...], Mapping[str, Statuses]]
    """Packages as their records have them; name of a package -> what is known of its files, see `record_state`."""

_CACHE_TAG = "CACHEDIR.TAG"
"""Rattler marks every prefix as a cache, and backup programs then leave it out."""


def link(
    packages: Sequence[LinkPackage],
    prefix: Path,
    *,
    store: Store,
    platform: Platform,
    requested: Mapping[str, str] | None = None,
    conflicts: Mapping[str, str] | None = None,
    alternative_prefix: str | None = None,
    archives: str | None = None,
    only: Collection[str] | None = None,
    skeleton: bool = False,
    reinstall: Collection[str] = frozenset(),
    remove: Collection[str] = frozenset(),
    plan: LinkPlan | None = None,
    tell: Callable[[PrefixChanges], object] | None = None,
    reporter: Reporter | None = None,
) -> PrefixChanges:
    """Make a prefix hold exactly these packages, and whatever else no package ever owned.

    Files are hard links into the store where the file system allows, copies otherwise.

    Args:
        packages: all of them, extracted in the store; no two of one name.
        prefix: the environment; made where it is not there.
        store: where views are made.
        platform: of the environment, which need not be this machine's.
        requested: name -> what the spec asked for, in its words.
        conflicts: path or pattern -> package that keeps its file where several bring one, as the spec has it.
        alternative_prefix: where the environment will live, if elsewhere: written into files instead of `prefix`,
            and the records then do not name the store.
        archives: address of the channel that records name for what is made here, see `provenance`.
        only: names of packages to link into an empty prefix; the others just take part in who owns what. None
            links them all.
        skeleton: leave in the store what would be hard links, unless rattler has symbolic links to lay out: for
            those who ask what files must be, and read records, links and texts alone.
        reinstall: names of packages to link again though they are installed, for their files are damaged.
        remove: paths that no package owns and that go with this change.
        plan: made for these packages before, by `plan_links`; another one is made where the prefix holds something
            else by now, or without.
        tell: told what will be changed before anything is, while nobody else may change the prefix.
        reporter: gets a bar of packages, and a warning about files that were in the way.

    Returns:
        What was changed.

    Raises:
        ArtifactError: packages that cannot be in one environment, or cannot be read.
        IntegrityError: the prefix's records are broken.
        UserError: the prefix cannot be written, or another process holds it for an hour.
    """
    job = _LinkJob(
        packages=tuple(sorted(packages, key=lambda package: package.record.name)),
        prefix=prefix,
        store=store,
        platform=platform,
        requested=requested or {},
        conflicts=conflicts or {},
        alternative_prefix=alternative_prefix,
        archives=archives,
        only=frozenset(package.record.name for package in packages) if only is None else frozenset(only),
        skeleton=skeleton,
        reinstall=frozenset(reinstall),
        remove=frozenset(remove),
        plan=plan,
        tell=tell or (lambda _changes: None),
        reporter=reporter or NullReporter(),
    )
    _refuse_twice(job.packages)
    with explained(prefix), alone(prefix, job.reporter), store.in_use():
        return _settle(job)


class _LinkJob(Struct, frozen=True, kw_only=True):
    """The arguments of `link`, packages sorted by name."""

    packages: tuple[LinkPackage, ...]
    prefix: Path
    store: Store
    platform: Platform
    requested: Mapping[str, str]
    conflicts: Mapping[str, str]
    alternative_prefix: str | None
    archives: str | None
    only: frozenset[str]
    skeleton: bool
    reinstall: frozenset[str]
    remove: frozenset[str]
    plan: LinkPlan | None
    tell: Callable[[PrefixChanges], object]
    reporter: Reporter


def _refuse_twice(packages: Iterable[LinkPackage]) -> None:
    twice = sorted(name for name, count in Counter(p.record.name for p in packages).items() if count > 1)
    if twice:
        raise EnvgenError(f"more than one package named {', '.join(twice)}")


def _settle(job: _LinkJob) -> PrefixChanges:
    """Remove files of an interrupted run, then change what differs; the prefix must be locked."""
    state = read_state(job.prefix)
    left, installed = unfinished(job.prefix), inventory.read(job.prefix, state)
    if left:
        refuse_detours(job.prefix, left.paths)
        clean_up(job.prefix, left)
    unsettled = not is_settled(job.prefix, job.conflicts)
    plan = _plan(job, installed, decide_again=unsettled)
    linked, shared = _change(job, plan) if plan.changes or job.remove else ((), {})
    if plan.changes or unsettled:
        settle(job.prefix, job.conflicts)
    unchanged = _tell_requests(job, plan.changes)
    if job.alternative_prefix is None:
        record_state(job.prefix, (*unchanged, *linked), state, changed=plan.changes.link, shared=shared)
    return plan.changes


def _plan(job: _LinkJob, installed: tuple[InstalledPackage, ...], *, decide_again: bool) -> LinkPlan:
    """Return the plan that was made before if it is for what is installed, else build it; report the changes."""
    plan = job.plan
    if plan is None or plan.installed != installed:
        plan = plan_links(
            job.packages,
            installed,
            platform=job.platform,
            conflicts=job.conflicts,
            reinstall=job.reinstall,
            decide_again=decide_again,
            store=job.store,
            fold_case=folds_case(job.prefix),
        )
    link = tuple(name for name in plan.changes.link if name in job.only)
    plan = replace(plan, changes=replace(plan.changes, link=link))
    job.tell(plan.changes)
    return plan


def _change(job: _LinkJob, plan: LinkPlan) -> _Linked:
    """Execute a plan; return what was linked."""
    changes = plan.changes
    _tell_ownership(job, plan.ownership)
    coming = [content for content in plan.contents if content.package.record.name in changes.link]
    going = frozenset(path for have in changes.unlink for path in have.files) | job.remove
    arriving = frozenset[str]().union(*(plan.paths[name] for name in changes.link))
    if going or os.listdir(job.prefix) != [META]:  # noqa: PTH208  all that a new one has
        folders = refuse_detours(job.prefix, going | arriving)
        _look_out_for_strangers(job, arriving - going, folders)
    records = {have.dist for have in changes.unlink} | {content.package.record.dist for content in coming}
    touched = Touched(records=tuple(sorted(records)), paths=tuple(going | arriving))
    with transaction(job.prefix, touched, is_new=not plan.installed):
        _unlink(job.prefix, changes, going)
        return _link(job, plan, coming) if coming else ((), {})


def _tell_ownership(job: _LinkJob, ownership: Ownership) -> None:
    if paths := ownership.conflicting:
        job.reporter.note(
            f"{len(paths)} files conflict; kept those of the alphabetically first package, such as `{paths[0]}`"
        )
    for text in _clobbers(ownership.kept):
        job.reporter.note(text)
    for key in ownership.unused:
        job.reporter.note(unused_conflict(key))


def _clobbers(all_kept: Sequence[Kept]) -> Iterator[str]:
    """Yield for each two packages of channels whose file was kept, in one line."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for kept in all_kept:
        for other in kept.others:
            pairs.setdefault((kept.owner, other), []).append(kept.path)
    for (owner, other), paths in sorted(pairs.items()):
        more = f" and at {len(paths) - 1} more" if len(paths) > 1 else ""
        yield f"kept `{owner}`'s file, `{other}` ships another one at `{paths[0]}`{more}"


def _look_out_for_strangers(job: _LinkJob, arriving: Collection[str], folders: Collection[str]) -> None:
    """Name what stands in the way and belongs to no package: files are replaced, folders cannot be.

    Args:
        job: the change.
        arriving: paths that come.
        folders: those above them that are there; most are new.
    """
    old = (path for path in arriving if path.rpartition("/")[0] in folders)
    # tens of thousands of paths: text is five times as fast as `Path` here
    there = sorted(path for path in old if os.path.lexists(f"{job.prefix}/{path}"))
    blocked = [path for path in there if _is_folder(job.prefix / path)]
    if blocked:
        raise UserError(
            f"`{job.prefix / blocked[0]}` is a folder that no package owns, but a package contains a file at that path",
            hint="move the folder away",
        )
    if there:
        job.reporter.warn(f"replaced {len(there)} files that no package owned, such as `{job.prefix / there[0]}`")


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _unlink(prefix: Path, changes: PrefixChanges, paths: Iterable[str]) -> None:
    remove_paths(prefix, paths)
    for have in changes.unlink:
        record_path(prefix, have.dist).unlink(missing_ok=True)


def _link(job: _LinkJob, plan: LinkPlan, coming: Sequence[Brought]) -> _Linked:
    """Link packages, here where that is possible and by rattler otherwise, and write their records."""
    label = f"linking {len(coming)} packages"
    stands_at, origins = job.alternative_prefix or str(job.prefix), _origins(job, coming)
    with job.store.view() as view, job.reporter.progress(label, total=len(coming), unit="packages") as bar:
        direct = direct_packages(
            coming, job.prefix, owned=plan.paths, platform=job.platform, stands_at=stands_at, view=view
        )
        here = {one.package.record.name for one in direct}
        left = [one for one in coming if one.package.record.name not in here]
        contents = [one.read() for one in left]
        skeleton = job.skeleton and not any(item.claim.link for content in contents for item in content.items)
        with link_directly(job.prefix, direct, bar.advance, skeleton=skeleton):
            without_links = [one for one in direct if not one.links]
            records = render_records(without_links, provenance=origins, requested=job.requested, link_digests={})
        if left:
            from envgen.prefix.installer import install  # noqa: PLC0415  rattler takes 50 ms, and serves few packages

            build_view(view, contents, plan.ownership.clobbered)
            install(
                job.packages,
                job.prefix,
                view=view,
                platform=job.platform,
                staying={str(package.record.name) for package in job.packages} - {one.name for one in left},
                alternative_prefix=job.alternative_prefix,
                bar=bar,
            )
    if not any(_CACHE_TAG in one.paths for one in coming):
        (job.prefix / _CACHE_TAG).unlink(missing_ok=True)
    shared = {str(one.package.record.name): one.shared(job.store.packages.statuses(one.package.key)) for one in direct}
    return _tell(job, direct, left, origins, records), shared


def _origins(job: _LinkJob, coming: Iterable[Brought]) -> dict[str, Provenance]:
    portable = job.alternative_prefix is not None
    return {one.name: provenance(one.package, portable=portable, archives=job.archives) for one in coming}


def _tell(
    job: _LinkJob,
    direct: Sequence[DirectPackage],
    left: Sequence[Brought],
    origins: Mapping[str, Provenance],
    records: Mapping[str, RenderedRecord],
) -> tuple[InstalledPackage, ...]:
    """Write the records of packages that were linked here, and make those of rattler say the truth.

    Args:
        job: the change.
        direct: packages that were linked here.
        left: those that rattler linked.
        origins: name -> where the package came from.
        records: those of `direct` that have no links; others need to know where these lead.
    """
    dists = [one.package.record.dist for one in left]
    links = [*links_of(job.prefix, dists), *(path for one in direct for path in one.links)]
    stored = frozenset(path for one in direct for path in one.plain) if job.skeleton else frozenset()
    digests = link_digests(job.prefix, links, lambda paths: _digests(direct, paths), stored=stored)
    normal = normalise(job.prefix, provenance=origins, requested=job.requested, only=dists, digests=digests)
    with_links = [one for one in direct if one.links]
    rest = render_records(with_links, provenance=origins, requested=job.requested, link_digests=digests)
    every = {**records, **rest}
    written = [every[str(one.package.record.name)] for one in direct]
    write_records(job.prefix, written)
    return (*map(InstalledPackage.of_record, normal), *(record.installed for record in written))


def _digests(packages: Iterable[DirectPackage], paths: Collection[str]) -> dict[str, str]:
    return {path: digest for one in packages for path, digest in one.digests(paths).items()}


def _tell_requests(job: _LinkJob, changes: PrefixChanges) -> tuple[InstalledPackage, ...]:
    """Write into records of packages that stay what the spec asks for now; return these packages."""
    found = []
    for have in changes.unchanged:
        wanted = job.requested.get(have.name, "")
        if have.requested != wanted:
            tell_request(job.prefix, have.dist, wanted)
        found.append(replace(have, requested=wanted))
    return tuple(found)
