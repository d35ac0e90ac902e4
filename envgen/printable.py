"""Foreign text for a terminal: what would move the cursor, ring, hide or turn text round is shown, not done."""

from __future__ import annotations

import re
import unicodedata

from envgen.urls import without_secrets_in

_SUSPECT = re.compile(r"[^\x20-\x7e\n\t]")
_BREAK = re.compile(r"[\n\t]")
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Categories of Unicode that a terminal acts on or does not show: control (C0, DEL, C1), format (overrides of the
direction of writing, characters of no width), private, surrogates, and separators of lines and paragraphs."""


def visible(text: str) -> str:
    r"""Return a text with every character that a terminal would act on as an escape, such as `\x1b` or `\u202e`.

    Line feeds and tabs stay.
    """
    return _SUSPECT.sub(_escape, text)


def one_line(text: str) -> str:
    r"""Return a text that fits into one line: as `visible`, and line feeds and tabs as `\n` and `\t`."""
    return _BREAK.sub(_written, visible(text))


def message(text: str) -> str:
    """Return a message of several lines, of which only the first begins at the margin.

    So foreign text with a line feed cannot pass for a line of its own, such as `error: ...`. Secrets in addresses are
    masked, whoever wrote them.
    """
    first, *others = visible(without_secrets_in(text)).split("\n")
    return "\n".join([first, *(line if not line or line[0] == " " else f"  {line}" for line in others)])


def in_json(text: str) -> str:
    r"""Return JSON with hidden characters as `\uXXXX`, which means the same to every parser."""
    return _SUSPECT.sub(lambda found: _json_escape(found[0]) if _is_hidden(found[0]) else found[0], text)


def _escape(found: re.Match[str]) -> str:
    return _written(found) if _is_hidden(found[0]) else found[0]


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN


def _written(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _json_escape(character: str) -> str:
    pairs = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{pairs[i]:02x}{pairs[i + 1]:02x}" for i in range(0, len(pairs), 2))
