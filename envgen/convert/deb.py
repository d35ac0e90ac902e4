"""Debian packages become conda packages, as a recipe says: unmodified but for where they look for files.

A function of the `.deb`s, the recipe and the platform: the same bytes on every machine, also for another architecture,
since nothing of the packages is run.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from envgen.convert import deb_text, elf
from envgen.convert.deb_c_library import unpack_c_library
from envgen.convert.deb_plan import HOME, DebianRecipePackage, describe, variables_of
from envgen.convert.deb_unpack import Unpacking
from envgen.convert.elf_rebind import rebind
from envgen.convert.package import PLACEHOLDER, FileMode, seal
from envgen.errors import ArtifactError
from envgen.glibc import NO_GLIBC
from envgen.manifest.debian_recipe import C_LIBRARY, render

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from envgen.debs import Deb
    from envgen.glibc import Glibc
    from envgen.manifest.debian_recipe import DebianRecipe
    from envgen.platforms import Platform

__all__ = ["DebianRecipePackage", "build_debian_recipe", "build_empty", "build_rendered", "describe"]

_DECLARED = re.compile(r"__glibc\s*>=\s*(\d+)\.(\d+)")


def build_debian_recipe(
    recipe: DebianRecipe,
    debs: Mapping[Deb, Path],
    *,
    platform: Platform,
    dest: Path,
    warn: Callable[[str], object] = lambda _text: None,
) -> DebianRecipePackage:
    """Build the package with the files; `info/debian.json` says what went in, and what filters left out.

    Args:
        recipe: the recipe.
        debs: each package and where its `.deb` lies, verified.
        platform: whose packages they are.
        dest: an empty folder, which becomes an extracted conda package.
        warn: told of patterns under `drop` that match nothing.

    Raises:
        MissingLibrariesError: files need libraries that are not in the packages.
        ArtifactError: a `.deb` that must not be used, or one that the recipe was not written for.
        UserError: the recipe does not fit the packages.
    """
    main = describe(recipe, debs, platform=platform)[0]
    rendered = render(recipe, variables_of(recipe, debs, platform))
    build_rendered(rendered, main, debs, platform=platform, dest=dest, warn=warn)
    return main


def build_rendered(
    rendered: DebianRecipe,
    main: DebianRecipePackage,
    debs: Mapping[Deb, Path],
    *,
    platform: Platform,
    dest: Path,
    warn: Callable[[str], object],
) -> None:
    """Build the package `main` of a rendered recipe: without templates, so without what renders them.

    The arguments are otherwise those of `build_debian_recipe`, which says what is raised.
    """
    root = dest / HOME
    unpacking = Unpacking(root=root, licenses=dest / "info" / "licenses", drop=rendered.drop)
    glibc = NO_GLIBC
    for deb in sorted(debs, key=lambda deb: deb.name):
        with debs[deb].open("rb") as stream:
            if rendered.c_library and deb.name == C_LIBRARY:
                folder = _outside(rendered, dest, rendered.c_library)
                glibc = unpack_c_library(deb, stream, folder=folder, licenses=unpacking.licenses)
            else:
                unpacking.add(deb, stream)
    for text in unpacking.idle():
        warn(f"recipe `{rendered.recipe}`: {text}")
    dangling = unpacking.drop_dangling()
    texts = _write_texts(rendered, dest, paths=tuple(unpacking.paths()))
    _write_links(rendered, dest)
    elves = [path for path in unpacking.elves() if (root / path).is_file()]
    _rebind(rendered, root, elves)
    links = [dest / path for path in sorted(rendered.links)]
    glibc = max(glibc, elf.relocate(root, libraries=f"usr/lib/{platform.multiarch}", links=links, files=elves))
    _check_glibc(rendered, main, glibc)
    report = _report(debs, unpacking, dangling, glibc)
    (dest / "info").mkdir(exist_ok=True)  # where no package brought a licence there is none yet
    (dest / "info" / "debian.json").write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    unchanged = {
        f"{HOME}/{path}": known
        for path, known in unpacking.digests()
        if f"{HOME}/{path}" not in texts and path not in elves
    }
    placeholders = _placeholders(dest, texts)
    seal(dest, index=main.index(platform), placeholders=placeholders, about=_about(rendered), digests=unchanged)


def build_empty(package: DebianRecipePackage, recipe: DebianRecipe, *, platform: Platform, dest: Path) -> None:
    """Build a package without files, one that `describe` lists after the first."""
    seal(dest, index=package.index(platform), placeholders={}, about=_about(recipe))


def _write_texts(recipe: DebianRecipe, dest: Path, *, paths: Collection[str]) -> frozenset[str]:
    """Write and change text files, and return which files that are there are no longer Debian's, relative to `dest`."""
    root = dest / HOME
    changed = deb_text.point_inside(root, recipe.relocate, paths=paths, home=f"{PLACEHOLDER}/{HOME}")
    changed |= deb_text.apply_edits(root, recipe.edits, paths=paths)
    left, written = set(paths), set[str]()
    for path, pattern in sorted(recipe.join.items()):
        left -= set(deb_text.join(root, pattern, _new(recipe, dest, path), paths=left))
        written.add(path)
    for path, text in sorted(recipe.files.items()):
        file = _new(recipe, dest, path)
        file.write_bytes(text.encode())
        if text.startswith("#!"):
            file.chmod(0o755)
        written.add(path)
    return frozenset(written | {f"{HOME}/{path}" for path in changed & left})


