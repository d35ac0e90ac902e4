"""Commands that messages name: they run as printed, with the name of the environment where there are several."""

from __future__ import annotations

import importlib
import re
import shlex
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMAND = re.compile(r"`envgen (?P<verb>[a-z-]+)(?P<rest>(?: [^`]*)?)`")
_ARGUMENTS = ("env", "envs")
"""Names of the argument that chooses environments."""


def load(verb: str) -> click.Command:
    """Import the module of a verb, and return its command.

    Raises:
        ModuleNotFoundError, AttributeError: there is no such verb.
    """
    command: click.Command = importlib.import_module(f"envgen.cli.{verb.replace('-', '_')}").command
    return command


def naming(text: str, environment: str) -> str:
    """Add an environment to each command in backticks that takes one and has none."""
    return _COMMAND.sub(lambda found: f"`{_with(environment, found['verb'], found['rest'])}`", text)


def parameters(words: Sequence[str]) -> dict[str, Any] | None:
    """Parse a command without `envgen`, and run nothing; None where it is no whole command.

    Returns:
        The value of each parameter of the verb.
    """
    try:
        return load(words[0]).make_context(words[0], list(words[1:])).params
    except (ModuleNotFoundError, AttributeError, click.ClickException, click.exceptions.Exit):
        return None


def _with(environment: str, verb: str, rest: str) -> str:
    plain, word = f"{verb}{rest}", shlex.quote(environment)
    known = _parsed(plain)
    if known is None or known.get("everything") or not any(known.get(name) in (None, ()) for name in _given(known)):
        return f"envgen {plain}"
    # first before options, which may take it for their value; then after other arguments
    for text in (f"{verb} {word}{rest}", f"{plain} {word}"):
        found = _parsed(text)
        if found and any(found[name] in (environment, (environment,)) for name in _given(found)):
            return f"envgen {text}"
    return f"envgen {plain}"


def _given(known: dict[str, Any]) -> list[str]:
    return [name for name in _ARGUMENTS if name in known]


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return parameters(shlex.split(text))
    except ValueError:  # a quote that nothing closes
        return None
