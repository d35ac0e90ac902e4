"""`lock`: specs become locks, the platforms of one spec side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.diff.delta import Delta, diff_states, state_of
from envgen.errors import EnvgenError, UsageError, UserError
from envgen.lock.debian_lock import debian_file_name
from envgen.manifest.select import load_all, select
from envgen.manifest.values import match_name
from envgen.names import project_name
from envgen.packages import ChannelPackage
from envgen.project import orphans
from envgen.project.lock_files import LockPair, find_lock, lock_path, platforms_of, reasons_against, write_pair
from envgen.project.lock_signatures import signature_files
from envgen.project.solve_groups import members
from envgen.resolve.upgrade import Upgrade
from envgen.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.records import Older
    from envgen.resolve.resolved import Resolved

    Solved = tuple[LockPair | None, Resolved]
    """What was locked for a platform, and what will be."""

_CLOSE = 3
"""Names that are offered for one that is not locked."""


class LockOptions(Struct, frozen=True, kw_only=True):
    """What to lock.

    Attributes:
        env: name of the spec, or None for the project's only or default one.
        everything: all environments of the project instead; locks without a spec are removed, not only told.
        platforms: those to lock; all of the spec without.
        upgrade: what may be newer than it is locked; nothing by default.
        check: write nothing, and say of each lock whether it is up to date. Offline.
        at_hand: with `check`, also ask whether the store and bundles have every file that a lock needs.
        refresh: ask all indexes, also where nothing changed since a lock was made.
        dry_run: solve and write nothing.
        pin_local: whether the files of projects of the repository are locked; None for as it was.

    Raises:
        UsageError: `env` is given, and `everything`; or `check`, and `refresh`, `dry_run` or `pin_local`.
    """

    env: str | None = None
    everything: bool = False
    platforms: Sequence[Platform] = ()
    upgrade: Upgrade = field(default_factory=Upgrade)
    check: bool = False
    at_hand: bool = False
    refresh: bool = False
    dry_run: bool = False
    pin_local: bool | None = None

    def __post_init__(self) -> None:
        if self.env and self.everything:
            raise UsageError("`ENV` and `--all` cannot be combined", hint="remove one of them")
        for option in [name for name in ("refresh", "dry_run", "pin_local") if self.check and getattr(self, name)]:
            what = f"`--check` and `--{option.replace('_', '-')}` cannot be combined"
            raise UsageError(what, hint="remove one of them")


class LockOutcome(Struct, frozen=True, kw_only=True):
    """What became of one lock.

    Attributes:
        platform: of the lock.
        path: of its file, from the project's root.
        packages: how many are locked.
        written: whether a file changed, or would change.
        first: whether there was no lock before.
        changes: from the old lock to the new one, Debian packages left out; from nothing where there was none.
        older: what was chosen now and is not the newest, and why.
        solved: False where nothing changed since the lock was made, so that no index of wheels or channels was asked.
    """

    platform: Platform
    path: str
    packages: int
    written: bool
    first: bool
    changes: Delta
    older: tuple[Older, ...] = ()
    solved: bool = True


class LockVerdict(Struct, frozen=True, kw_only=True):
    """Return whether a lock is up to date.

    Attributes:
        path: of its file, from the project's root.
        reasons: why it is not; empty where it is.
        missing: whether there is no such file.
        not_here: files of the lock that neither the store nor a bundle has, in words, where that was asked.
    """

    path: str
    reasons: tuple[str, ...]
    missing: bool = False
    not_here: tuple[str, ...] = ()


class LockResult(Struct, frozen=True, kw_only=True):
    """What `lock` did, or found.

    Attributes:
        outcomes: of each lock that was solved; empty where they were only checked.
        verdicts: on each lock; empty unless they were only checked.
        removed: paths of locks that nothing asks for and that are gone, or would be; Debian locks beside them, too.
        orphans: path of one that stays -> why nothing asks for it.
    """

    outcomes: tuple[LockOutcome, ...] = ()
    verdicts: tuple[LockVerdict, ...] = ()
    removed: tuple[str, ...] = ()
    orphans: Mapping[str, str] = field(default_factory=dict)


def lock(context: Context, options: LockOptions) -> LockResult:
    """Resolve specs and write their locks, or check these.

    All platforms of a spec, and all specs of a solve group, are solved before the first of their files is written. A
    lock is not solved again where its
    spec, its recipes and its Debian packages did not change, unless all indexes are to be asked. Locks of platforms
    that a spec no longer names are removed, unless platforms are chosen.

    Raises:
        UserError: a spec has faults, an old lock cannot be read, or nothing bears a name in `upgrade`.
        UnsatisfiableError, NetworkError, IntegrityError: as the solve and the sources say.
    """
    if options.check:
        return LockResult(verdicts=tuple(_verdicts(context, options)))
    asked = [select(context.root, env) for env in _environments(context, options)]
    together = _together(context, asked)
    _tell_company(context, asked, together)
    outcomes = tuple(outcome for specs in together for outcome in _lock(context, options, specs))
    if options.platforms:
        return LockResult(outcomes=outcomes)
    specs = [spec for group in together for spec in group]
    dropped = [path for spec in specs for path in orphans.dropped(context, spec).values()]
    unasked = orphans.orphans(context)
    unneeded = [*dropped, *unasked] if options.everything else dropped
    return LockResult(
        outcomes=outcomes,
        removed=orphans.remove(context, unneeded, dry_run=options.dry_run),
        orphans={} if options.everything else {context.relative(path): why for path, why in unasked.items()},
    )


def _environments(context: Context, options: LockOptions) -> tuple[str | None, ...]:
    return tuple(spec.name for spec in load_all(context.root)) if options.everything else (options.env,)


def _together(context: Context, asked: Iterable[EnvSpec]) -> list[tuple[EnvSpec, ...]]:
    """Return the specs to lock, those of one solve group together and each group once."""
    groups = (members(context, spec) for spec in asked)
    return list({tuple(spec.name for spec in specs): specs for specs in groups}.values())


def _tell_company(context: Context, asked: Sequence[EnvSpec], together: Iterable[Sequence[EnvSpec]]) -> None:
    """Name the environments that are locked because they are solved together with those that were asked for."""
    names = {spec.name for spec in asked}
    for specs in together:
        if more := [f"`{spec.name}`" for spec in specs if spec.name not in names]:
            group = specs[0].solve_group
            context.reporter.note(f"{' and '.join(more)} will be locked, too: the solve group `{group}` has one solve")


def _lock(context: Context, options: LockOptions, specs: Sequence[EnvSpec]) -> tuple[LockOutcome, ...]:
    try:
        solved = solve_specs(context, options, specs)
        return tuple(outcome for spec in specs for outcome in write_solved(context, options, spec, solved[spec.name]))
    except EnvgenError as error:
        error.environment = specs[0].name
        raise


def solve_specs(context: Context, options: LockOptions, specs: Sequence[EnvSpec]) -> dict[str, tuple[Solved, ...]]:
    """Resolve specs together, which need not be those on disk; nothing is written.

    Args:
        context: the world.
        options: what to lock.
        specs: one, or all of a solve group.

    Returns:
        Name of the environment -> what was locked and what will be, for each of its platforms.

    Raises:
        UserError, UnsatisfiableError, NetworkError, IntegrityError: as `lock`.
    """
    olds = {spec.name: _olds(context, options, spec) for spec in specs}
    pairs = [(spec, pair) for spec in specs for pair in olds[spec.name].values() if pair]
    _check_names(specs, [pair for _, pair in pairs], options.upgrade)
    for spec, pair in pairs:
        for reason in reasons_against(context, spec, pair, image=True):
            context.reporter.detail(f"{context.relative(pair.path)}: {reason}")
    # takes 0.2 s, and `--check` needs none of it
    from envgen.resolve.solve_group import resolve_together  # noqa: PLC0415

    found = resolve_together(
        context, specs, olds, options.upgrade, refresh=options.refresh, pin_local=options.pin_local
    )
    _tell_link_scripts(context, [new for news in found.values() for new in news])
    return {name: tuple(zip(olds[name].values(), news, strict=True)) for name, news in found.items()}


def _olds(context: Context, options: LockOptions, spec: EnvSpec) -> dict[Platform, LockPair | None]:
    """Read the locks of a spec; of one that is solved along with others, for those of the platforms that it has."""
    asked = [platform for platform in options.platforms if platform in spec.targets or not spec.solve_group]
    chosen = platforms_of(spec, asked) if asked or not options.platforms else ()
    return {platform: find_lock(context, spec, platform) for platform in chosen}


def write_solved(
    context: Context, options: LockOptions, spec: EnvSpec, solved: Sequence[Solved]
) -> tuple[LockOutcome, ...]:
    """Write the locks of a spec, unless it is a dry run, and return what changed."""
    outcomes = tuple(_write(context, spec, old, new, dry_run=options.dry_run) for old, new in solved)
    for path in [path for one in outcomes if one.written for path in signature_files(context, spec.name, one.platform)]:
        verb = "would sign" if options.dry_run else "signs"
        context.reporter.note(
            f"`{context.relative(path)}` {verb} an older lock: `envgen sign {spec.name} KEY` renews it"
        )
    return outcomes


def _tell_link_scripts(context: Context, news: Sequence[Resolved]) -> None:
    """Name new packages with link scripts: those in the store, since an index does not tell what is in a package."""
    if not any(isinstance(package, ChannelPackage) for new in news for package in new.lock.packages):
        return
    from envgen.prepare.packages import tell_link_scripts  # noqa: PLC0415  as above
    from envgen.prepare.plan import items_of  # noqa: PLC0415

    items = {item.wanted.key: item for new in news for item in items_of(new.lock, context.names, inputs={})}
    tell_link_scripts(context, items.values())


def _check_names(specs: Sequence[EnvSpec], olds: Collection[LockPair], upgrade: Upgrade) -> None:
    """Raise where a name to upgrade is not locked: a misspelt one would pass for one that has nothing newer.

    Raises:
        UserError: neither a spec nor a lock has such a name.
    """
    known = {project_name(name) for pair in olds for name in _locked_names(pair)}
    known |= {project_name(requirement.name) for spec in specs for requirement in spec.pypi}
    known |= {project_name(match_name(text)) for spec in specs for text in spec.dependencies}
    for name in sorted({*upgrade.names, *upgrade.pins}):
        if project_name(name) not in known:
            raise UserError(
                f"cannot upgrade `{name}`: it is not locked",
                hint=nearest(name, known, most=_CLOSE) or "run `envgen list` to show the locked packages",
            )


def _locked_names(pair: LockPair) -> Iterator[str]:
    for package in pair.lock.packages:
        yield package.name
    for deb in pair.debian.packages if pair.debian else ():
        yield from (deb.name, *deb.used_by)
    yield from pair.lock.recipes


def _write(context: Context, spec: EnvSpec, old: LockPair | None, new: Resolved, *, dry_run: bool) -> LockOutcome:
    platform = new.lock.platform
    path = lock_path(context, spec, platform)
    beside = context.locks / debian_file_name(spec.name, platform)
    written = write_pair(path, new.text, beside=beside, debian_text=new.debian_text, dry_run=dry_run)
    return LockOutcome(
        platform=platform,
        path=context.relative(path),
        packages=len(new.lock.packages),
        written=bool(written.changed or written.removed),
        first=old is None,
        changes=diff_states(state_of(old.lock, None) if old else None, state_of(new.lock, None), exact=True),
        older=new.older,
        solved=new.solved,
    )


def _verdicts(context: Context, options: LockOptions) -> Iterator[LockVerdict]:
    """Check each lock; one of a platform that its spec dropped, or without a spec, is not up to date."""
    for env in _environments(context, options):
        spec = select(context.root, env)
        yield from (_verdict(context, options, spec, platform) for platform in platforms_of(spec, options.platforms))
        for platform, path in orphans.dropped(context, spec).items() if not options.platforms else ():
            reasons = (f"the spec no longer names the platform {platform}",)
            yield LockVerdict(path=context.relative(path), reasons=reasons)
    for path, why in orphans.orphans(context).items() if options.everything else ():
        yield LockVerdict(path=context.relative(path), reasons=(why,))


def _verdict(context: Context, options: LockOptions, spec: EnvSpec, platform: Platform) -> LockVerdict:
    pair = find_lock(context, spec, platform)
    path = context.relative(lock_path(context, spec, platform))
    if pair is None:
        return LockVerdict(path=path, reasons=("the file is missing",), missing=True)
    not_here = tuple(_not_here(context, pair)) if options.at_hand else ()
    return LockVerdict(path=path, reasons=tuple(reasons_against(context, spec, pair, image=True)), not_here=not_here)


def _not_here(context: Context, pair: LockPair) -> Iterator[str]:
    """Yield a line for each file of a lock that neither the store nor a bundle has."""
    from envgen.prepare.artifacts import artifacts_of, is_at_hand  # noqa: PLC0415  a plain `--check` needs none of it

    for artifact in artifacts_of(context, pair):
        if not is_at_hand(context, artifact.sha256):
            yield f"`{artifact.filename}` (sha256 {artifact.sha256}) is neither in the store nor in a bundle"
