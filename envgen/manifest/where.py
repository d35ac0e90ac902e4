"""Where in a spec something stands: for faults that show only when the sources were asked."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from envgen.manifest.document import Document
from envgen.manifest.extends import SpecReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.manifest.document import Value
    from envgen.manifest.extends import SpecFolder


def where(
    text: str, *, source: str, keys: Sequence[str], item: str | None = None, folder: SpecFolder | None = None
) -> str:
    """Write `environments/train.yaml:7`.

    Args:
        text: of the spec, which was parsed without a fault.
        source: what messages call it.
        keys: lead through its mappings, as in `("image", "base", "packages")`.
        item: first word of an entry of the list there.
        folder: has the specs that it extends.
    """
    first, *rest = keys
    reader = SpecReader(document=Document(source), keys=None, folder=folder)
    value = reader.sections(text, name=PurePosixPath(source).stem).get(first)
    if value is None:
        return f"{source}:1"
    for key in rest:
        found = value.fields().get(key)
        if found is None:
            break
        value = found
    place = _entry(value, item) if item else value
    return f"{place.document.source}:{place.line}"


def _entry(section: Value, word: str) -> Value:
    """Find an entry of a list by its first word, else the list."""
    found = (entry for entry in section.items() if (entry.text() or "").split("[")[0].split()[:1] == [word])
    return next(found, section)
