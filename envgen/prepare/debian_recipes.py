"""Debian recipes as they are for the Python of a spec, or of a lock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen.errors import LockError
from envgen.manifest.debian_recipe import for_python
from envgen.project.spec_faults import fault_of
from envgen.sources.recipes import DEBIAN, read_debian_recipe

if TYPE_CHECKING:
    from envgen.errors import SpecError
    from envgen.manifest.debian_recipe import DebianRecipe
    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform, PythonMinor
    from envgen.project.context import Context
    from envgen.sources.recipes import Recipe

_GLIBC = re.compile(r"__glibc\s*>=\s*([\d.]+)")


def recipe_of_spec(context: Context, recipe: Recipe, spec: EnvSpec, platform: Platform) -> DebianRecipe:
    """Read a Debian recipe for the Python of a spec.

    Raises:
        SpecError: the recipe has faults, or supports neither the platform nor this Python.
    """
    if not platform.is_linux:
        raise _not_for_platform(context, recipe, spec, platform)
    debian = read_debian_recipe(recipe)
    found = for_python(debian, str(spec.python))
    if found is None:
        raise _not_for_python(context, debian, spec)
    return found


def recipe_of_lock(recipe: Recipe, python: PythonMinor) -> DebianRecipe:
    """Read a Debian recipe for the Python of a lock.

    Raises:
        SpecError: the recipe has faults.
        LockError: it no longer supports this Python.
    """
    found = for_python(read_debian_recipe(recipe), str(python))
    if found is None:
        raise LockError(f"the recipe `{recipe.name}` no longer supports Python {python}", hint="run `envgen lock`")
    return found


def _not_for_platform(context: Context, recipe: Recipe, spec: EnvSpec, platform: Platform) -> SpecError:
    return fault_of(
        context,
        spec,
        keys=("platforms", platform),
        what=f"`{recipe.name}` is built from Debian packages by `recipes/{recipe.name}/{DEBIAN}`, "
        f"which supports Linux only, not {platform}",
        hint="add `channels: [conda-forge]`",
    )


def _not_for_python(context: Context, debian: DebianRecipe, spec: EnvSpec) -> SpecError:
    """Return the error for a Python that a recipe has not, with all that it has."""
    return fault_of(
        context,
        spec,
        keys=("python",),
        what=f"`{debian.name}` is built from Debian packages by `recipes/{debian.recipe}/{DEBIAN}`, "
        f"which has Python {' and '.join(_served(debian))}, not {spec.python}",
        hint="write one of these, or take another one from a channel, `channels: [conda-forge]`, or from an archive, "
        "`python-archive`",
    )


def _served(debian: DebianRecipe) -> list[str]:
    """Describe the Pythons of a recipe: `3.13 (trixie, glibc 2.38 or newer)`."""
    return [f"{python} ({', '.join(_facts(debian, python))})" for python in debian.pythons]


def _facts(debian: DebianRecipe, python: str) -> list[str]:
    more = debian.pythons[python].lists
    suites, depends = ((*getattr(debian, key), *more.get(key, ())) for key in ("suites", "depends"))
    glibc = [f"glibc {match[1]} or newer" for text in depends if (match := _GLIBC.match(text))]
    return [*suites[:1], *glibc]
