"""What was said of a lock when it was solved, so that a lock that need not be solved again can repeat it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

if TYPE_CHECKING:
    from collections.abc import Iterable


class Told(Struct, frozen=True, kw_only=True):
    """Remarks on a solution, in words.

    Attributes:
        warnings: what is odd but no fault.
        notes: what the spec's adjustments changed, and what is odd about RECORDs of wheels.
        idle: adjustments that changed nothing on the platform; they are told where they change nothing on any.
    """

    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything."""
        return bool(self.warnings or self.notes or self.idle)

    def carried_by(self, old: Told | None, *, kept: Iterable[tuple[str, str]]) -> Told:
        """Add what an old lock says of kept wheels that nobody looks at again, so that it is the same each time.

        Args:
            old: of the old lock, where it has any.
            kept: project and file name of each wheel that both locks hold.
        """
        old, wheels = old or Told(), tuple(kept)
        starts = tuple(f"`allow-older.{project}`:" for project, _ in wheels)
        records = tuple(f"RECORD of `{filename}`" for _, filename in wheels)
        return Told(
            warnings=self.warnings,
            notes=tuple(sorted({*self.notes, *(text for text in old.notes if text.startswith(records))})),
            idle=tuple(sorted({*self.idle, *(text for text in old.idle if text.startswith(starts))})),
        )


def to_json(told: Told) -> str:
    """Write remarks; kinds without any are left out."""
    kinds = {kind: texts for kind, texts in asdict(told).items() if texts}
    return json.dumps(kinds, sort_keys=True, separators=(",", ":"))


def from_json(text: str) -> Told:
    """Read remarks.

    Raises:
        ValueError: it is not what `to_json` writes.
    """
    found = json.loads(text)  # its error is a ValueError
    kinds = set(Told.__struct_fields__)
    if not isinstance(found, dict) or not found.keys() <= kinds or not all(map(_is_texts, found.values())):
        raise ValueError(f"expected lists of texts by {', '.join(sorted(kinds))}, got {text}")
    return Told(**{kind: tuple(texts) for kind, texts in found.items()})


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
