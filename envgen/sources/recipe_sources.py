"""Files of the project that a recipe builds from beyond its folder: `source: {path: ../../libs/native}`."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from envgen.errors import ArtifactError, Fault, SpecError
from envgen.system.project_files import project_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def outside_sources(folder: Path, content: Mapping[str, Any]) -> tuple[str, ...]:
    """List each `source.path` of a recipe beyond its folder, normalised, sorted.

    Args:
        folder: of the recipe, `recipes/NAME` of a project.
        content: of its `recipe.yaml`.

    Raises:
        SpecError: a path is absolute, leads out of the project, or to nothing.
    """
    paths = {_checked(folder, source) for source in _paths(content)}
    return tuple(sorted(path for path in paths if _is_beyond(path)))


def files_of(folder: Path, source: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """List the files of a `source.path` beyond its folder, as paths from that folder, by the rule of `project_files`.

    Raises:
        SpecError: a symbolic link leads out of it.
        UserError: as `project_files` says.
    """
    start = folder / source
    if start.is_file():
        return (source,)
    try:
        return tuple(f"{source}/{file}" for file in project_files(start, environment))
    except ArtifactError as error:
        raise _fault(folder, error.message) from error


def _paths(content: Mapping[str, Any]) -> Iterator[str]:
    outputs = content.get("outputs")
    for part in (content, *(outputs if isinstance(outputs, list) else ())):
        source = part.get("source") if isinstance(part, dict) else None
        for one in source if isinstance(source, list) else [source]:
            if isinstance(one, dict) and isinstance(one.get("path"), str):
                yield one["path"]


def _checked(folder: Path, source: str) -> str:
    if PurePosixPath(source).is_absolute():
        raise _fault(folder, f"got the absolute path {source!r}, which other machines do not have")
    path = os.path.normpath(source)
    if _is_beyond(path):
        start, project = (folder / path).resolve(), folder.parent.parent.resolve()
        if not start.is_relative_to(project):
            raise _fault(folder, f"{source!r} is outside of the project")
        if folder.resolve().is_relative_to(start):
            raise _fault(folder, f"{source!r} contains the recipe itself")
        if not start.exists():
            raise _fault(folder, f"{source!r} does not exist")
    return path


def _is_beyond(path: str) -> bool:
    return path == ".." or path.startswith("../")


def _fault(folder: Path, what: str) -> SpecError:
    return SpecError((Fault(where=f"recipes/{folder.name}/recipe.yaml: `source.path`", what=what),))
