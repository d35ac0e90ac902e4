"""A Debian recipe: programs taken unmodified from Debian as a conda package, described by `recipes/<name>/debian.yaml`.

Texts of a recipe may hold `${{ variable }}`; what they can say is in `VARIABLES`. Their values are known once it is
decided which `.deb`s go in, so a `DebianRecipe` keeps them unrendered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from envgen import templates as sandbox
from envgen.errors import Fault, SpecError
from envgen.manifest import values
from envgen.manifest.document import BadValueError, Document, Value
from envgen.paths import parse_prefix_path
from envgen.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envgen.digest import Sha256

VARIABLES = {
    "name": "name of the package",
    "version": "its version: the upstream version of the package that `version-from` names",
    "minor": "the first two numbers of that version",
    "platform": "conda subdir, such as linux-64",
    "machine": "such as x86_64",
    "multiarch": "Debian's name of the folder for libraries, such as x86_64-linux-gnu",
    "prefix": "path of the environment; in text files only, as linking replaces it",
    "debian": "folder of Debian's files below the prefix",
}
"""What the texts of a recipe can say."""

C_LIBRARY = "libc6"
"""Where every Debian recipe stops: the C library and what it needs is the host's, as `__glibc`."""

_SECTIONS = (
    "name",
    "version-from",
    "summary",
    "license",
    "home",
    "suites",
    "packages",
    "exclude",
    "drop",
    "relocate",
    "edit",
    "links",
    "join",
    "files",
    "depends",
    "constrains",
    "outputs",
)
_REQUIRED = ("name", "version-from", "suites", "packages")

_METADATA = "info"
"""Folders of a package and of an environment in which a recipe writes nothing."""

_NAME_PART = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._!+~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of text that must be made at least once in each file.

    Attributes:
        files: pattern of paths below Debian's root.
        old: text to find, unrendered.
        new: text to put there, unrendered.
    """

    files: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianRecipe:
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
        exclude: Debian packages at which the closure stops, the C library among them.
        drop: patterns of files that are left out.
        relocate: patterns of text files in which absolute paths into Debian's tree are pointed to where it lies.
        edits: changes of text files.
        links: path -> target, both relative to the prefix.
        join: path -> pattern of the files whose content goes there, one after the other, sorted by name; they go.
        files: path -> text, unrendered.
        depends: MatchSpecs, unrendered.
        constrains: MatchSpecs, unrendered.
        outputs: further packages.
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
    links: Mapping[str, str]
    join: Mapping[str, str]
    files: Mapping[str, str]
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()


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
        return _below(text(template))

    def pairs(found: Mapping[str, str], value: Callable[[str], str]) -> dict[str, str]:
        rendered: dict[str, str] = {}
        for template in sorted(found):
            if (key := path(template)) in rendered:
                raise BadValueError(f"{key!r} is there twice, once as {template!r}")
            rendered[key] = value(found[template])
        return rendered

    return replace(
        recipe,
        drop=tuple(map(path, recipe.drop)),
        relocate=tuple(map(path, recipe.relocate)),
        edits=tuple(Edit(files=path(one.files), old=text(one.old), new=text(one.new)) for one in recipe.edits),
        links=pairs(recipe.links, path),
        join=pairs(recipe.join, path),
        files=pairs(recipe.files, text),
        depends=tuple(_line(text(one)) for one in recipe.depends),
        constrains=tuple(_line(text(one)) for one in recipe.constrains),
        outputs=tuple(_rendered_output(output, text) for output in recipe.outputs),
    )


def _rendered_output(output: Output, text: Callable[[str], str]) -> Output:
    return Output(
        name=output.name,
        version=_part(text(output.version)),
        build=_part(text(output.build)),
        depends=tuple(_line(text(one)) for one in output.depends),
        constrains=tuple(_line(text(one)) for one in output.constrains),
    )


def parse_debian_recipe(
    text: str, *, source: str, recipe: str, digest: Sha256, templates: Mapping[str, str]
) -> DebianRecipe:
    """Parse a `debian.yaml`.

    Args:
        text: of the file.
        source: what messages call it.
        recipe: name of the recipe's folder.
        digest: of the recipe's files.
        templates: path in the recipe's folder -> text, for what `files:` names.

    Raises:
        SpecError: all faults, each with its line and, where there is one, the nearest valid word.
    """
    document = Document(source)
    sections = document.read(text).fields(_SECTIONS)
    for key in _REQUIRED:
        if key not in sections:
            document.add(1, f"`{key}:` is missing")
    parsed = DebianRecipe(
        recipe=recipe,
        digest=digest,
        name=_text(sections, "name", values.conda_name),
        version_from=_text(sections, "version-from"),
        summary=_text(sections, "summary"),
        license=_text(sections, "license"),
        home=_text(sections, "home"),
        suites=_texts(sections, "suites", _word),
        packages=_texts(sections, "packages", _word),
        exclude=(C_LIBRARY, *_texts(sections, "exclude", _word)),
        drop=_texts(sections, "drop", _relative),
        relocate=_texts(sections, "relocate", _relative),
        edits=tuple(_edit(item) for item in _items(sections, "edit")),
        links=_pairs(sections, "links", _relative),
        join=_pairs(sections, "join", _relative),
        files=_files(sections.get("files"), templates),
        depends=_texts(sections, "depends", _template),
        constrains=_texts(sections, "constrains", _template),
        outputs=tuple(_output(item) for item in _items(sections, "outputs")),
    )
    document.check()
    return parsed


def _template(text: str) -> str:
    """Check a text with variables."""
    try:
        used = sandbox.undeclared(text)
    except sandbox.UnsafeTemplateError as error:
        raise BadValueError(str(error)) from error
    if unknown := sorted(used - VARIABLES.keys()):
        raise BadValueError(f"unknown variable `{unknown[0]}`", hint=nearest(unknown[0], VARIABLES))
    return text


def _relative(text: str) -> str:
    """Check a path or pattern before it is rendered."""
    return _below(_template(text))


def _below(text: str) -> str:
    """Check a path or pattern: a path inside a prefix, outside the package's own metadata."""
    try:
        path = parse_prefix_path(text)
    except ValueError as error:
        raise BadValueError(str(error), hint="write a relative path without `..`") from error
    if path.partition("/")[0].lower() == _METADATA:
        raise BadValueError(f"{text!r} is below `{_METADATA}`, where conda keeps what a package says about itself")
    return path


