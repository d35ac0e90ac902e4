"""`create`: a lock becomes an environment on this machine."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.create.editable import projects_to_link, told_links
from envgen.create.examine import examine
from envgen.create.fit import remedy, unfit
from envgen.create.known import shown_name
from envgen.create.place import Place, conda_settings, destination
from envgen.create.register import register
from envgen.digest import Sha256
from envgen.errors import ArtifactError, EnvgenError, HostError, UsageError, UserError
from envgen.lock.request import active
from envgen.manifest.select import load_all, select
from envgen.manifest.values import match_name
from envgen.manifest.variables import env_at, loading, unlike_in_fish
from envgen.names import project_name
from envgen.prefix.kernel import changed_kernel, write_kernel
from envgen.prefix.link_plan import plan_links
from envgen.prefix.mend import mend
from envgen.prefix.origin import Origin, remember_origin
from envgen.prefix.settled import is_settled
from envgen.prefix.transaction import unfinished
from envgen.prefix.variables import changed_variables, write_variables
from envgen.prepare.built_files import is_local
from envgen.prepare.disk import refuse_full_prefix, trim_cache
from envgen.prepare.packages import archives_address, link_packages, plan, recipe_inputs, tell_link_scripts
from envgen.prepare.plan import items_of
from envgen.project.lock_files import require_current_lock
from envgen.structs import replace
from envgen.system.fs import folds_case
from envgen.system.host import probe_host
from envgen.system.os_faults import explained
from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from envgen.create.examine import Examined
    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import ProjectName
    from envgen.prefix.changes import PrefixChanges
    from envgen.prefix.foreign import ForeignPackage
    from envgen.prefix.kernel import KernelChange
    from envgen.prefix.link_plan import LinkPlan
    from envgen.prepare.plan import Plan
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair


class CreateOptions(Struct, frozen=True, kw_only=True):
    """What `create` is to make.

    Attributes:
        env: name of the spec, or None for the project's only or default one.
        place: where the environment goes.
        frozen: use the lock as it is, even if it is out of date.
        verify: read every file that is installed, and reinstall packages whose files were modified.
        dry_run: plan, and change nothing.
        compile_now: compile Python files at once, also where nothing else is to be done.
        prune: remove what was installed beside the lock.
        editable: names of projects of the repository that are linked to their sources instead of installed.
    """

    env: str | None = None
    place: Place = field(default_factory=Place)
    frozen: bool = False
    verify: bool = False
    dry_run: bool = False
    compile_now: bool = False
    prune: bool = False
    editable: tuple[str, ...] = ()


class PlannedCreate(Struct, frozen=True, kw_only=True):
    """What `create` will do, or did.

    Attributes:
        spec: of the environment.
        pair: the lock for this machine's platform.
        prefix: where the environment goes, absolute.
        plan: what is fetched, made, linked and unlinked.
        links: the plan of the links, where the store has every package already.
        examined: what became of the environment that exists.
        variables: variable that `env` of the spec changes -> its value, or None where it goes.
        kernel: how Jupyter shows the environment's kernel; None where the lock brings none.
        kernel_change: what becomes of the kernel; None where it is as it should be.
        remove: paths that belong to no package of the lock, and go.
    """

    spec: EnvSpec
    pair: LockPair
    prefix: Path
    plan: Plan
    links: LinkPlan | None
    examined: Examined
    remove: frozenset[str]
    variables: Mapping[str, str | None]
    kernel: str | None
    kernel_change: KernelChange | None

    @property
    def damaged(self) -> Mapping[str, tuple[str, ...]]:
        """Packages of the environment that are linked again, and what happened to each."""
        return self.examined.damaged

    @property
    def pruned(self) -> tuple[ForeignPackage, ...]:
        """Distributions beside the lock that are removed."""
        return tuple(one for one in self.examined.beside if self.remove.intersection(one.files))

    @property
    def acts(self) -> bool:
        """Return whether anything in the environment is changed."""
        return bool(self.plan or self.remove or self.variables or self.kernel_change or self.examined.drift.modes)


def chosen_environments(context: Context, envs: Sequence[str], *, everything: bool) -> tuple[str | None, ...]:
    """Return the environments to create: those named, or all that have the platform of this machine.

    Returns:
        None alone for the project's only or default one.

    Raises:
        UsageError: some are named beside `everything`.
        UserError: there is none of a name, or none for this machine; nothing was created then.
    """
    if envs and everything:
        raise UsageError("`ENV` and `--all` cannot be combined", hint="remove one of them")
    if not everything:
        return tuple(select(context.root, env).name for env in dict.fromkeys(envs)) or (None,)
    here = probe_host().platform
    specs = load_all(context.root)
    for spec in [spec for spec in specs if here not in spec.targets]:
        context.reporter.note(f"`{spec.name}` is left out: it is not for {here}, only for {', '.join(spec.targets)}")
    found = tuple(spec.name for spec in specs if here in spec.targets)
    if not found:
        raise UserError(f"no environment supports {here}", hint=f"add {here} under `platforms` in a spec")
    return found


def create(
    context: Context,
    options: CreateOptions,
    *,
    on_plan: Callable[[PlannedCreate], object] | None = None,
    on_change: Callable[[PlannedCreate], object] | None = None,
) -> PlannedCreate:
    """Make a prefix hold what the lock for this machine says; with `dry_run` only plan it.

    If it is interrupted, the next run finishes the job. Two processes on one prefix wait for each other.

    Args:
        context: the world.
        options: what to make.
        on_plan: called with the plan before anything is changed.
        on_change: called with the final plan before anything is linked, where it differs from the first one: packages
            had to be fetched, or another process has changed the environment in the meantime.

    Returns:
        The plan that was carried out.

    Raises:
        LockError: there is no lock, or it is out of date.
        SignatureError: none of the required keys has signed the lock.
        HostError: this machine lacks what the lock needs.
        UserError: the environment cannot go where it should.
        GoneError: a locked artifact is no longer offered; `envgen lock` is the remedy.
        NetworkError, IntegrityError: as sources, builders and the linker say.
    """
    planned = _plan(context, options)
    if on_plan:
        on_plan(planned)
    if options.dry_run:
        return planned
    mend(planned.prefix, planned.examined.drift, context.reporter)
    changes = planned.plan or planned.remove
    linked = set(planned.plan.changes.link)
    refuse_full_prefix(context, planned.prefix, [i for i in planned.plan.items if i.wanted.name in linked])
    done = _change(context, planned, on_change or (lambda _final: None)) if changes else planned
    _remember(context, planned)
    if planned.plan.prepare:
        trim_cache(context)
    if options.compile_now:
        _compile(planned)
    return done


def _remember(context: Context, planned: PlannedCreate) -> None:
    """Write the variables of the spec, the kernel, and which lock the environment was made from."""
    pair = planned.pair
    digest = Sha256.of(pair.text.encode())
    lock = context.relative(pair.path)
    origin = Origin(project=context.root, environment=planned.spec.name, lock=lock, sha256=digest)
    with explained(planned.prefix):
        write_variables(planned.prefix, env_at(planned.spec.env, str(planned.prefix)))
        write_kernel(planned.prefix, planned.kernel)
        remember_origin(planned.prefix, origin)


def _plan(context: Context, options: CreateOptions) -> PlannedCreate:
    spec = select(context.root, options.env)
    host = probe_host()
    asked = frozenset(map(project_name, options.editable))
    pair = require_current_lock(context, spec, host.platform, frozen=options.frozen, linked=asked)
    if context.required_keys:
        from envgen.project.lock_signatures import require_signature  # noqa: PLC0415  few require one

        require_signature(context, spec, pair)
    linked = projects_to_link(pair.lock, options.editable)
    pair = _with_local_files(context, pair, linked)
    if faults := unfit(pair.lock, host):
        raise HostError(
            f"this machine does not meet the requirements of `{spec.name}`: {'; '.join(faults)}",
            hint=remedy(pair.lock, pair.debian, host),
        )
    prefix = destination(context, env=spec.name, place=options.place)
    for text in (*told_links(pair.lock, linked, prefix), *loading(spec.env), *unlike_in_fish(spec.env)):
        context.reporter.note(text)
    found = examine(context, prefix, verify=options.verify)
    what, planned_links = _plan_packages(context, pair, prefix, found, verify=options.verify)
    kernel = shown_name(context, prefix, spec.name) if pair.lock.has_kernel else None
    links = None
    if (what.changes or what.unsettled) and not what.prepare:
        try:
            links = planned_links()
        except ArtifactError as error:
            what = _with_damaged(context, what, error)
        else:
            what = what.with_changes(links.changes)
    return PlannedCreate(
        spec=spec,
        pair=pair,
        prefix=prefix,
        plan=what,
        links=links,
        examined=found,
        remove=found.strangers(prefix, prune=options.prune),
        variables=changed_variables(prefix, env_at(spec.env, str(prefix))),
        kernel=kernel,
        kernel_change=changed_kernel(prefix, kernel),
    )


def _plan_packages(
    context: Context, pair: LockPair, prefix: Path, found: Examined, *, verify: bool
) -> tuple[Plan, Callable[[], LinkPlan]]:
    """Compare the lock with the store and the prefix; the second result plans the links, for a store that has all."""
    items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    conflicts = pair.lock.adjustments.conflicts
    unsettled = not is_settled(prefix, conflicts)

    @cache
    def links() -> LinkPlan:
        return plan_links(
            link_packages(context, items, pair),
            found.installed,
            platform=pair.lock.platform,
            conflicts=conflicts,
            reinstall=found.damaged.keys(),
            decide_again=unsettled,
            store=context.store,
            fold_case=folds_case(prefix),
        )

    def try_links() -> None:
        with suppress(EnvgenError):  # a package is missing or damaged, which the other process is about to notice
            links()

    what = plan(
        context,
        items,
        installed=found.installed,
        unfinished=unfinished(prefix) is not None,
        unsettled=unsettled,
        reinstall=found.damaged.keys(),
        verify=verify,
        meanwhile=try_links,
    )
    return what, links


def _with_local_files(context: Context, pair: LockPair, linked: Collection[ProjectName]) -> LockPair:
    if not (any(map(is_local, pair.lock.wheels)) or pair.lock.recipe_sources):
        return pair
    # builders take half a second to import, and few environments have projects of their repository
    from envgen.prepare.locked_builds import with_local_files  # noqa: PLC0415

    return with_local_files(context, pair, linked=linked)


def _with_damaged(context: Context, what: Plan, error: ArtifactError) -> Plan:
    """Return the plan with the packages of the store to prepare that the disk damaged, where no status of a file tells.

    Raises:
        ArtifactError: `error`, where no package is damaged.
    """
    damaged_items = tuple(item for item in what.items if context.store.altered(item.wanted.key, read=True))
    if not damaged_items:
        raise error
    return replace(what, prepare=damaged_items, relinks_known=False)


def _change(context: Context, prepared: PlannedCreate, show: Callable[[PlannedCreate], object]) -> PlannedCreate:
    def tell(changes: PrefixChanges) -> None:
        final = _with_changes(prepared, changes)
        if final != prepared:
            show(final)

    with context.store.in_use():
        _prepare(context, prepared, prepared.plan)
        linked = set(prepared.plan.changes.link)
        tell_link_scripts(context, [item for item in prepared.plan.items if item.wanted.name in linked])
        try:
            changes = _link(context, prepared, tell)
        except ArtifactError as error:
            _prepare(context, prepared, _with_damaged(context, prepared.plan, error))
            changes = _link(context, prepared, tell)
    if conda_settings(context).register:
        register(prepared.prefix, home=context.home, reporter=context.reporter)
    return _with_changes(prepared, changes)


def _prepare(context: Context, prepared: PlannedCreate, what: Plan) -> None:
    if what.prepare:
        # sources and builders take half a second to import, more than linking a small environment
        from envgen.prepare.locked_builds import prepare  # noqa: PLC0415
        from envgen.prepare.streaming import keeps_wheels  # noqa: PLC0415

        keep = keeps_wheels(prepared.spec, context.environment)
        prepare(context, what, prepared.pair, keep_wheels=keep)


def _link(context: Context, prepared: PlannedCreate, tell: Callable[[PrefixChanges], object]) -> PrefixChanges:
    from envgen.prefix.link import link  # noqa: PLC0415  takes 70 ms, and mostly nothing is linked

    planned = prepared.links.packages if prepared.links else ()
    return link(
        planned or link_packages(context, prepared.plan.items, prepared.pair),
        prepared.prefix,
        store=context.store,
        platform=prepared.pair.lock.platform,
        requested=_requested(prepared, context),
        conflicts=prepared.pair.lock.adjustments.conflicts,
        reinstall=prepared.damaged.keys(),
        remove=prepared.remove,
        archives=archives_address(context),
        plan=prepared.links,
        tell=tell,
        reporter=context.reporter,
    )


def _with_changes(prepared: PlannedCreate, changes: PrefixChanges) -> PlannedCreate:
    return replace(prepared, plan=prepared.plan.with_changes(changes))


def _compile(prepared: PlannedCreate) -> None:
    """Compile all Python files, on all cores (`-j 0`); those that do not compile, such as templates, are no fault."""
    folder = prepared.prefix / prepared.spec.python.site_packages
    # `-I -S`: neither a variable nor a `.pth` file of a package runs code while files are only compiled
    python: list[str | Path] = [prepared.prefix / "bin/python", "-I", "-S"]
    with suppress(ProcessError):
        run([*python, "-m", "compileall", "-q", "-j", "0", folder])


def _requested(prepared: PlannedCreate, context: Context) -> dict[str, str]:
    """Return the requirement of the spec for each package that it names."""
    spec, lock = prepared.spec, prepared.pair.lock
    names = context.names.overridden(spec.names).substituted(lock.stand_ins)
    found = {match_name(text): text for text in spec.dependencies}
    found |= {
        str(names.conda_name(project_name(requirement.name))): str(requirement)
        for requirement in active(spec, lock.target, lock.marker_python)
    }
    return {"python": f"python {spec.python}.*", **found}
