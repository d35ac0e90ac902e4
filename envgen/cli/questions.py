"""What `envgen init` asks a person who gave it nothing to go by."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from envgen.errors import UserError
from envgen.ops import InitField, check_init_field
from envgen.platforms import Platform
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.ops import InitOptions

T = TypeVar("T")


def ask(said: InitOptions, *, defaults: InitOptions) -> InitOptions:
    """Ask for a new environment, on standard error; an answer that is not valid is asked for again.

    Args:
        said: what the person has said already: maybe a name, and the version of Python to offer.
        defaults: the name and the platform to offer.

    Raises:
        click.Abort: the person leaves.
    """
    chosen = said.name or _one("name", _checked(InitField.NAME), default=defaults.name or "")
    minor = _one("Python", _checked(InitField.PYTHON), default=said.python)
    platforms = _one("platforms, separated by spaces", _platforms, default=" ".join(defaults.platforms))
    cuda = _one(
        "newest CUDA version that the driver supports, such as 12.8 (empty: no CUDA)",
        _or_none(_checked(InitField.CUDA)),
        default="",
    )
    click.echo("packages, one per line, such as `torch ==2.8.0`; finish with an empty line", err=True)
    return replace(
        said,
        name=chosen,
        python=minor,
        platforms=platforms,
        cuda=cuda,
        pypi=_many("wheel", _checked(InitField.PYPI)),
        dependencies=_many("conda package", _checked(InitField.DEPENDENCY)),
    )


def _checked(field: InitField) -> Callable[[str], str]:
    return lambda text: check_init_field(field, text)


def _one(question: str, parse: Callable[[str], T], *, default: str) -> T:
    def checked(text: str) -> T:
        try:
            return parse(text.strip())
        except UserError as error:
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
    words = text.replace(",", " ").split()
    return tuple(Platform(check_init_field(InitField.PLATFORM, word)) for word in words)
