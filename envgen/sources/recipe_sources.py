"""Files of the project that a recipe builds from beyond its folder: `source: {path: ../../libs/native}`."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from envgen.errors import Fault, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_OUTPUTS = frozenset({"__pycache__", "build", "dist"})


def outside_files(folder: Path, content: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """List the files beyond its folder that a recipe builds from, as paths from that folder, sorted.

    Hidden files, `__pycache__`, `build`, `dist` and `*.egg-info` are left out.

    Returns:
        `source.path`, normalised -> its files.

    Args:
        folder: of the recipe, `recipes/NAME` of a project.
        content: of its `recipe.yaml`.

    Raises:
        SpecError: a path is absolute, leads out of the project, or to nothing; or a symbolic link leads elsewhere.
    """
    found = {os.path.normpath(source): tuple(sorted(_files(folder, source))) for source in _paths(content)}
    return {source: files for source, files in sorted(found.items()) if _is_beyond(source)}


def _paths(content: Mapping[str, Any]) -> Iterator[str]:
    outputs = content.get("outputs")
    for part in (content, *(outputs if isinstance(outputs, list) else ())):
        source = part.get("source") if isinstance(part, dict) else None
        for one in source if isinstance(source, list) else [source]:
            if isinstance(one, dict) and isinstance(one.get("path"), str):
                yield one["path"]


def _files(folder: Path, source: str) -> Iterator[str]:
    if PurePosixPath(source).is_absolute():
        raise _fault(folder, f"got the absolute path {source!r}, which other machines do not have")
    path = os.path.normpath(source)
    if not _is_beyond(path):
        return
    start, project = folder / path, folder.parent.parent.resolve()
    if not start.resolve().is_relative_to(project):
        raise _fault(folder, f"{source!r} is outside of the project")
    if folder.resolve().is_relative_to(start.resolve()):
        raise _fault(folder, f"{source!r} contains the recipe itself")
    if not start.exists():
        raise _fault(folder, f"{source!r} does not exist")
    for file in [start] if start.is_file() else sorted(start.rglob("*")):
        if start.is_dir() and any(map(_is_left_out, file.relative_to(start).parts)):
            continue
        if not file.resolve().is_relative_to(start.resolve()):
            raise _fault(folder, f"the symbolic link `{file.relative_to(start)}` leads out of {source!r}")
        if file.is_file():
            yield os.path.relpath(file, folder)


def _is_beyond(path: str) -> bool:
    return path == ".." or path.startswith("../")


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name in _OUTPUTS or name.endswith(".egg-info")


def _fault(folder: Path, what: str) -> SpecError:
    return SpecError((Fault(where=f"recipes/{folder.name}/recipe.yaml: `source.path`", what=what),))
