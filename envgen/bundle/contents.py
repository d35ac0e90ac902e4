"""What a bundle holds of a lock: the project's own texts, and every file that environment and image are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.bundle.code import code_parts
from envgen.bundle.parts import (
    DEB,
    LOCK,
    OLD_CONDA,
    WHEEL,
    BundleArtifact,
    BundledFile,
    file_part,
    text_part,
)
from envgen.convert.conda_archive import write_conda
from envgen.debs import Deb
from envgen.errors import DigestMismatchError, EnvgenError, UserError
from envgen.lock.debian_lock import debian_file_name
from envgen.oci.registry import CONDA_ARCHIVE
from envgen.packages import BuiltPackage, Wheel
from envgen.prepare.artifacts import ensure_artifact, is_at_hand
from envgen.prepare.built_files import wheel_file
from envgen.prepare.fetch import files_of
from envgen.prepare.locked_builds import prepare
from envgen.prepare.packages import artifact_of, plan, recipe_inputs
from envgen.prepare.plan import items_of
from envgen.project import shipped
from envgen.project.lock_signatures import signature_files
from envgen.sources.recipes import recipe_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from envgen.digest import Sha256
    from envgen.manifest.env_spec import EnvSpec
    from envgen.packages import ChannelPackage
    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair

ENVIRONMENT, PLATFORM, SINCE = "envgen.environment", "envgen.platform", "envgen.since"
"""Annotations of the artifact of a lock; the last one is on deltas alone."""


def lock_artifact(
    context: Context, spec: EnvSpec, pair: LockPair, *, known: Collection[Sha256], since: str | None
) -> BundleArtifact:
    """Collect the texts and files of a lock; all of them are in the store.

    Args:
        context: the world.
        spec: of the lock.
        pair: the lock.
        known: files that the reader has already, which are left out.
        since: where these come from, in words.

    Raises:
        UserError: the script of a recipe fails, or may not run.
        IntegrityError: a package that a script built is not the locked one.
    """
    texts = project_texts(context, spec, pair)
    files = (*_files(context, pair, known), *_archives(context, pair, known))
    platform = pair.lock.platform
    return BundleArtifact(
        kind=LOCK,
        name=f"{spec.name}.{platform}",
        annotations={ENVIRONMENT: spec.name, PLATFORM: str(platform)} | ({SINCE: since} if since else {}),
        parts=(*texts, *files),
    )


def project_texts(context: Context, spec: EnvSpec, pair: LockPair) -> tuple[BundledFile, ...]:
    """Return the project's own files of a lock: the spec, the lock files, its recipes, and code that is built.

    Raises:
        UserError: code that is built cannot be in a bundle.
    """
    return (*_texts(context, spec, pair), *_recipes(context, pair), *code_parts(context, pair.lock))


def title_of(file: Wheel | ChannelPackage | Deb) -> str:
    """Return the path that a file of a lock has in a bundle."""
    return _place(file)[0]


def _texts(context: Context, spec: EnvSpec, pair: LockPair) -> Iterator[BundledFile]:
    for source in (spec.source, *spec.bases):
        yield text_part(source, (context.root / source).read_bytes())
    yield text_part(context.relative(pair.path), pair.path.read_bytes())
    if pair.debian:
        beside = pair.path.with_name(debian_file_name(spec.name, pair.lock.platform))
        yield text_part(context.relative(beside), beside.read_bytes())
    for signature in signature_files(context, spec.name, pair.lock.platform):
        yield text_part(context.relative(signature), signature.read_bytes())


def _recipes(context: Context, pair: LockPair) -> Iterator[BundledFile]:
    """Yield the files of the project's own recipes; those that ship come with envgen."""
    recipes = shipped.recipes(context.root)
    for name in pair.lock.recipes:
        recipe = recipes.get(name)
        if recipe and recipe.folder.is_relative_to(context.root):
            for path in recipe_files(recipe.folder):
                yield text_part(f"recipes/{name}/{path}", (recipe.folder / path).read_bytes())


def _files(context: Context, pair: LockPair, known: Collection[Sha256]) -> Iterator[BundledFile]:
    for file in (file for file in files_of(pair) if file.sha256 not in known):
        title, media_type = _place(file)
        if isinstance(file, Wheel):
            _refuse_other(context, file)
        yield file_part(title, media_type, file.sha256, _have(context, file.sha256))


def _refuse_other(context: Context, wheel: Wheel) -> None:
    """Refuse a wheel that is accepted with other files than are locked: the reader would not find it.

    Raises:
        UserError: the store has another one.
    """
    found = wheel_file(context.store, wheel)
    if found is not None and found != context.store.artifact(wheel.sha256):
        raise UserError(
            f"`{wheel.project}` was built here with other files than are locked, which a bundle cannot hold",
            hint=f"bundle it on the machine that locked it, or run `envgen lock --upgrade {wheel.project}`",
        )


def _place(file: Wheel | ChannelPackage | Deb) -> tuple[str, str]:
    """Return the title and media type of a file."""
    if isinstance(file, Deb):
        return f"debs/{artifact_of(file).filename}", DEB
    if isinstance(file, Wheel):
        return f"wheels/{file.filename}", WHEEL
    return f"channel/{file.subdir}/{file.filename}", CONDA_ARCHIVE if file.filename.endswith(".conda") else OLD_CONDA


def _archives(context: Context, pair: LockPair, known: Collection[Sha256]) -> Iterator[BundledFile]:
    """Yield the archives of packages that scripts of recipes built: nothing else could make them there."""
    recipes = shipped.recipes(context.root)
    every = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    for item in every:
        package = item.package
        if not isinstance(package, BuiltPackage) or package.sha256 in known:
            continue
        recipe = recipes.get(package.recipe)
        if (recipe is None or not recipe.is_debian) and not package.archive.local:
            title = f"channel/{package.subdir}/{package.filename}"
            yield file_part(title, CONDA_ARCHIVE, package.sha256, _archive(context, item, package, pair))


def _archive(context: Context, item: PlannedPackage, package: BuiltPackage, pair: LockPair) -> Path:
    """Write the archive of a package that was built here, unless it is at hand."""
    if is_at_hand(context, package.sha256):
        return ensure_artifact(context, package.sha256, lambda _: None)
    prepare(context, plan(context, [item]), pair)
    if context.store.artifact(package.sha256):  # a channel had it
        return _have(context, package.sha256)
    with context.store.view() as folder:
        file = folder / package.filename
        with file.open("w+b") as out:
            made = write_conda(context.store.need_package(item.wanted.key), out, stem=package.dist)
        if made.sha256 != package.sha256:
            raise DigestMismatchError(
                what=f"`{package.filename}`", where="this machine", expected=package.sha256, got=made.sha256
            )
        with context.store.new_artifact(package.sha256) as target, file.open("rb") as source:
            target.write(source.read())
    return _have(context, package.sha256)


def _have(context: Context, sha: Sha256) -> Path:
    found = context.store.sound_artifact(sha)
    if found is None:
        raise EnvgenError(f"the file with sha256 {sha} was removed from the store while it was in use")
    return found
