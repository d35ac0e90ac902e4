"""`report`: one page about the lock of an environment, and a bound on its size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import NetworkError, UsageError, UserError
from envgen.manifest.select import select
from envgen.ops._audit import AuditOptions, audit
from envgen.ops._check import check_locks
from envgen.ops._diff import DiffOptions, diff
from envgen.ops._image import ImageOptions, image
from envgen.ops._licenses import licenses
from envgen.ops._report_audit import reported_audit
from envgen.ops._report_parts import (
    reported_difference,
    reported_finding,
    reported_groups,
    reported_layers,
    reported_links,
    reported_packages,
    reported_stack,
    touched_parts,
)
from envgen.prepare.package_files import sizes_of
from envgen.prepare.packages import recipe_inputs
from envgen.prepare.plan import items_of
from envgen.project import shipped
from envgen.project.lock_files import platforms_of, require_lock
from envgen.project.lock_graph import lock_graph
from envgen.report.budget import budget_of
from envgen.report.model import Report, ReportedImage
from envgen.report.page import render_page
from envgen.sizes import parse_size
from envgen.system.host import probe_host
from envgen.system.output_file import write_output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envgen.diff.comparison import Comparison
    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair


class ReportOptions(Struct, frozen=True, kw_only=True):
    """What to report.

    Attributes:
        env: name of the spec, or None for the project's only or default one.
        platform: whose lock; this machine's where the spec has it, else the spec's first, without.
        output: file for the page; relative paths count from the working directory. No page is written without.
        against: git revision, lock file or folder of locks to compare with.
        budget: bound on the bytes of all packages, `5GB`.
        database: of advisories; see `AuditOptions`.
    """

    env: str | None = None
    platform: Platform | None = None
    output: Path | None = None
    against: str | None = None
    budget: str | None = None
    database: Path | None = None


def report(context: Context, options: ReportOptions) -> Report:
    """Report on the lock of an environment, and write the page; nothing is fetched or built.

    Raises:
        UsageError: the budget is not a size.
        UserError: there is no such spec, platform or revision, or the page cannot be written.
        LockError: a lock is missing or cannot be read.
        IntegrityError: the database of advisories is damaged.
    """
    limit = None if options.budget is None else _limit(options.budget)
    spec = select(context.root, options.env)
    platform = _platform(spec, options.platform)
    pair = require_lock(context, spec, platform)
    found = _report(context, spec, pair, options, limit=limit)
    if options.output:
        write_output(context.directory / options.output, render_page(found, shipped.report_texts()))
    return found


def _limit(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"`--budget`: {error}", hint="for example `5GB` or `512MiB`") from error


def _platform(spec: EnvSpec, asked: Platform | None) -> Platform:
    if asked:
        return platforms_of(spec, (asked,))[0]
    here = probe_host().platform
    return here if here in spec.targets else next(iter(spec.targets))


def _report(context: Context, spec: EnvSpec, pair: LockPair, options: ReportOptions, *, limit: int | None) -> Report:
    platform = pair.lock.platform
    items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    checked = check_locks(context, spec, [pair])
    verdicts = licenses(context, env=spec.name, platforms=(platform,), offline=True)
    graph = lock_graph(context, spec, pair)
    packages = reported_packages(items, _sizes(context, items), verdicts, graph)
    compared = None if options.against is None else _compared(context, spec, platform, options.against)
    difference = None if compared is None else reported_difference(compared)
    audited = AuditOptions(env=spec.name, platforms=(platform,), database=options.database, offline=True)
    return Report(
        environment=spec.name,
        platform=str(platform),
        others=tuple(str(other) for other in spec.targets if other != platform),
        made=context.now.date().isoformat(),
        packages=packages,
        stack=reported_stack(pair.lock, graph),
        links=reported_links(pair.lock, graph),
        image=_image(context, spec, pair, items, compared) if platform.is_linux and spec.image else None,
        findings=tuple(map(reported_finding, checked.locks[0].misfits)),
        unread=checked.locks[0].unread,
        has_policy=spec.licenses is not None,
        audit=reported_audit(audit(context, audited)),
        difference=difference,
        budget=None if limit is None else budget_of(limit, packages, difference),
        description=spec.description,
        variables=dict(spec.env),
    )


def _sizes(context: Context, items: Sequence[PlannedPackage]) -> dict[str, Mapping[str, int]]:
    """Read path -> bytes of the files of each package that the store has."""
    with context.store.in_use():
        folders = {item.wanted.name: context.store.package(item.wanted.key) for item in items}
        return {name: sizes_of(folder) for name, folder in folders.items() if folder}


def _compared(context: Context, spec: EnvSpec, platform: Platform, against: str) -> Comparison:
    return diff(context, DiffOptions(old=against, env=spec.name, platforms=(platform,)))


def _image(
    context: Context,
    spec: EnvSpec,
    pair: LockPair,
    items: Sequence[PlannedPackage],
    compared: Comparison | None,
) -> ReportedImage:
    """Plan the layers where the store has every package; else group the packages as the plan would."""
    touched = touched_parts(compared, items) if compared else frozenset()
    options = ImageOptions(env=spec.name, platforms=(pair.lock.platform,), frozen=True, dry_run=True)
    try:
        images = image(context, options).images
    except (UserError, NetworkError) as error:
        return ReportedImage(planned=False, layers=reported_groups(items, pair.debian, touched), why=str(error))
    if not images:
        why = "not every package is in the cache"
        return ReportedImage(planned=False, layers=reported_groups(items, pair.debian, touched), why=why)
    return ReportedImage(planned=True, layers=reported_layers(images[0].layers, items, touched))