def _line(text: str) -> str:
    """Check a rendered MatchSpec, which is one line."""
    if not text.strip() or not text.isprintable():
        raise BadValueError(f"not a MatchSpec: {text!r}")
    return text


def _part(text: str) -> str:
    """Check a rendered version or build string: it becomes part of a file's name."""
    if not _NAME_PART.fullmatch(text):
        raise BadValueError(f"expected a version or build string of letters, digits and `._!+~`, got {text!r}")
    return text


def _word(text: str) -> str:
    """Check the name of a Debian package or suite."""
    if not text or not text.isascii() or any(c.isspace() or c in "/()|," for c in text):
        raise BadValueError(f"not a name: {text!r}", hint="write one name per entry, without a version")
    return text


def _text(fields: Mapping[str, Value], key: str, parse: Callable[[str], str] = _template) -> str:
    return fields[key].parsed(parse) or "" if key in fields else ""


def _items(fields: Mapping[str, Value], key: str) -> tuple[Value, ...]:
    return fields[key].items() if key in fields else ()


def _texts(fields: Mapping[str, Value], key: str, parse: Callable[[str], str]) -> tuple[str, ...]:
    return tuple(found for item in _items(fields, key) if (found := item.parsed(parse)) is not None)


def _pairs(fields: Mapping[str, Value], key: str, parse: Callable[[str], str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, value in fields[key].fields().items() if key in fields else ():
        value.checked(path, _relative)
        found[path] = value.parsed(parse) or ""
    return found


def _files(section: Value | None, templates: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, value in section.fields().items() if section else ():
        value.checked(path, _relative)
        name = value.text()
        if name is None:
            continue
        if name not in templates:
            value.fault(f"`{value.key}`: the recipe does not contain the file {name!r}", nearest(name, templates))
            continue
        try:
            found[path] = _template(templates[name])
        except BadValueError as error:
            value.fault(f"`{name}`: {error}", error.hint)
    return found


def _edit(item: Value) -> Edit:
    fields = _complete(item, ("files", "old", "new"))
    return Edit(files=_text(fields, "files", _relative), old=_text(fields, "old"), new=_text(fields, "new"))


def _output(item: Value) -> Output:
    fields = _complete(item, ("name", "version", "build"), ("depends", "constrains"))
    return Output(
        name=_text(fields, "name", values.conda_name),
        version=_text(fields, "version"),
        build=_text(fields, "build"),
        depends=_texts(fields, "depends", _template),
        constrains=_texts(fields, "constrains", _template),
    )


def _complete(item: Value, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Value]:
    fields = item.fields((*required, *optional))
    for key in required:
        if key not in fields:
            item.fault(f"`{item.key}`: `{key}:` is missing")
    return fields
