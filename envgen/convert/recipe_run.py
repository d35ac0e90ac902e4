"""rattler-build, run on one recipe in a process of its own: it can be ended, with the programs that it runs."""

from __future__ import annotations

import os
import signal
from collections import deque
from typing import IO, TYPE_CHECKING, cast

from msgspec import Struct

from envgen import limits

if TYPE_CHECKING:
    from pathlib import Path

    from rattler_build.progress import LogEvent, ProgressCallback

    from envgen.platforms import Platform, PythonMinor


class BuildSurroundings(Struct, frozen=True, kw_only=True):
    """What a recipe with requirements is built in.

    Attributes:
        channel: `file:` URL of a channel with everything that it requires; None where it requires nothing.
        python: the Python of the spec.
        tests: run the tests of the recipe.
    """

    channel: str | None
    python: PythonMinor
    tests: bool


class RecipeOrder(Struct, frozen=True, kw_only=True):
    """A run that is wanted.

    Attributes:
        folder: holds `recipe.yaml`.
        platform: what to build for.
        work: an empty directory for the build.
        log: file that gets what the build prints.
        surroundings: what it is built in; nothing but the programs of this machine without.
        most: characters that the log may have.
    """

    folder: Path
    platform: Platform
    work: Path
    log: Path
    surroundings: BuildSurroundings | None
    most: int


class RecipeRun(Struct, frozen=True, kw_only=True):
    """What came of a run.

    Attributes:
        packages: archives that were built.
        failure: why it failed; empty where it did not.
        lines: the end of its log where it failed.
    """

    packages: tuple[Path, ...] = ()
    failure: str = ""
    lines: tuple[str, ...] = ()


class _Log:
    """Keeps a build's log in a file, and its end: rattler-build's exception says only that something failed."""

    def __init__(self, file: IO[str], most: int) -> None:
        self.lines: deque[str] = deque(maxlen=limits.BUILD_LOG_LINES)
        self._file = file
        self._left = most

    def on_log(self, event: LogEvent) -> None:
        """Keep a line; blocks are advice on how to go on in a folder that will be gone."""
        self._file.write(event.message.rstrip() + "\n")
        if event.message.strip() and "\n" not in event.message.strip():
            self.lines.append(event.message.strip()[: limits.BUILD_LOG_LINE])
        self._left -= len(event.message) + 1
        if self._left < 0:
            os.killpg(0, signal.SIGKILL)  # with the script; the parent sees the size of the log


def run_build(order: RecipeOrder) -> RecipeRun:
    """Build a recipe, as the leader of a process group, which it ends if the log is too long."""
    # it takes 0.2 s to import, and is needed in the child alone
    from rattler_build import RattlerBuildError, Stage0Recipe, ToolConfiguration  # noqa: PLC0415

    from envgen.convert.recipe_needs import RECIPE, render_config, variants  # noqa: PLC0415
    from envgen.system.rattler_certificates import settle_certificates  # noqa: PLC0415

    settle_certificates()
    surroundings = order.surroundings
    with order.log.open("w", encoding="utf-8", buffering=1) as file:
        log = _Log(file, order.most)
        try:
            built = Stage0Recipe.from_file(order.folder / RECIPE).run_build(
                output_dir=order.work,
                channels=[surroundings.channel] if surroundings and surroundings.channel else [],
                variant_config=variants(surroundings.python) if surroundings else None,
                render_config=render_config(order.platform),
                tool_config=ToolConfiguration(
                    compression_threads=1,
                    allow_symlinks_on_windows=True,
                    test_strategy="native" if surroundings and surroundings.tests else "skip",
                ),
                package_format="conda",
                no_include_recipe=True,
                progress_callback=cast("ProgressCallback", log),  # its methods are optional
            )
        except RattlerBuildError as e:
            return RecipeRun(failure=str(e).removeprefix("PyRattlerBuildError: "), lines=tuple(log.lines))
    return RecipeRun(packages=tuple(package for result in built for package in result.packages))
