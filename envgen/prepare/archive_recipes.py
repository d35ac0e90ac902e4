"""Python from a relocatable archive that a spec names, by the recipe that ships for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.errors import LockError
from envgen.manifest.python_archive import RECIPE
from envgen.manifest.select import load
from envgen.prepare.artifacts import ensure_artifact
from envgen.prepare.built import ensure_outputs
from envgen.sources.recipes import ARCHIVE
from envgen.urls import display

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.lock.model import Lock
    from envgen.manifest.python_archive import PythonArchive
    from envgen.platforms import Platform, PythonMinor
    from envgen.prepare.built import Built
    from envgen.project.context import Context
    from envgen.sources.recipes import Recipe


def make_archive(
    context: Context, recipe: Recipe, archive: PythonArchive, *, platform: Platform, python: PythonMinor
) -> list[Built]:
    """Build the packages of an archive into the store.

    Raises:
        ArtifactError: it is not a relocatable CPython of this version and platform.
        NetworkError, IntegrityError: it cannot be fetched, or is another file.
    """
    # most environments have none
    from envgen.convert.python_archive import BUILDER_VERSION, ArchivePlan, build_python_archive  # noqa: PLC0415
    from envgen.manifest.archive_recipe import parse_archive_recipe  # noqa: PLC0415

    what = display(archive.url).rpartition("/")[2]

    def fill(dest: Path) -> Sequence[Path]:
        file = ensure_artifact(
            context,
            archive.sha256,
            lambda out: context.http.download(archive.url, out, expected=archive.sha256),
        )
        text = (recipe.folder / ARCHIVE).read_text(encoding="utf-8")
        plan = ArchivePlan(
            recipe=parse_archive_recipe(text, source=f"recipes/{recipe.name}/{ARCHIVE}"),
            python=python,
            platform=platform,
            sha256=archive.sha256,
        )
        with context.reporter.progress(f"unpacking `{what}`", total=None, unit="packages"):
            return build_python_archive(file, plan, dest, what=what, warn=context.reporter.warn)

    inputs = Sha256.of(f"{BUILDER_VERSION} {recipe.digest} {archive.sha256} {platform} {python}".encode())
    return ensure_outputs(context.store, f"{RECIPE}-{platform}-{inputs[:32]}", fill)


def make_locked_archive(context: Context, recipe: Recipe, lock: Lock) -> list[Built]:
    """Build the packages of the archive that the spec of a lock names.

    Raises:
        LockError: the spec names none.
        SpecError: the spec cannot be read.
        ArtifactError, NetworkError, IntegrityError: as `make_archive`.
    """
    archive = load(context.root / lock.source).python_archive.get(lock.platform)
    if archive is None:
        raise LockError(f"`{lock.source}` names no `{RECIPE}` for {lock.platform}", hint="run `envgen lock`")
    return make_archive(context, recipe, archive, platform=lock.platform, python=lock.target.python)
