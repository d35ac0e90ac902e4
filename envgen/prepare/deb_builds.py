"""Building a Debian recipe, in a process of its own where there is a core for it: platforms are built side by side."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

from envgen.convert.deb_plan import describe, variables_of
from envgen.manifest.debian_recipe import render
from envgen.prepare.built import described
from envgen.system import child
from envgen.system.child import ChildError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from envgen.convert.deb_plan import DebianRecipePackage
    from envgen.debs import Deb
    from envgen.manifest.debian_recipe import DebianRecipe
    from envgen.platforms import Platform
    from envgen.prepare.built import Built

_WORTH_A_CHILD = 4 << 20
"""Bytes of `.deb` files that take longer to build from than a process to start."""


def build(
    recipe: DebianRecipe,
    debs: Mapping[Deb, Path],
    *,
    platform: Platform,
    dest: Path,
    warn: Callable[[str], object],
) -> Built | None:
    """Build the package with the files of a recipe; the arguments are those of `build_debian_recipe`.

    Args:
        recipe: the recipe.
        debs: each package and where its `.deb` lies, verified.
        platform: whose packages they are.
        dest: an empty folder in one that is removed afterwards, with room for another package.
        warn: is told what is odd.

    Returns:
        What its archive would be, where that was found on the way.

    Raises:
        MissingLibrariesError, ArtifactError, UserError: as `build_debian_recipe`.
    """
    with suppress(ChildError):  # what failed there fails here, with all that its exception carries
        if sum(deb.size for deb in debs) >= _WORTH_A_CHILD and child.has_room():
            (beside := dest.with_name(f"{dest.name}-child")).mkdir()
            rendered = render(recipe, variables_of(recipe, debs, platform))
            main = describe(recipe, debs, platform=platform)[0]
            built, remarks = child.call(build_described, rendered, main, dict(debs), platform, beside)
            dest.rmdir()
            beside.rename(dest)
            for remark in remarks:
                warn(remark)
            return cast("Built", built)
    from envgen.convert.deb import build_debian_recipe  # noqa: PLC0415  most runs build nothing

    build_debian_recipe(recipe, debs, platform=platform, dest=dest, warn=warn)
    return None


def build_described(
    rendered: DebianRecipe, main: DebianRecipePackage, debs: Mapping[Deb, Path], platform: Platform, dest: Path
) -> tuple[Built, list[str]]:
    """Build a rendered recipe, and return what its archive would be, and what was odd."""
    from envgen.convert.deb import build_rendered  # noqa: PLC0415  as above

    remarks: list[str] = []
    build_rendered(rendered, main, debs, platform=platform, dest=dest, warn=remarks.append)
    return described(dest, dest.parent), remarks
