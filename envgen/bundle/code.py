"""Code of the project that packages of a lock are built from: a bundle holds it, since it is built where it is read.

Hidden files and symbolic links are left out: a bundle writes neither.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from envgen.builds import LocalSource
from envgen.bundle.parts import text_part
from envgen.errors import UserError
from envgen.project import shipped
from envgen.project.local_projects import pins_local, project_folder
from envgen.system.project_files import project_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.bundle.parts import BundledFile
    from envgen.lock.model import Lock
    from envgen.project.context import Context

CODE = "project/"
"""Before the path of a file from the project's root."""


def code_parts(context: Context, lock: Lock) -> Iterator[BundledFile]:
    """Yield the files that projects of the repository and recipes are built from.

    Raises:
        UserError: a project is outside of the repository, or pinned with files that a bundle leaves out.
    """
    for file in sorted({*_of_wheels(context, lock), *_of_recipes(context, lock)}):
        path = os.path.relpath(file, context.root)
        if path.startswith("../"):
            raise UserError(f"`{path}` is outside of the project, so that a bundle cannot hold it")
        if file.is_symlink() or any(part.startswith(".") for part in path.split("/")):
            if pins_local(lock):
                raise UserError(
                    f"`{path}` is pinned, and a bundle cannot contain hidden files and symbolic links",
                    hint="run `envgen lock --no-pin-local`",
                )
            continue
        yield text_part(f"{CODE}{path}", file.read_bytes(), executable=bool(file.stat().st_mode & 0o100))


def _of_wheels(context: Context, lock: Lock) -> Iterator[Path]:
    sources = (wheel.made.source for wheel in lock.wheels if wheel.made)
    for path in {source.path for source in sources if isinstance(source, LocalSource)}:
        folder = project_folder(context.root, path)
        yield from (folder / file for file in project_files(folder, context.environment))


def _of_recipes(context: Context, lock: Lock) -> Iterator[Path]:
    recipes = shipped.recipes(context.root) if lock.recipe_sources else {}
    for name in lock.recipe_sources.keys() & recipes.keys():
        yield from (recipes[name].folder / file for file in recipes[name].outside_files(context.environment))
