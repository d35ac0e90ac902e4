"""What a Debian recipe makes of some packages, before they are built: names, versions, build strings, dependencies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.convert.package import PLACEHOLDER
from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.manifest.debian_recipe import render
from envgen.names import CondaName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envgen.debs import Deb
    from envgen.manifest.debian_recipe import DebianRecipe, Output
    from envgen.platforms import Platform

BUILDER_VERSION = 2
"""Counts changes of this code that change the bytes it makes."""

HOME = "opt/debian"
"""Where Debian's files lie below the prefix."""

_ARCH = {"x86_64": "x86_64", "aarch64": "aarch64"}


class DebianRecipePackage(Struct, frozen=True, kw_only=True):
    """A package that a Debian recipe builds, as known before it is built.

    Attributes:
        name: conda name.
        version: in conda's order.
        build: the build string; of the package with files it holds 8 digits of `inputs`.
        subdir: the platform, or `noarch` for a package without files.
        depends: MatchSpecs, sorted.
        constrains: MatchSpecs, sorted.
        license: SPDX expression.
        inputs: hexadecimal digest of all that determines the bytes.
    """

    name: CondaName
    version: str
    build: str
    subdir: str
    depends: tuple[str, ...]
    constrains: tuple[str, ...]
    license: str
    inputs: str

    @property
    def dist(self) -> str:
        """`name-version-build`."""
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def key(self) -> str:
        """Name of the built package in the store."""
        return f"{self.dist}-{self.inputs[:16]}"

    def index(self, platform: Platform) -> dict[str, Any]:
        """Make the fields of `info/index.json`."""
        fields: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": 0,
            "subdir": self.subdir,
            "depends": list(self.depends),
            "constrains": list(self.constrains),
            "license": self.license,
        }
        if self.subdir == "noarch":
            return {**fields, "noarch": "generic"}
        return {**fields, "arch": _ARCH[platform.machine], "platform": "linux"}


def describe(recipe: DebianRecipe, debs: Iterable[Deb], *, platform: Platform) -> tuple[DebianRecipePackage, ...]:
    """Describe what a Debian recipe makes of some packages: the package with the files first, then the others.

    Raises:
        UserError: the package that gives the version is not among `debs`, or has no plain version.
        SpecError: as `envgen.manifest.debian_recipe.render` says.
    """
    inputs = sorted(debs, key=lambda deb: deb.name)
    variables = variables_of(recipe, inputs, platform)
    rendered = render(recipe, variables)
    digest = _digest(platform, recipe.digest, *(deb.sha256 for deb in inputs))
    revision = re.sub(r"[^A-Za-z0-9]+", "_", _lead(recipe, inputs).revision)
    main = DebianRecipePackage(
        name=CondaName(recipe.name),
        version=variables["version"],
        build="_".join(filter(None, (revision, f"h{digest[:8]}", "0"))),
        subdir=platform,
        depends=tuple(sorted(rendered.depends)),
        constrains=tuple(sorted(rendered.constrains)),
        license=recipe.license,
        inputs=digest,
    )
    return (main, *(_describe_output(rendered, output, variables["version"]) for output in rendered.outputs))


def variables_of(recipe: DebianRecipe, debs: Iterable[Deb], platform: Platform) -> dict[str, str]:
    """Find the values of what the texts of a recipe can say, `envgen.manifest.debian_texts.VARIABLES`.

    Raises:
        UserError: see `describe`.
    """
    try:
        version = _lead(recipe, debs).upstream
    except ValueError as e:
        raise UserError(f"recipe `{recipe.recipe}`: {e}") from e
    return {
        "name": recipe.name,
        "version": version,
        "minor": ".".join(version.split(".")[:2]),
        "python": recipe.python,
        "platform": platform,
        "machine": platform.machine,
        "multiarch": platform.multiarch,
        "prefix": PLACEHOLDER,
        "debian": HOME,
    }


def _describe_output(recipe: DebianRecipe, output: Output, version: str) -> DebianRecipePackage:
    return DebianRecipePackage(
        name=CondaName(output.name),
        version=output.version,
        build=output.build,
        subdir="noarch",
        depends=tuple(sorted(output.depends)),
        constrains=tuple(sorted(output.constrains)),
        license=recipe.license,
        inputs=_digest(output.name, version, recipe.digest),
    )


def _lead(recipe: DebianRecipe, debs: Iterable[Deb]) -> Deb:
    """Find the package that gives the version."""
    found = next((deb for deb in debs if deb.name == recipe.version_from), None)
    if found is None:
        raise UserError(
            f"recipe `{recipe.recipe}` takes its version from `{recipe.version_from}`, which is not one of its packages"
        )
    return found


def _digest(*parts: str) -> str:
    return str(Sha256.of("\n".join((f"envgen bundle {BUILDER_VERSION}", *parts)).encode()))