def _write_links(recipe: DebianRecipe, dest: Path) -> None:
    links = {}
    for path, target in sorted(recipe.links.items()):
        link, to = _new(recipe, dest, path), dest / target
        link.symlink_to(os.path.relpath(to, link.parent))
        links[link] = to
    for link, to in links.items():
        if not link.exists():
            what = f"`{link.relative_to(dest)}` to `{to.relative_to(dest)}`, which does not exist"
            raise ArtifactError(f"recipe `{recipe.recipe}` links {what}")


def _rebind(recipe: DebianRecipe, root: Path, elves: Iterable[str]) -> None:
    """Bind the symbols of the recipe to versions of older C libraries, in every file that uses them."""
    found = frozenset[str]().union(*(rebind(root / path, recipe.rebind) for path in elves if recipe.rebind))
    if idle := sorted(recipe.rebind.keys() - found):
        raise ArtifactError(
            f"recipe `{recipe.recipe}` rebinds `{idle[0]}`, which no file uses", hint="remove it from `rebind`"
        )


def _new(recipe: DebianRecipe, dest: Path, path: str) -> Path:
    file = dest / path
    if file.exists() or file.is_symlink():
        raise ArtifactError(
            f"recipe `{recipe.recipe}` creates `{file.relative_to(dest)}`, which already exists",
            hint="drop Debian's file under `drop`",
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.parent.resolve().is_relative_to(dest.resolve()):
        raise ArtifactError(
            f"recipe `{recipe.recipe}` makes `{file.relative_to(dest)}` below a link out of the package"
        )
    return file


def _outside(recipe: DebianRecipe, dest: Path, path: str) -> Path:
    """Return a new folder outside of Debian's tree, whose programs would load a C library that is inside."""
    if f"{path}/".startswith(f"{HOME}/"):
        raise ArtifactError(
            f"recipe `{recipe.recipe}` has `c-library: {path}`, where its programs would load it",
            hint=f"write a folder outside of `{HOME}`",
        )
    return _new(recipe, dest, path)


def _check_glibc(recipe: DebianRecipe, main: DebianRecipePackage, needed: Glibc) -> None:
    """Compare what the recipe declares with what was measured: too little would break at run time."""
    declared = [(int(m[1]), int(m[2])) for spec in main.depends if (m := _DECLARED.match(spec))]
    if needed > max(declared, default=(0, 0)):
        raise ArtifactError(
            f"files of `{recipe.recipe}` need glibc {needed[0]}.{needed[1]}, the recipe declares an older one",
            hint=f"write `depends: [__glibc >={needed[0]}.{needed[1]}]`",
        )


def _report(debs: Iterable[Deb], unpacking: Unpacking, dangling: tuple[str, ...], glibc: Glibc) -> dict[str, Any]:
    """Return what went in and what was left out, for scanners and for people who ask."""
    return {
        "glibc": f"{glibc[0]}.{glibc[1]}",
        "dangling_links": list(dangling),
        "dropped": {pattern: {"files": left.files, "size": left.size} for pattern, left in unpacking.left.items()},
        "packages": [
            {"purl": _purl(deb), "sha256": deb.sha256, "size": deb.size}
            for deb in sorted(debs, key=lambda deb: deb.name)
        ],
    }


def _purl(deb: Deb) -> str:
    """Name a Debian package for scanners: https://github.com/package-url/purl-spec."""
    return f"pkg:deb/debian/{quote(deb.name)}@{quote(deb.version)}?arch={deb.architecture}"


def _about(recipe: DebianRecipe) -> dict[str, str]:
    return {"summary": recipe.summary, "license": recipe.license, "home": recipe.home}


def _placeholders(dest: Path, candidates: Iterable[str]) -> dict[str, FileMode]:
    """Find the texts that hold the placeholder."""
    mark = PLACEHOLDER.encode()
    files = (path for path in candidates if not (dest / path).is_symlink())
    return {path: "text" for path in files if mark in (dest / path).read_bytes()}
