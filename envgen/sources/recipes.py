"""Recipes: folders that say how to make a package, found by name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct

from envgen.digest import Digest, Sha256
from envgen.documents import read_yaml
from envgen.errors import Fault, SpecError
from envgen.sources.recipe_sources import files_of, outside_sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import PurePath

    from envgen.manifest.debian_recipe import DebianRecipe

DEBIAN = "debian.yaml"
"""The file of a recipe that takes programs from Debian."""

BUILD = "recipe.yaml"
"""The file of a recipe for rattler-build."""

ARCHIVE = "archive.yaml"
"""The file of the recipe that takes Python from an archive which the spec names."""

_VARIABLE = re.compile(r"\$\{\{\s*(\w+)\s*\}\}")


class Recipe(Struct, frozen=True, kw_only=True):
    """A recipe's folder.

    Attributes:
        name: of the folder.
        folder: where it is.
        digest: over the relative path and the bytes of each of its files; the same in every checkout.
        outside: each `source.path` beyond its folder, normalised, sorted; their files are not in the digest.
    """

    name: str
    folder: Path
    digest: Sha256
    outside: tuple[str, ...] = ()

    @property
    def is_debian(self) -> bool:
        """Return whether it takes programs from Debian, rather than building."""
        return (self.folder / DEBIAN).is_file()

    @property
    def is_archive(self) -> bool:
        """Return whether it takes Python from an archive which the spec names."""
        return (self.folder / ARCHIVE).is_file()

    @property
    def sources(self) -> tuple[str, ...]:
        """Return folders beyond its own that it builds from, as paths from the project's root: `./libs/native`."""
        return tuple(f"./{os.path.normpath(f'recipes/{self.name}/{path}')}" for path in self.outside)

    def outside_files(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """List the files of the project beyond its folder that it builds from, as paths from there, sorted.

        Raises:
            SpecError: a symbolic link leads out of its folder.
            UserError: as `project_files` says.
        """
        return tuple(sorted({file for path in self.outside for file in files_of(self.folder, path, environment)}))

    def files_digest(self, environment: Mapping[str, str]) -> Sha256:
        """Digest all files that it builds from; raises as `outside_files`."""
        return folder_digest(self.folder, outside=self.outside_files(environment)) if self.outside else self.digest


def find_recipes(folders: Sequence[Path]) -> dict[str, Recipe]:
    """Find the recipes in some folders, by name; where two hold one name, the folder named first wins.

    Raises:
        SpecError: a recipe has both a `debian.yaml` and a `recipe.yaml`, or a symbolic link out of its folder.
    """
    found: dict[str, Recipe] = {}
    for path in (path for folder in folders for path in sorted(folder.iterdir()) if path.is_dir()):
        if path.is_symlink() and not _stays(path, path.parent):
            raise SpecError((_leaving(path, f"recipes/{path.name}"),))
        kinds = [kind for kind in (DEBIAN, BUILD, ARCHIVE) if (path / kind).is_file()]
        if len(kinds) > 1:
            raise SpecError(
                (Fault(where=f"recipes/{path.name}", what=f"expected one file, got {' and '.join(kinds)}"),)
            )
        if kinds and path.name not in found:
            outside = outside_sources(path, _content_of(path / BUILD)) if kinds == [BUILD] else ()
            found[path.name] = Recipe(name=path.name, folder=path, digest=folder_digest(path), outside=outside)
    return found


def read_debian_recipe(recipe: Recipe) -> DebianRecipe:
    """Read the `debian.yaml` of a recipe, and the templates beside it.

    Raises:
        SpecError: all faults of the file, each with its line.
    """
    texts = {path: (recipe.folder / path).read_bytes() for path in recipe_files(recipe.folder)}
    source = f"recipes/{recipe.name}/{DEBIAN}"
    try:
        templates = {path: data.decode() for path, data in texts.items()}
    except UnicodeDecodeError as error:
        raise SpecError((Fault(where=source, what=f"a file in its folder is not UTF-8: {error}"),)) from error
    from envgen.manifest.debian_parse import parse_debian_recipe  # noqa: PLC0415  its templates' library takes 50 ms to import

    return parse_debian_recipe(
        templates.pop(DEBIAN), source=source, recipe=recipe.name, digest=recipe.digest, templates=templates
    )


def stated_license(recipe: Recipe) -> str | None:
    """Read the licence that a recipe gives its packages, where it gives one in words that hold for all of them."""
    content = _content(recipe)
    about = content if recipe.is_debian else content.get("about")
    found = about.get("license") if isinstance(about, dict) else None
    return found if isinstance(found, str) and "${{" not in found else None


def is_plain(recipe: Recipe) -> bool:
    """Return whether a recipe for rattler-build makes one package of its own files, with nothing but this machine."""
    content = _content(recipe)
    needs, sources = content.get("requirements"), content.get("source")
    if not isinstance(needs, dict | None) or content.keys() & {"outputs", "tests", "cache"}:
        return False
    listed = sources if isinstance(sources, list) else [sources or {}]
    fetches = any(not isinstance(one, dict) or one.keys() - {"path", "target_directory"} for one in listed)
    return not fetches and not any((needs or {}).get(key) for key in ("build", "host"))


def output_names(recipe: Recipe) -> tuple[str, ...]:
    """List the packages of a recipe with several `outputs`, as far as their names use its `context` alone."""
    content = _content(recipe)
    context, outputs = content.get("context"), content.get("outputs")
    known = context if isinstance(context, dict) else {}
    packages = (one.get("package") for one in (outputs if isinstance(outputs, list) else ()) if isinstance(one, dict))
    names = (str(one.get("name", "")) for one in packages if isinstance(one, dict))
    filled = (_VARIABLE.sub(lambda found: str(known.get(found[1], found[0])), name) for name in names)
    return tuple(name for name in filled if name and "{" not in name)


def listed_packages(recipe: Recipe, python: str) -> tuple[str, ...]:
    """Read which Debian packages a recipe lists for a Python; the others that it uses come along with these."""
    content = _content(recipe) if recipe.is_debian else {}
    pythons = content.get("pythons")
    own = pythons.get(python) if isinstance(pythons, dict) else None
    lists = (one.get("packages") for one in (content, own) if isinstance(one, dict))
    names = (str(name) for found in lists if isinstance(found, list) for name in found)
    return tuple(_VARIABLE.sub(lambda found: python if found[1] == "python" else found[0], name) for name in names)


def _content(recipe: Recipe) -> dict[str, Any]:
    """Read a recipe's file unchecked, for what is merely shown; `read_debian_recipe` is the one that checks."""
    return _content_of(recipe.folder / (DEBIAN if recipe.is_debian else BUILD))


def _content_of(file: Path) -> dict[str, Any]:
    try:
        content = read_yaml(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def folder_digest(folder: Path, *, outside: Sequence[str] = ()) -> Sha256:
    """Digest the files of a recipe by path and bytes; see `recipe_files` for those that count."""
    digest = Digest()
    for path in (*recipe_files(folder), *outside):
        file = folder / path
        data = file.read_bytes() if file.is_file() else str(file.readlink()).encode()
        digest.update(f"{path}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.sha256


def recipe_files(folder: Path) -> tuple[str, ...]:
    """List the files that make a recipe, sorted: what is digested is what is built.

    Documentation (`README*`), hidden files and what Python compiled are left out: a typo that is corrected in a README
    changes no package.

    Raises:
        SpecError: a symbolic link leads out of the recipe's folder, where any file of the user may be.
    """
    found = [path for path in sorted(folder.rglob("*")) if not _is_hidden(path.relative_to(folder))]
    if leaving := [path for path in found if path.is_symlink() and not _stays(path, folder)]:
        names = {path: f"recipes/{folder.name}/{path.relative_to(folder).as_posix()}" for path in leaving}
        raise SpecError(tuple(_leaving(path, where) for path, where in names.items()))
    return tuple(sorted(path.relative_to(folder).as_posix() for path in found if path.is_file()))


def _is_hidden(path: PurePath) -> bool:
    return any(map(_is_left_out, path.parts))


def _stays(link: Path, folder: Path) -> bool:
    """Return whether a link is relative and leads to something in the folder; git carries links as they are."""
    return not link.readlink().is_absolute() and Path(os.path.realpath(link)).is_relative_to(os.path.realpath(folder))


def _leaving(link: Path, where: str) -> Fault:
    what = f"symbolic link to `{link.readlink()}`, which is outside of the folder or an absolute path"
    return Fault(where=where, what=what, hint="put a copy there")


def _is_left_out(name: str) -> bool:
    return name.startswith((".", "README")) or name == "__pycache__"
