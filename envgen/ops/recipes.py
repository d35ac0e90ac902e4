"""Recipes at work: what they make for a platform, and making it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import rattler

from envgen.build.archive import extract_conda
from envgen.build.deb import build_bundle, build_empty
from envgen.build.deb_plan import describe
from envgen.errors import DigestMismatchError, GoneError, LockError, UserError
from envgen.ops import data
from envgen.ops.archives import content_key, ensure_built
from envgen.records import BuiltPackage, Record
from envgen.sources.debian import DebianArchive
from envgen.sources.recipes import find_recipes, read_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from envgen.build.deb_plan import BundlePackage
    from envgen.debs import Deb
    from envgen.lock.model import LockedBuilt
    from envgen.ops.archives import Built
    from envgen.ops.context import Context
    from envgen.ops.locks import LockPair
    from envgen.platforms import Platform
    from envgen.sources.debian_closure import Replaced
    from envgen.sources.recipes import Recipe
    from envgen.spec.bundle import Bundle

_DOWNLOADS = 6
"""Small files from one mirror at once: enough to hide the way there and back, few enough to be polite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a recipe makes for one platform.

    Attributes:
        recipe: where it is written.
        bundle: what is written there.
        debs: the Debian packages that go in, sorted by name.
        records: the packages that come out, built and digested.
        replaced: Debian packages that could not be kept as locked.
    """

    recipe: Recipe
    bundle: Bundle
    debs: tuple[Deb, ...]
    records: tuple[Record, ...]
    replaced: tuple[Replaced, ...]


def make(context: Context, recipe: Recipe, *, platform: Platform, keep: Collection[Deb] = ()) -> Made:
    """Resolve, fetch and build a recipe, or take from the store what was built before.

    Args:
        context: the world.
        recipe: to make.
        platform: to make it for; need not be this machine's.
        keep: Debian packages that are locked, taken again as long as a suite offers them.

    Raises:
        UnsatisfiableError, NetworkError, IntegrityError: as the sources and the builder say.
    """
    bundle = read_bundle(recipe)
    archive = debian_archive(context, bundle.suites)
    closure = archive.closure(bundle.packages, architecture=platform.debian_arch, exclude=bundle.exclude, keep=keep)
    built = _build(context, bundle, closure.debs, archive, platform=platform)
    records = tuple(_record(recipe, package, facts) for package, facts in built)
    return Made(recipe=recipe, bundle=bundle, debs=closure.debs, records=records, replaced=closure.replaced)


def provide_built(context: Context, package: LockedBuilt, pair: LockPair) -> None:
    """Have a locked package in the store: from the channel that publishes such packages, else built again.

    Raises:
        As `rebuild`, and NetworkError where a channel is set and cannot be reached.
    """
    if not _fetch_published(context, package):
        rebuild(context, package, pair)


def _fetch_published(context: Context, package: LockedBuilt) -> bool:
    """Take a locked package's own archive from `ENVGEN_CHANNEL`; tell whether it is there.

    Another archive of the same name counts as not there: what is built instead has to have the locked content.
    """
    if not context.mirrors.find("ENVGEN_CHANNEL"):
        return False
    url = context.mirrors.expand(package.url)
    try:
        archive = context.store.ensure_artifact(
            package.sha256, lambda out: context.http.download(url, out, expected=package.sha256, size=package.size)
        )
    except (GoneError, DigestMismatchError):
        context.reporter.note(f"`{package.filename}` is built here: the channel does not have it as it is locked")
        return False
    key = content_key(f"{package.name}-{package.version}-{package.build}", package.content)
    context.store.ensure_package(key, partial(extract_conda, archive))
    return True


def rebuild(context: Context, package: LockedBuilt, pair: LockPair) -> None:
    """Have a locked package in the store, built again from the Debian packages that are locked with it.

    Raises:
        GoneError: a locked Debian package is no longer offered.
        IntegrityError: what was built is not what is locked.
        LockError: the recipe or the Debian lock is missing.
    """
    recipe = find_recipes(data.recipe_folders(context.root)).get(package.recipe)
    if recipe is None or pair.debian is None:
        what = f"the recipe `{package.recipe}`" if recipe is None else "the Debian lock"
        raise LockError(f"`{package.name}` cannot be built: {what} is missing", hint="run `envgen lock`")
    bundle = read_bundle(recipe)
    archive = debian_archive(context, bundle.suites)
    debs = pair.debian.used_by(recipe.name)
    built = _build(context, bundle, debs, archive, platform=pair.lock.platform)
    facts = next((facts for described, facts in built if described.name == package.name), None)
    if facts is None:
        raise LockError(f"the recipe `{recipe.name}` makes no `{package.name}` any more", hint="run `envgen lock`")
    if facts.content != package.content:
        raise DigestMismatchError(
            what=f"the content of `{package.name}`",
            where=f"recipe `{recipe.name}`",
            expected=package.content,
            got=facts.content,
            hint=f"if another version of envgen locked it: `envgen lock --upgrade {package.name}`",
        )
    if facts.sha256 != package.sha256:
        context.reporter.note(f"`{package.name}` has the locked content; its archive compresses otherwise here")


def needed_recipes(context: Context, dependencies: Iterable[str]) -> dict[str, Recipe]:
    """Find the recipes that a spec can need: those it names, and Python's."""
    known = find_recipes(data.recipe_folders(context.root))
    named = [str(name.normalized) for text in dependencies if (name := rattler.MatchSpec(text).name)]
    return {name: known[name] for name in dict.fromkeys((*named, "python")) if name in known}


