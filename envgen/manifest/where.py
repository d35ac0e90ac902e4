"""Where in a spec something stands: for faults that show only when the sources were asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.manifest.document import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.manifest.document import Value


def where(text: str, *, source: str, keys: Sequence[str], item: str | None = None) -> str:
    """Write `environments/train.yaml:7`.

    Args:
        text: of the spec, which was parsed without a fault.
        source: what messages call it.
        keys: lead through its mappings, as in `("image", "base", "packages")`.
        item: first word of an entry of the list there.
    """
    value = Document(source).read(text)
    for key in keys:
        found = value.fields().get(key)
        if found is None:
            break
        value = found
    return f"{source}:{_entry(value, item).line if item else value.line}"


def _entry(section: Value, word: str) -> Value:
    """Find an entry of a list by its first word, else the list."""
    found = (entry for entry in section.items() if (entry.text() or "").split("[")[0].split()[:1] == [word])
    return next(found, section)
