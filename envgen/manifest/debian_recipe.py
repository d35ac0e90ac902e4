"""A Debian recipe: programs taken unmodified from Debian as a conda package, described by `recipes/<name>/debian.yaml`.

Texts of a recipe may hold `${{ variable }}`; what they can say is in `debian_texts.VARIABLES`. Their values are known
once it is decided which `.deb`s go in, so a `DebianRecipe` keeps them unrendered; `for_python` comes before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from envgen import templates as sandbox
from envgen.errors import Fault, SpecError
from envgen.manifest import debian_texts as texts
from envgen.manifest.document import BadValueError
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envgen.digest import Sha256

C_LIBRARY = "libc6"
"""Where every Debian recipe stops, but for a compiler: the C library and what it needs is the host's, as `__glibc`."""

LISTS = ("suites", "packages", "exclude", "drop", "relocate", "depends", "constrains")
"""What an entry of `pythons` adds to."""


class Edit(Struct, frozen=True, kw_only=True):
    """A change of text that must be made at least once in each file.

    Attributes:
        files: pattern of paths below Debian's root.
        old: text to find, unrendered.
        new: text to put there, unrendered.
    """

    files: str
    old: str
    new: str


class Output(Struct, frozen=True, kw_only=True):
    """A further package of the recipe that holds no files and fits every platform.

    Attributes:
        name: conda name.
        version: unrendered.
        build: build string, unrendered.
        depends: MatchSpecs, unrendered.
        constrains: MatchSpecs, unrendered.
    """

    name: str
    version: str
    build: str
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()


class ForPython(Struct, frozen=True, kw_only=True):
    """What a recipe has for one minor version of Python beside what it has for all.

    Attributes:
        lists: key of `LISTS` -> entries, unrendered.
        rebind: as that of `DebianRecipe`.
    """

    lists: Mapping[str, tuple[str, ...]]
    rebind: Mapping[str, str] = field(default_factory=dict)


class DebianRecipe(Struct, frozen=True, kw_only=True):
    """A recipe for a conda package made of Debian packages.

    Patterns are those of `pathlib.PurePath.match` and, with `/**` at the end, everything below; they and the sources
    of `join` are relative to Debian's root. Other paths are relative to the prefix, where that root is `opt/debian`.

    Attributes:
        recipe: name of the recipe's folder.
        digest: of the recipe's files.
        name: conda name.
        version_from: Debian package that gives the version.
        summary: one line.
        license: SPDX expression.
        home: web address.
        suites: of Debian, such as `bookworm-security`.
        packages: Debian packages asked for.
        exclude: Debian packages at which the closure stops, the C library among them unless `c_library` is set.
        drop: patterns of files that are left out.
        relocate: patterns of text files in which absolute paths into Debian's tree are pointed to where it lies.
        edits: changes of text files.
        rebind: symbol of the C library -> `symbol@VERSION` that is bound in its place.
        c_library: folder for the C library that programs are linked with; empty in all recipes but compilers.
        links: path -> target, both relative to the prefix.
        join: path -> pattern of the files whose content goes there, one after the other, sorted by name; they go.
        files: path -> text, unrendered.
        depends: MatchSpecs, unrendered.
        constrains: MatchSpecs, unrendered.
        outputs: further packages.
        pythons: minor version of Python -> what is added for it; empty where the recipe is the same for every Python.
        python: minor version that the recipe is for, once `for_python` was asked; empty before.
    """

    recipe: str
    digest: Sha256
    name: str
    version_from: str
    summary: str = ""
    license: str = ""
    home: str = ""
    suites: tuple[str, ...]
    packages: tuple[str, ...]
    exclude: tuple[str, ...] = (C_LIBRARY,)
    drop: tuple[str, ...] = ()
    relocate: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    rebind: Mapping[str, str] = field(default_factory=dict)
    c_library: str = ""
    links: Mapping[str, str]
    join: Mapping[str, str]
    files: Mapping[str, str]
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    pythons: Mapping[str, ForPython] = field(default_factory=dict)
    python: str = ""


def for_python(recipe: DebianRecipe, python: str) -> DebianRecipe | None:
    """Return a recipe as it is for one minor version of Python, with the names of its packages; None if it has none.

    Raises:
        SpecError: a name cannot be rendered.
    """
    if recipe.pythons and python not in recipe.pythons:
        return None
    more = recipe.pythons.get(python, ForPython(lists={}))
    changed: dict[str, Any] = {key: (*getattr(recipe, key), *more.lists.get(key, ())) for key in LISTS}

    def named(template: str) -> str:
        return texts.word(sandbox.render(template, {"python": python}))

    try:
        changed |= {key: tuple(map(named, changed[key])) for key in ("suites", "packages", "exclude")}
        changed |= {"version_from": named(recipe.version_from), "rebind": {**recipe.rebind, **more.rebind}}
        return replace(recipe, **changed, python=python)
    except ValueError as error:
        raise SpecError((Fault(where=f"recipes/{recipe.recipe}/debian.yaml", what=str(error)),)) from error


def render(recipe: DebianRecipe, variables: Mapping[str, str]) -> DebianRecipe:
    """Render every text of a recipe, and check the result: a path may be another one after rendering.

    Raises:
        SpecError: a text cannot be rendered, or is not what its place asks for.
    """
    try:
        return _rendered(recipe, variables)
    except ValueError as error:
        where = f"recipes/{recipe.recipe}/debian.yaml"
        raise SpecError((Fault(where=where, what=str(error)),)) from error


def _rendered(recipe: DebianRecipe, variables: Mapping[str, str]) -> DebianRecipe:
    def text(template: str) -> str:
        return sandbox.render(template, variables)

    def path(template: str) -> str:
        return texts.below(text(template))

    def pairs(found: Mapping[str, str], value: Callable[[str], str]) -> dict[str, str]:
        rendered: dict[str, str] = {}
        for template in sorted(found):
            if (key := path(template)) in rendered:
                raise BadValueError(f"{key!r} is listed twice, once as {template!r}")
            rendered[key] = value(found[template])
        return rendered

    return replace(
        recipe,
        drop=tuple(map(path, recipe.drop)),
        relocate=tuple(map(path, recipe.relocate)),
        edits=tuple(Edit(files=path(one.files), old=text(one.old), new=text(one.new)) for one in recipe.edits),
        rebind={symbol: texts.symbol(text(target)) for symbol, target in sorted(recipe.rebind.items())},
        c_library=path(recipe.c_library) if recipe.c_library else "",
        links=pairs(recipe.links, path),
        join=pairs(recipe.join, path),
        files=pairs(recipe.files, text),
        depends=tuple(texts.line(text(one)) for one in recipe.depends),
        constrains=tuple(texts.line(text(one)) for one in recipe.constrains),
        outputs=tuple(_rendered_output(output, text) for output in recipe.outputs),
    )


def _rendered_output(output: Output, text: Callable[[str], str]) -> Output:
    return Output(
        name=output.name,
        version=texts.part(text(output.version)),
        build=texts.part(text(output.build)),
        depends=tuple(texts.line(text(one)) for one in output.depends),
        constrains=tuple(texts.line(text(one)) for one in output.constrains),
    )