def debian_archive(context: Context, suites: Iterable[str]) -> DebianArchive:
    """Open some suites of Debian, trusted by the keys that ship or by those that `ENVGEN_DEBIAN_KEYRING` names."""
    own = context.environment.get("ENVGEN_DEBIAN_KEYRING")
    try:
        keys = (Path(own).read_bytes(),) if own else data.debian_keys()
    except OSError as error:
        raise UserError(f"ENVGEN_DEBIAN_KEYRING: {error}", hint="unset it to use the keys that ship") from error
    return DebianArchive(
        http=context.http,
        store=context.store,
        mirrors=context.mirrors,
        suites=tuple(suites),
        keys=keys,
        now=context.now,
    )


def _build(
    context: Context, bundle: Bundle, debs: Collection[Deb], archive: DebianArchive, *, platform: Platform
) -> list[tuple[BundlePackage, Built]]:
    """Have the packages of a bundle in the store."""

    def fill(dest: Path) -> None:
        files = _fetch(context, debs, archive, architecture=platform.debian_arch)
        build_bundle(bundle, files, platform=platform, dest=dest, reporter=context.reporter)

    main, *others = describe(bundle, debs, platform=platform)
    built = [(main, ensure_built(context.store, main.key, fill))]
    for other in others:
        make = partial(_build_empty, other, bundle, platform)
        built.append((other, ensure_built(context.store, other.key, make)))
    return built


def _build_empty(package: BundlePackage, bundle: Bundle, platform: Platform, dest: Path) -> None:
    build_empty(package, bundle, platform=platform, dest=dest)


def _fetch(context: Context, debs: Collection[Deb], archive: DebianArchive, *, architecture: str) -> dict[Deb, Path]:
    """Have Debian packages in the store, verified."""
    missing = [deb for deb in debs if not context.store.artifact(deb.sha256)]
    total = sum(deb.size for deb in missing)
    with context.reporter.progress("Debian packages", total=total) as bar, ThreadPoolExecutor(_DOWNLOADS) as pool:

        def fetch(deb: Deb) -> Path:
            source = partial(_download, context, archive, deb, architecture=architecture, advance=bar.advance)
            return context.store.ensure_artifact(deb.sha256, source)

        return dict(zip(debs, pool.map(fetch, debs), strict=True))


def _download(
    context: Context,
    archive: DebianArchive,
    deb: Deb,
    out: BinaryIO,
    *,
    architecture: str,
    advance: Callable[[int], None],
) -> None:
    """Download a Debian package from where it is locked, else from where the same bytes are offered now."""
    try:
        context.http.download(archive.locate(deb), out, expected=deb.sha256, size=deb.size, advance=advance)
    except GoneError as error:
        moved = archive.find(deb, architecture=architecture)
        if moved is None or moved.url == deb.url:
            raise GoneError(
                f"`{deb.name}` {deb.version} is no longer offered by Debian",
                hint="`envgen lock` takes its successor, and leaves the rest as it is",
            ) from error
        context.http.download(archive.locate(moved), out, expected=deb.sha256, size=deb.size, advance=advance)


def _record(recipe: Recipe, package: BundlePackage, facts: Built) -> Record:
    return Record(
        name=package.name,
        version=package.version,
        build=package.build,
        build_number=0,
        subdir=package.subdir,
        depends=package.depends,
        constrains=package.constrains,
        noarch="generic" if package.subdir == "noarch" else None,
        license=package.license,
        origin=BuiltPackage(
            recipe=recipe.name,
            filename=f"{package.dist}.conda",
            md5=facts.md5,
            sha256=facts.sha256,
            content=facts.content,
            size=facts.size,
        ),
    )
