"""Read `recipes/<name>/debian.yaml` into a `DebianRecipe`, telling every fault of it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.manifest import debian_texts as texts
from envgen.manifest import values
from envgen.manifest.debian_recipe import C_LIBRARY, LISTS, DebianRecipe, Edit, ForPython, Output
from envgen.manifest.document import BadValueError, Document, Value, items_at, texts_at
from envgen.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envgen.digest import Sha256

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
    "rebind",
    "c-library",
    "links",
    "join",
    "files",
    "depends",
    "constrains",
    "outputs",
    "pythons",
)
_REQUIRED = ("name", "version-from")
_REQUIRED_LISTS = ("suites", "packages")
"""Required as well, of the recipe or of each of its `pythons`."""

_ENTRIES = {
    "suites": texts.word,
    "packages": texts.word,
    "exclude": texts.word,
    "drop": texts.relative,
    "relocate": texts.relative,
    "depends": texts.template,
    "constrains": texts.template,
}
"""How entries of `LISTS` are checked."""


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
    pythons = _pythons(sections.get("pythons"))
    of_pythons = set.intersection(*(set(one.lists) for one in pythons.values())) if pythons else set()
    for key in (*_REQUIRED, *_REQUIRED_LISTS):
        if key not in sections and key not in of_pythons:
            document.add(1, f"`{key}:` is missing")
    parsed = DebianRecipe(
        recipe=recipe,
        digest=digest,
        name=_text(sections, "name", values.conda_name),
        version_from=_text(sections, "version-from", texts.word),
        summary=_text(sections, "summary"),
        license=_text(sections, "license"),
        home=_text(sections, "home"),
        suites=_list(sections, "suites"),
        packages=(*_list(sections, "packages"), *([C_LIBRARY] if "c-library" in sections else ())),
        exclude=(*(() if "c-library" in sections else [C_LIBRARY]), *_list(sections, "exclude")),
        drop=_list(sections, "drop"),
        relocate=_list(sections, "relocate"),
        edits=tuple(_edit(item) for item in items_at(sections, "edit")),
        rebind=_rebind(sections.get("rebind")),
        c_library=_text(sections, "c-library", texts.relative),
        links=_pairs(sections, "links", texts.relative),
        join=_pairs(sections, "join", texts.relative),
        files=_files(sections.get("files"), templates),
        depends=_list(sections, "depends"),
        constrains=_list(sections, "constrains"),
        outputs=tuple(_output(item) for item in items_at(sections, "outputs")),
        pythons=pythons,
    )
    document.check()
    return parsed


def _text(fields: Mapping[str, Value], key: str, parse: Callable[[str], str] = texts.template) -> str:
    return fields[key].parsed(parse) or "" if key in fields else ""


def _list(fields: Mapping[str, Value], key: str) -> tuple[str, ...]:
    return texts_at(fields, key, _ENTRIES[key])


def _pythons(section: Value | None) -> dict[str, ForPython]:
    found: dict[str, ForPython] = {}
    for python, value in section.fields().items() if section else ():
        value.checked(python, lambda text: str(values.python_minor(text)))
        fields = value.fields((*LISTS, "rebind"))
        lists = {key: _list(fields, key) for key in LISTS if key in fields}
        found[python] = ForPython(lists=lists, rebind=_rebind(fields.get("rebind")))
    return found


def _rebind(section: Value | None) -> dict[str, str]:
    return {
        symbol: value.parsed(texts.template) or "" for symbol, value in (section.fields() if section else {}).items()
    }


def _pairs(fields: Mapping[str, Value], key: str, parse: Callable[[str], str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, value in fields[key].fields().items() if key in fields else ():
        value.checked(path, texts.relative)
        found[path] = value.parsed(parse) or ""
    return found


def _files(section: Value | None, templates: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, value in section.fields().items() if section else ():
        value.checked(path, texts.relative)
        name = value.text()
        if name is None:
            continue
        if name not in templates:
            value.fault(f"`{value.key}`: the recipe does not contain the file {name!r}", nearest(name, templates))
            continue
        try:
            found[path] = texts.template(templates[name])
        except BadValueError as error:
            value.fault(f"`{name}`: {error}", error.hint)
    return found


def _edit(item: Value) -> Edit:
    fields = _complete(item, ("files", "old", "new"))
    return Edit(files=_text(fields, "files", texts.relative), old=_text(fields, "old"), new=_text(fields, "new"))


def _output(item: Value) -> Output:
    fields = _complete(item, ("name", "version", "build"), ("depends", "constrains"))
    return Output(
        name=_text(fields, "name", values.conda_name),
        version=_text(fields, "version"),
        build=_text(fields, "build"),
        depends=texts_at(fields, "depends", texts.template),
        constrains=texts_at(fields, "constrains", texts.template),
    )


def _complete(item: Value, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Value]:
    fields = item.fields((*required, *optional))
    for key in required:
        if key not in fields:
            item.fault(f"`{item.key}`: `{key}:` is missing")
    return fields
