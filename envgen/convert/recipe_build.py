"""rattler-build recipes, built and then made independent of where and when they were built."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envgen import limits
from envgen.convert.build_log import TIMEOUT, lacks_memory, tail
from envgen.convert.conda_archive import extract_conda
from envgen.convert.dist_info import settle_dist_info
from envgen.convert.package import PLACEHOLDER, FileMode, read_index, seal
from envgen.convert.recipe_run import RecipeOrder, run_build
from envgen.errors import ArtifactError, UserError
from envgen.system import child
from envgen.system.child import ChildError
from envgen.system.process import ProcessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from envgen.convert.recipe_run import BuildSurroundings, RecipeRun
    from envgen.platforms import Platform, PythonMinor

_COMPILED = ("*.pyc", "*.pyo")


def build_recipe(
    folder: Path,
    *,
    platform: Platform,
    dest: Path,
    work: Path,
    log: Path,
    surroundings: BuildSurroundings | None = None,
    timeout: float = limits.BUILD_SECONDS,
    most: int = limits.BUILD_LOG,
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
        timeout: seconds.
        most: characters that it may print.

    Raises:
        UserError: the recipe is malformed, lacks something at build time, its script or its tests fail, it takes too
            long or prints too much.
        ArtifactError: a file of a package holds the path of the build folder.
    """
    order = RecipeOrder(folder=folder, platform=platform, work=work, log=log, surroundings=surroundings, most=most)
    archives = _build(order, timeout)
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
        from envgen.convert.build_id import settle_build_ids  # noqa: PLC0415  takes 20 ms, and few recipes are built

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


def _build(order: RecipeOrder, timeout: float) -> tuple[Path, ...]:
    """Build, and return the archives."""
    recipe, log = order.folder.name, order.log
    try:
        done: RecipeRun = child.call(run_build, order, timeout=timeout)
    except ChildError as error:
        how = _how_it_ended(error, order)
        if how is None:
            raise
        raise _failed(recipe, how, tail(log), log) from error
    if done.failure:
        raise _failed(recipe, done.failure, done.lines, log)
    log.unlink()
    return done.packages


def _how_it_ended(error: ChildError, order: RecipeOrder) -> str | None:
    """Return how a build was ended from outside, in words; None where it was not."""
    cause = error.__cause__
    if order.log.is_file() and order.log.stat().st_size > order.most:
        return f"wrote more than {order.most >> 20} MB of output, and was ended"
    if isinstance(cause, ProcessError) and (cause.status is None or cause.status < 0):
        return cause.message.partition("\n")[0].rpartition("` ")[2].rstrip(":")
    return None


def _failed(recipe: str, how: str, lines: Sequence[str], log: Path) -> UserError:
    where = f"the whole log is in `{log}`"
    if how.startswith("did not finish"):
        hint = f"set {TIMEOUT} to more seconds; {where}"
    elif lacks_memory("\n".join(lines), how):
        hint = f"memory may have run out: free some, or compile one file at a time; {where}"
    else:
        hint = where
    return UserError("\n  ".join([f"failed to build recipe `{recipe}`: {how}", *lines]), hint=hint)


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
