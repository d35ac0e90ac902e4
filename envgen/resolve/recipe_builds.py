"""What recipes are built with: their requirements as a spec of their own, over the sources of the project's spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rattler
from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement

from envgen.errors import UnsatisfiableError, UserError
from envgen.manifest.env_spec import EnvSpec
from envgen.manifest.values import match_name
from envgen.names import CondaName, project_name
from envgen.prepare.preparer import prepared
from envgen.prepare.recipe_tools import tools_of
from envgen.project import shipped
from envgen.resolve.places import open_channels
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from envgen.convert.recipe_needs import RecipeNeeds
    from envgen.names import NameTable
    from envgen.platforms import Platform, Target
    from envgen.prepare.recipe_tools import RecipeTools
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.sources.conda import ChannelSource
    from envgen.sources.recipes import Recipe

_OPERATORS = (">=", "<=", "==", "!=", "~=", ">", "<")


class RecipeBuilds(Struct, frozen=True, kw_only=True):
    """What the recipes of a spec are built with.

    Attributes:
        context: the world.
        spec: that asks for the recipes.
        names: the name table.
        olds: platform -> what is locked.
    """

    context: Context
    spec: EnvSpec
    names: NameTable
    olds: Mapping[Platform, LockPair | None]

    async def tools(
        self,
        recipe: Recipe,
        platform: Platform,
        solve: Callable[[EnvSpec, LockPair | None], Awaitable[LockPair]],
        building: tuple[str, ...],
    ) -> RecipeTools | None:
        """Lock what a recipe is built with, on the platform that builds; what is locked is kept as long as it serves.

        Args:
            recipe: to build.
            platform: to build it for.
            solve: solves a spec of one platform, with preferences.
            building: recipes that this one is needed to build.

        Returns:
            None where it takes nothing but this machine.

        Raises:
            UserError: the recipe is malformed, or required to build itself.
            UnsatisfiableError, NetworkError: as the solve and the sources say.
        """
        spec = self.spec
        tools = tools_of(recipe, platform=platform, python=spec.python, pair=None, prepare=prepared)
        if tools is None or not tools.needs.specs:
            return tools
        _refuse_cycle(recipe, building)
        where = tools.machine if tools.needs.noarch and tools.machine in self.olds else platform
        channels, recipes = open_channels(self.context, spec, where), shipped.recipes_by_package(self.context.root)
        condas, wheels = await _split_needs(tools.needs, recipe, self.names, channels, recipes)
        own = replace(
            EnvSpec(name=spec.name, python=spec.python, targets={where: _target(spec, where)}, source=spec.source),
            channels=spec.channels,
            dependencies=condas,
            pypi=wheels,
            names=spec.names,
            exclude_newer=spec.exclude_newer,
            indexes=spec.indexes,
        )
        try:
            pair = await solve(own, _preferences(self.olds.get(where), recipe))
        except UnsatisfiableError as error:
            what = f"the `build` and `host` requirements of recipe `{recipe.name}` cannot be met: {error}"
            raise UnsatisfiableError(what, hint=error.hint) from error
        return replace(tools, pair=pair)


async def _split_needs(
    needs: RecipeNeeds, recipe: Recipe, names: NameTable, channels: ChannelSource | None, recipes: Collection[str]
) -> tuple[tuple[str, ...], tuple[Requirement, ...]]:
    """Sort what a recipe is built with by where it comes from: conda packages, and wheels.

    A requirement comes from a recipe, else from a channel of the spec, else it is a wheel of the project that conda
    calls so.

    Raises:
        UserError: a requirement cannot be asked of a wheel index.
        NetworkError: a channel fails.
    """
    condas: list[str] = []
    wheels: list[Requirement] = []
    for text in needs.specs:
        name = match_name(text)
        if name in recipes or (channels and await channels.records(CondaName(name))):
            condas.append(text)
        else:
            wheels.append(_requirement(text, recipe, names))
    return tuple(condas), tuple(wheels)


def _target(spec: EnvSpec, platform: Platform) -> Target:
    """Return the target of a build: as the spec has it, without what only a GPU or a newer CPU has."""
    return replace(spec.targets[platform], cuda=None, archspec=None)


def _preferences(old: LockPair | None, recipe: Recipe) -> LockPair | None:
    """Return what a lock holds of a recipe's build, as preferences; of the recipes alone where it holds nothing."""
    if old is None:
        return None
    kept = old.lock.builds.get(recipe.name)
    return replace(old, text="", lock=kept or replace(old.lock, packages=old.lock.built, older=()))


def _refuse_cycle(recipe: Recipe, building: tuple[str, ...]) -> None:
    """Refuse a recipe that is needed to build itself.

    Raises:
        UserError: it is one of `building`.
    """
    if recipe.name in building:
        chain = " -> ".join(f"`{name}`" for name in (*building[building.index(recipe.name) :], recipe.name))
        raise UserError(
            f"recipe `{recipe.name}` is required to build itself: {chain}",
            hint="remove one of them from `build` and `host`",
        )


def _requirement(text: str, recipe: Recipe, names: NameTable) -> Requirement:
    """Return the requirement on a wheel that a MatchSpec means.

    Raises:
        UserError: it names a build or a range that PEP 440 has no words for.
    """
    spec = rattler.MatchSpec(text)
    project = names.project(CondaName(match_name(text))) or project_name(match_name(text))
    try:
        if spec.build is None:
            return Requirement(f"{project}{_specifier(str(spec.version or ''))}")
    except (InvalidRequirement, ValueError):
        pass
    raise UserError(
        f"recipe `{recipe.name}`: no channel or recipe offers `{text}`, and a wheel cannot satisfy it",
        hint=f"write a range of versions, such as `{match_name(text)} >=1,<2`",
    )


def _specifier(version: str) -> str:
    """Write conda's range in the words of PEP 440; `1.2.*` and `=1.2` are one there.

    Raises:
        ValueError: it has alternatives.
    """
    if "|" in version or "(" in version:
        raise ValueError(version)
    clauses = [part.strip() for part in version.split(",") if part.strip() not in ("", "*")]
    return ",".join(clause if clause.startswith(_OPERATORS) else f"=={_family(clause)}" for clause in clauses)


def _family(clause: str) -> str:
    if clause.startswith("="):
        return f"{clause.removeprefix('=').removesuffix('.*')}.*"
    return clause
