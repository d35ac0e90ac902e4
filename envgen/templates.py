"""Texts with variables, rendered in a sandbox: a template reads the values that it is given, and nothing else.

A template of a recipe comes from a repository, which may be anybody's. It cannot reach an attribute, an item, a
function or a loop, so it cannot run code, and its output is bounded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from envgen.template_syntax import BLOCK, COMMENT, VARIABLE, UnsafeTemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["UnsafeTemplateError", "fill", "render", "undeclared"]


@lru_cache(maxsize=1 << 10)  # every platform reads the recipes
def undeclared(text: str) -> frozenset[str]:
    """Return the names that a template of a recipe uses.

    Raises:
        UnsafeTemplateError: it is malformed, or holds what a recipe may not use.
    """
    if not any(opening in text for opening in (VARIABLE, COMMENT, BLOCK)):  # most texts; compiling one takes 0.3 ms
        return frozenset()
    from envgen import template_sandbox  # noqa: PLC0415  see there

    return template_sandbox.undeclared(text)


def render(text: str, values: Mapping[str, str]) -> str:
    """Render a template of a recipe, which begins variables with `${{`.

    Raises:
        UnsafeTemplateError: as `undeclared`, or a variable has no value, or the output is too long.
    """
    undeclared(text)
    from envgen import template_sandbox  # noqa: PLC0415  as above

    return template_sandbox.render(text, values)


def fill(text: str, **values: Any) -> str:
    """Render a template that ships with envgen; it may loop over values."""
    from envgen import template_sandbox  # noqa: PLC0415  as above

    return template_sandbox.fill(text, **values)
