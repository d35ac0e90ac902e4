"""What building a rattler-build recipe takes: its `build` and `host` requirements, and those of its tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from rattler_build import PlatformConfig, RattlerBuildError, RenderConfig, Stage0Recipe, VariantConfig

from envgen.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.platforms import Platform, PythonMinor

RECIPE = "recipe.yaml"

COMPILERS = {
    "gcc": "gcc",
    "gxx": "g++",
    "gfortran": "gfortran",
    "clang": "clang",
    "clangxx": "clang++",
    "sysroot": None,
}
"""What `${{ compiler(...) }}` and `${{ stdlib(...) }}` render to, less the platform -> a program of the machine."""

_COMPILER = re.compile(rf"({'|'.join(COMPILERS)})_(?:linux|osx|win)-\w+")


class RecipeNeeds(Struct, frozen=True, kw_only=True):
    """What building a recipe takes.

    Attributes:
        specs: MatchSpecs of `build`, `host` and, where the recipe has tests, `run` and the tests' own, sorted.
        compilers: packages that stand for compilers: `gxx_linux-64`, sorted.
        outputs: names of the packages that it makes.
        noarch: whether all of these serve every platform.
    """

    specs: tuple[str, ...]
    compilers: tuple[str, ...]
    outputs: tuple[str, ...]
    noarch: bool


def variants(python: PythonMinor) -> VariantConfig:
    """Return what `python` without a version means in a recipe: the Python of the spec."""
    return VariantConfig({"python": [f"{python}.*"], "c_stdlib": ["sysroot"]})


def render_config(platform: Platform) -> RenderConfig:
    """Return how recipes are rendered for a platform; they are built on it, or are for all."""
    return RenderConfig(platform=PlatformConfig(target_platform=platform))


def read_needs(folder: Path, *, platform: Platform, python: PythonMinor) -> RecipeNeeds:
    """Render a recipe and return what building it takes; no script runs.

    Raises:
        UserError: the recipe is malformed, or fetches a source without a sha256.
    """
    try:
        rendered = Stage0Recipe.from_file(folder / RECIPE).render(
            variant_config=variants(python), render_config=render_config(platform)
        )
    except RattlerBuildError as e:
        reason = str(e).removeprefix("PyRattlerBuildError: ")
        raise UserError(f"failed to read `{folder.name}/{RECIPE}`: {reason}") from e
    documents = [variant.recipe.to_dict() for variant in rendered]
    for document in documents:
        _refuse_unpinned(document, folder.name)
    outputs = {document["package"]["name"] for document in documents}
    found = {str(spec) for document in documents for spec in _specs(document)}
    specs = {spec for spec in found if _name(spec) not in outputs}
    compilers = {spec for spec in specs if _COMPILER.fullmatch(_name(spec))}
    return RecipeNeeds(
        specs=tuple(sorted(specs - compilers)),
        compilers=tuple(sorted(map(_name, compilers))),
        outputs=tuple(sorted(outputs)),
        noarch=all(document.get("build", {}).get("noarch") for document in documents),
    )


def program_of(compiler: str) -> str | None:
    """Return which program of the machine stands for a package of a compiler; None where none is needed."""
    found = _COMPILER.fullmatch(compiler)
    return COMPILERS[found[1]] if found else None


def _specs(document: dict[str, Any]) -> Iterator[Any]:
    """Yield the requirements of one output; `pin_subpackage` and the like are mappings and name outputs alone."""
    needs, tests = document.get("requirements", {}), document.get("tests", [])
    for key in ("build", "host", *(["run"] if tests else [])):
        yield from (spec for spec in needs.get(key, []) if isinstance(spec, str))
    for test in tests:
        if "python" in test and test["python"].get("pip_check", True):
            yield "pip"  # what rattler-build installs for it
        own = test.get("requirements", {})
        yield from (spec for key in ("build", "run") for spec in own.get(key, []) if isinstance(spec, str))


def _name(spec: str) -> str:
    return re.split(r"[\s=<>!~\[]", spec, maxsplit=1)[0]


def _refuse_unpinned(document: dict[str, Any], recipe: str) -> None:
    """Refuse sources that are fetched and not pinned: the recipe's digest could not say what was built.

    Raises:
        UserError: there is one.
    """
    for source in document.get("source", []):
        if "url" in source and not (source.get("sha256") or "").strip("0"):  # an empty one is rendered as zeros
            raise UserError(
                f"recipe `{recipe}`: `source.url` has no `sha256`",
                hint="add the sha256 of the file, so that everybody builds the same",
            )
        if "git" in source and not re.fullmatch(r"[0-9a-f]{40}", str(source.get("rev", ""))):
            raise UserError(
                f"recipe `{recipe}`: `source.git` has no commit in `rev`", hint="write the whole commit, 40 digits"
            )
