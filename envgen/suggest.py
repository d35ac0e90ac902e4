"""Hints for words that are not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def nearest(word: str, known: Collection[str], *, most: int = 1, cutoff: float = 0.5) -> str | None:
    """Return the hint that names the likeliest meant of `known`, or None where nothing is close.

    Args:
        word: what was written; upper and lower case are alike.
        known: what could have been meant.
        most: how many to name; where it is more than one, also words that contain `word`.
        cutoff: similarity in [0, 1] from which on a word is close, as `difflib` measures it.
    """
    import difflib  # noqa: PLC0415  takes 5 ms, and most words are known

    spelled = {one.lower(): one for one in sorted(known, reverse=True)}
    close = difflib.get_close_matches(word.lower(), sorted(spelled), n=most, cutoff=cutoff)
    inside = sorted(one for one in spelled if most > 1 and word.lower() in one)
    offered = list(dict.fromkeys([*close, *inside]))[:most]
    if not offered:
        return None
    return f"did you mean {' or '.join(f'`{spelled[one]}`' for one in offered)}?"
