"""How a relocatable archive of Python becomes a package: `recipes/python-archive/archive.yaml`."""

from __future__ import annotations

from msgspec import Struct

from envgen.manifest import debian_texts as texts
from envgen.manifest.document import Document, texts_at

_TEXTS, _LISTS = ("name", "summary", "license", "home"), ("drop", "relocate")


class ArchiveRecipe(Struct, frozen=True, kw_only=True):
    """How an archive becomes a package.

    Attributes:
        name: conda name.
        summary: one line.
        license: SPDX expression.
        home: web address.
        drop: patterns of files that are left out, below the root of the archive.
        relocate: patterns of text files in which the folder that it was built for is replaced.
    """

    name: str
    summary: str
    license: str
    home: str
    drop: tuple[str, ...]
    relocate: tuple[str, ...]


def parse_archive_recipe(text: str, *, source: str) -> ArchiveRecipe:
    """Parse an `archive.yaml`.

    Raises:
        SpecError: all faults, each with its line.
    """
    document = Document(source)
    fields = document.read(text).fields((*_TEXTS, *_LISTS))
    words = {key: (fields[key].text() or "") if key in fields else "" for key in _TEXTS}
    lists = {key: texts_at(fields, key, texts.relative) for key in _LISTS}
    if not words["name"]:
        document.add(1, "`name:` is missing")
    document.check()
    return ArchiveRecipe(
        name=words["name"],
        summary=words["summary"],
        license=words["license"],
        home=words["home"],
        drop=lists["drop"],
        relocate=lists["relocate"],
    )
