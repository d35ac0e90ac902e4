"""How templates of recipes are written, and the error for those that are not."""

from __future__ import annotations

VARIABLE, COMMENT, BLOCK = "${{", "{##", "{%"
"""What begins everything in a template of a recipe that is not text; `{#` is common in shell scripts."""


class UnsafeTemplateError(ValueError):
    """A template that is malformed, or asks for more than it may."""
