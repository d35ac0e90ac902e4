"""rattler-build recipes, built without a channel and then made independent of where and when they were built."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from rattler_build import PlatformConfig, RattlerBuildError, RenderConfig, Stage0Recipe, ToolConfiguration

from envgen.convert.conda_archive import extract_conda
from envgen.convert.package import PLACEHOLDER, FileMode, read_index, seal
from envgen.errors import ArtifactError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rattler_build.progress import LogEvent, ProgressCallback

    from envgen.platforms import Platform

RECIPE = "recipe.yaml"

_LOG_LINES = 20
"""Lines of a failed build's log that are worth showing."""


def build_recipe(folder: Path, *, platform: Platform, dest: Path, work: Path) -> None:
    """Build the one package of a recipe as an extracted conda package.

    The same recipe gives the same bytes, wherever and whenever it is built, as far as its script does. The recipe
    itself is left out of the package: rattler-build would add the kernel and the CPU of this machine to it.

    Args:
        folder: holds `recipe.yaml`.
        platform: what to build for; the script runs on this machine all the same.
        dest: an empty directory, which becomes the package.
        work: an empty directory for the build.

    Raises:
        UserError: the recipe is malformed, needs something at build time, or its script fails.
        ArtifactError: a file of the package holds the path of the build folder.
    """
    extract_conda(_build(folder, platform, work), dest)
    index = read_index(dest)
    index.pop("timestamp", None)
    about = json.loads((dest / "info" / "about.json").read_text(encoding="utf-8"))
    modes: dict[str, FileMode] = {}
    for path, old, mode in list(_with_placeholder(dest)):
        _replace(dest / path, old)
        modes[path] = mode
    _check_leaks(dest, work)
    seal(dest, index=index, placeholders=modes, about=about)


class _Log:
    """Keeps the end of a build's log: rattler-build's exception says only that something failed."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=_LOG_LINES)

    def on_log(self, event: LogEvent) -> None:
        """Keep a line; blocks are advice on how to go on in a folder that will be gone."""
        if event.message.strip() and "\n" not in event.message.strip():
            self.lines.append(event.message.strip())


def _build(folder: Path, platform: Platform, work: Path) -> Path:
    """Build, and return the archive."""
    log = _Log()
    try:
        built = Stage0Recipe.from_file(folder / RECIPE).run_build(
            output_dir=work,
            channels=[],
            render_config=RenderConfig(platform=PlatformConfig(target_platform=platform)),
            tool_config=ToolConfiguration(compression_threads=1, allow_symlinks_on_windows=True),
            package_format="conda",
            no_include_recipe=True,
            progress_callback=cast("ProgressCallback", log),  # its methods are optional
        )
    except RattlerBuildError as e:
        reason = str(e).removeprefix("PyRattlerBuildError: ")
        raise UserError(
            "\n  ".join([f"failed to build recipe `{folder.name}`: {reason}", *log.lines]),
            hint="recipes are built with the programs of this machine: `build` and `host` requirements cannot be used",
        ) from e
    packages = [package for result in built for package in result.packages]
    if len(packages) != 1:
        raise UserError(f"recipe `{folder.name}` builds {len(packages)} packages, expected one")
    return packages[0]


def _with_placeholder(package_dir: Path) -> Iterator[tuple[str, str, FileMode]]:
    """Yield the files with a placeholder: path, placeholder, mode."""
    document: dict[str, Any] = json.loads((package_dir / "info" / "paths.json").read_text(encoding="utf-8"))
    for entry in document["paths"]:
        if old := entry.get("prefix_placeholder"):
            yield entry["_path"], old, entry.get("file_mode", "text")


def _replace(file: Path, old: str) -> None:
    """Put `PLACEHOLDER` in for rattler-build's, which holds the build folder's path.

    Both have 255 characters, so that offsets in binary files stay.
    """
    if len(old) != len(PLACEHOLDER):
        raise ArtifactError(f"`{file.name}` has a placeholder of {len(old)} characters, expected {len(PLACEHOLDER)}")
    file.write_bytes(file.read_bytes().replace(old.encode(), PLACEHOLDER.encode()))


def _check_leaks(package_dir: Path, work: Path) -> None:
    """Refuse files that hold the path of the build folder: they would differ with every build."""
    needle = str(work.resolve()).encode()
    for file in sorted(path for path in package_dir.rglob("*") if path.is_file() and not path.is_symlink()):
        path = file.relative_to(package_dir).as_posix()
        if path not in {"info/paths.json", "info/index.json"} and needle in file.read_bytes():
            raise ArtifactError(
                f"`{path}` contains the path of its build folder",
                hint="strip it in the recipe's script, or write `$PREFIX` for the path of the environment",
            )
