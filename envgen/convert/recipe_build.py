"""rattler-build recipes, built and then made independent of where and when they were built."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from rattler_build import RattlerBuildError, Stage0Recipe, ToolConfiguration

from envgen.convert.build_id import settle_build_ids
from envgen.convert.conda_archive import extract_conda
from envgen.convert.dist_info import settle_dist_info
from envgen.convert.package import PLACEHOLDER, FileMode, read_index, seal
from envgen.convert.recipe_needs import RECIPE, render_config, variants
from envgen.errors import ArtifactError, UserError
from envgen.system.rattler_certificates import settle_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rattler_build.progress import LogEvent, ProgressCallback

    from envgen.platforms import Platform, PythonMinor

_LOG_LINES = 40
"""Lines of a failed build's log that are worth showing."""

_COMPILED = ("*.pyc", "*.pyo")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSurroundings:
    """What a recipe with requirements is built in.

    Attributes:
        channel: `file:` URL of a channel with everything that it requires; None where it requires nothing.
        python: the Python of the spec.
        tests: run the tests of the recipe.
    """

    channel: str | None
    python: PythonMinor
    tests: bool


def build_recipe(
    folder: Path,
    *,
    platform: Platform,
    dest: Path,
    work: Path,
    log: Path,
    surroundings: BuildSurroundings | None = None,
) -> tuple[Path, ...]:
    """Build the packages of a recipe as extracted conda packages.

    The same recipe gives the same bytes on every machine and at any time, if its script does. The recipe
    itself is left out of the package: rattler-build would add the kernel and the CPU of this machine to it.

    Args:
        folder: holds `recipe.yaml`.
        platform: what to build for; the script runs on this machine all the same.
        dest: an empty directory, which gets a folder for each package.
        work: an empty directory for the build.
        log: gets what the build prints; it stays where it fails.
        surroundings: what it is built in; nothing but the programs of this machine without.

    Raises:
        UserError: the recipe is malformed, lacks something at build time, its script or its tests fail.
        ArtifactError: a file of a package holds the path of the build folder.
    """
    archives = _build(folder, platform, work, log, surroundings)
    return tuple(_normalised(archive, dest, work, surroundings) for archive in archives)


def _normalised(archive: Path, dest: Path, work: Path, surroundings: BuildSurroundings | None) -> Path:
    """Extract an archive without what differs with every build."""
    package = dest / archive.name.removesuffix(".conda")
    package.mkdir()
    extract_conda(archive, package)
    index = read_index(package)
    index.pop("timestamp", None)
    about = json.loads((package / "info" / "about.json").read_text(encoding="utf-8"))
    for compiled in [path for pattern in _COMPILED for path in package.rglob(pattern)]:
        compiled.unlink()  # it holds the time of its source; Python compiles what is not there
    modes: dict[str, FileMode] = {}
    for path, old, mode in list(_with_placeholder(package)):
        if (package / path).exists():
            _replace(package / path, old)
            modes[path] = mode
    if surroundings:
        settle_build_ids(package)
        settle_dist_info(package, rewritten=modes)
        about["channels"] = []  # that of the build alone, which nobody else has
    _check_leaks(package, work)
    if surroundings:
        index["depends"] = _pinned(package, index, surroundings.python)
    seal(package, index=index, placeholders=modes, about=about)
    return package


def _pinned(package: Path, index: dict[str, Any], python: PythonMinor) -> list[str]:
    """Return what a package depends on: one with modules for one Python needs that one, whatever its recipe says."""
    depends = [str(text) for text in index.get("depends", [])]
    is_bound = not index.get("noarch") and (package / python.site_packages).is_dir()
    if not is_bound or any(text.startswith("python ") for text in depends):
        return depends
    return [*(text for text in depends if text != "python"), f"python {python}.*"]


class _Log:
    """Keeps a build's log in a file, and its end: rattler-build's exception says only that something failed."""

    def __init__(self, file: IO[str]) -> None:
        self.lines: deque[str] = deque(maxlen=_LOG_LINES)
        self._file = file

    def on_log(self, event: LogEvent) -> None:
        """Keep a line; blocks are advice on how to go on in a folder that will be gone."""
        self._file.write(event.message.rstrip() + "\n")
        if event.message.strip() and "\n" not in event.message.strip():
            self.lines.append(event.message.strip())


def _build(
    folder: Path, platform: Platform, work: Path, log_file: Path, surroundings: BuildSurroundings | None
) -> list[Path]:
    """Build, and return the archives."""
    settle_certificates()
    with log_file.open("w", encoding="utf-8") as file:
        log = _Log(file)
        try:
            built = Stage0Recipe.from_file(folder / RECIPE).run_build(
                output_dir=work,
                channels=[surroundings.channel] if surroundings and surroundings.channel else [],
                variant_config=variants(surroundings.python) if surroundings else None,
                render_config=render_config(platform),
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
            reason = str(e).removeprefix("PyRattlerBuildError: ")
            raise UserError(
                "\n  ".join([f"failed to build recipe `{folder.name}`: {reason}", *log.lines]),
                hint=f"the whole log is in `{log_file}`",
            ) from e
    log_file.unlink()
    return [package for result in built for package in result.packages]


def _with_placeholder(package_dir: Path) -> Iterator[tuple[str, str, FileMode]]:
    """Yield the files with a placeholder: path, placeholder, mode."""
    document: dict[str, Any] = json.loads((package_dir / "info" / "paths.json").read_text(encoding="utf-8"))
    for entry in document["paths"]:
        if old := entry.get("prefix_placeholder"):
            yield entry["_path"], old, entry.get("file_mode", "text")


def _replace(file: Path, old: str) -> None:
    """Replace rattler-build's placeholder, which holds the build folder's path, by `PLACEHOLDER`.

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
        if path not in {"info/paths.json", "info/index.json", "info/about.json"} and needle in file.read_bytes():
            raise ArtifactError(
                f"`{path}` contains the path of its build folder",
                hint="strip it in the recipe's script, or write `$PREFIX` for the path of the environment",
            )
