"""`init`: the first spec of a project."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jinja2

from envgen.errors import SpecError, UserError
from envgen.manifest.document import nearest
from envgen.manifest.parse import parse_spec
from envgen.manifest.select import FOLDER
from envgen.names import project_name
from envgen.project import shipped
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.platforms import Platform

_GLIBC = "2.36"
"""Of Debian 12: what Python from the shipped recipe needs."""

_GLIBC_OF_CHANNELS = "2.28"
"""What most wheels of today and conda-forge's packages can do with (manylinux_2_28)."""

_PYTHON = "3.11"
"""What the shipped recipe makes; every other one comes from a channel."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
"""What a MatchSpec or requirement begins with; whether all of it is valid, the parser of specs tells."""

_MACOS = "13.0"
_CHANNEL = "conda-forge"
_ALWAYS = {"dependencies": "python", "pypi": "pip"}
"""What people expect in an environment without asking for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a person says about a new environment.

    Attributes:
        name: of it.
        python: the minor version.
        platforms: those to lock.
        channels: conda channels.
        dependencies: MatchSpecs.
        pypi: requirements.
        cuda: newest CUDA of the machines' driver, or None without a GPU.
    """

    name: str
    python: str
    platforms: Sequence[Platform]
    channels: Sequence[str] = ()
    dependencies: Sequence[str] = ()
    pypi: Sequence[str] = ()
    cuda: str | None = None

    @property
    def added_channel(self) -> str | None:
        """The channel that is added where nothing else has such a Python."""
        is_served = self.python == _PYTHON and all(platform.is_linux for platform in self.platforms)
        return None if self.channels or is_served else _CHANNEL


def init(directory: Path, wishes: Wishes, *, today: dt.date) -> Path:
    """Write the spec of a new environment.

    Args:
        directory: of the project.
        wishes: what goes in.
        today: stands in a comment.

    Returns:
        The file.

    Raises:
        UserError: there is such an environment already.
        SpecError: something that was asked for is not valid.
    """
    return _write(directory, wishes.name, _render(wishes, today))


def init_from(directory: Path, name: str, *, template: str) -> Path:
    """Copy a spec that ships with envgen under a name.

    Raises:
        UserError: there is such an environment already, or none of that name ships.
    """
    specs = shipped.shipped_specs()
    if template not in specs:
        known = ", ".join(f"`{one}`" for one in specs)
        raise UserError(f"no spec `{template}` ships with envgen", hint=nearest(template, specs) or f"there is {known}")
    text = specs[template].read_text(encoding="utf-8")
    return _write(directory, name, text.replace(f"name: {template}\n", f"name: {name}\n"))


def _write(directory: Path, name: str, text: str) -> Path:
    source = f"{FOLDER}/{name}.yaml"
    file = directory / source
    if file.exists():
        raise UserError(f"`{source}` is there already", hint="choose another name, or edit it")
    try:
        parse_spec(text, source=source)
    except SpecError as error:
        raise SpecError(error.faults, hint="nothing was written") from error
    try:
        atomic_write(file, text)
    except OSError as error:
        raise UserError(f"`{file}` cannot be written: {error.strerror}") from error
    return file


def _render(wishes: Wishes, today: dt.date) -> str:
    channels = [*wishes.channels, *filter(None, [wishes.added_channel])]
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701  YAML, whose texts `_quoted` writes
    return environment.from_string(shipped.starter_template()).render(
        name=wishes.name,
        python=wishes.python,
        platforms={str(platform): _facts(platform, wishes, channels) for platform in dict.fromkeys(wishes.platforms)},
        channels=json.dumps(channels),
        dependencies=_with(_ALWAYS["dependencies"], wishes.dependencies),
        pypi=_with(_ALWAYS["pypi"], wishes.pypi),
        today=today.isoformat(),
    )


def _with(name: str, wishes: Sequence[str]) -> list[str]:
    """Write wishes as YAML, each once, below what is always there unless one of them names it."""
    names = (match[0] for text in wishes if (match := _NAME.match(text)))
    is_named = any(project_name(one) == name for one in names)
    return [_quoted(text) for text in dict.fromkeys(wishes if is_named else (name, *wishes)) if text]


def _facts(platform: Platform, wishes: Wishes, channels: Sequence[str]) -> str:
    facts = {}
    if platform.is_linux:
        facts["glibc"] = _GLIBC_OF_CHANNELS if channels else _GLIBC
    elif platform.startswith("osx"):
        facts["macos"] = _MACOS
    if wishes.cuda and not platform.startswith("osx"):
        facts["cuda"] = wishes.cuda
    return "{" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in facts.items()) + "}"


def _quoted(text: str) -> str:
    """Write a text as YAML; plain where that means the same."""
    is_plain = not any(c in text for c in "#:\"'{}&*!|>%@`[],") and text == text.strip() and text
    return text if is_plain else json.dumps(text, ensure_ascii=False)
