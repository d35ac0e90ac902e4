"""What `envgen init` asks a person who gave it nothing to go by."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from envgen.manifest import values
from envgen.manifest.document import BadValueError
from envgen.ops.init import Wishes

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.platforms import Platform

T = TypeVar("T")


def ask(*, name: str | None, folder: str | None, python: str, here: Platform) -> Wishes:
    """Ask for a new environment, on standard error; an answer that is not valid is asked for again.

    Args:
        name: of it, where that was said.
        folder: whose name it has otherwise, unless the person says another; None where that cannot be one.
        python: the version that a person gets who says none.
        here: the platform likewise.

    Raises:
        click.Abort: the person leaves.
    """
    chosen = name or _one("Name", values.environment_name, default=folder or "")
    minor = _one("Python", values.python_minor, default=python)
    platforms = _one("Platforms, separated by spaces", _platforms, default=str(here))
    cuda = _one("Newest CUDA of the machines' driver, such as 12.8 (none without)", _or_none(values.cuda), default="")
    click.echo("Packages one by one, as in `torch ==2.8.0`; an empty line ends.", err=True)
    return Wishes(
        name=chosen,
        python=str(minor),
        platforms=platforms,
        cuda=cuda,
        pypi=_many("From the wheel index", lambda text: str(values.requirement(text) and text)),
        dependencies=_many("From conda channels", values.match_spec),
    )


def _one(question: str, parse: Callable[[str], T], *, default: str) -> T:
    def checked(text: str) -> T:
        try:
            return parse(text.strip())
        except BadValueError as error:
            raise click.BadParameter(f"{error} ({error.hint})" if error.hint else str(error)) from error

    found: T = click.prompt(question, default=default, value_proc=checked, show_default=bool(default), err=True)
    return found


def _many(question: str, parse: Callable[[str], str]) -> tuple[str, ...]:
    found: list[str] = []
    while text := _one(question, _or_none(parse), default=""):
        found.append(text)
    return tuple(found)


def _or_none(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    return lambda text: parse(text) if text else None


def _platforms(text: str) -> tuple[Platform, ...]:
    return tuple(values.platform(word) for word in text.replace(",", " ").split())
