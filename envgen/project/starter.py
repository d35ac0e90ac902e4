"""The text of a first spec: what a person asks for, and what envgen adds to make it work."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.names import project_name
from envgen.platforms import dotted
from envgen.project import shipped
from envgen.pythons import SERVED
from envgen.templates import fill

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from envgen.platforms import Platform

_GLIBC = (2, 36)
"""Of Debian 12; with a Python of the shipped recipe that needs a newer one, that one."""

_GLIBC_OF_CHANNELS = "2.28"
"""What most wheels of today and conda-forge's packages can do with (manylinux_2_28)."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
"""What a MatchSpec or requirement begins with; whether all of it is valid, the parser of specs tells."""

_MACOS = "13.0"
_CHANNEL = "conda-forge"
_ALWAYS = {"dependencies": "python", "pypi": "pip"}
"""What people expect in an environment without asking for it."""


class NewSpec(Struct, frozen=True, kw_only=True):
    """What a new spec says.

    Attributes:
        name: of it.
        python: the minor version.
        platforms: those to lock.
        channels: conda channels.
        dependencies: MatchSpecs.
        pypi: requirements.
        cuda: newest CUDA of the machines' driver, or None without a GPU.
        glibc: of the machines; what the sources of packages need without.
        head: comment at the top.
        more: further sections, as YAML.
    """

    name: str
    python: str
    platforms: Sequence[Platform]
    channels: Sequence[str] = ()
    dependencies: Sequence[str] = ()
    pypi: Sequence[str] = ()
    cuda: str | None = None
    glibc: str | None = None
    head: str = ""
    more: str = ""

    @property
    def needed_glibc(self) -> str | None:
        """Return the glibc that a Python of the shipped recipe needs beyond that of Debian 12."""
        needed = None if self.channels or self.added_channel else SERVED.get(self.python)
        return dotted(needed) if needed and needed > _GLIBC else None

    @property
    def added_channel(self) -> str | None:
        """Return the channel that is added where nothing else has such a Python."""
        is_served = self.python in SERVED and all(platform.is_linux for platform in self.platforms)
        return None if self.channels or is_served else _CHANNEL


def starter_text(spec: NewSpec, *, today: dt.date) -> str:
    """Write a spec as YAML, with remarks for the person who edits it."""
    channels = [*spec.channels, *filter(None, [spec.added_channel])]
    is_conda_pip = "pip" in {match[0] for text in spec.dependencies if (match := _NAME.match(text))}
    text = fill(
        shipped.starter_template(),
        name=spec.name,
        python=spec.python,
        platforms=[(str(one), _facts(one, spec, channels)) for one in dict.fromkeys(spec.platforms)],
        channels=json.dumps(channels),
        dependencies=_with(_ALWAYS["dependencies"], spec.dependencies),
        pypi=_with(None if is_conda_pip else _ALWAYS["pypi"], spec.pypi),
        today=today.isoformat(),
    )
    return spec.head + text + spec.more


def _with(name: str | None, wishes: Sequence[str]) -> list[str]:
    """Write wishes as YAML, each once, below what is always there unless one of them names it."""
    names = (match[0] for text in wishes if (match := _NAME.match(text)))
    is_named = name is None or any(project_name(one) == name for one in names)
    return [_quoted(text) for text in dict.fromkeys(wishes if is_named else (name, *wishes)) if text]


def _facts(platform: Platform, spec: NewSpec, channels: Sequence[str]) -> str:
    facts = {}
    if platform.is_linux:
        facts["glibc"] = spec.glibc or spec.needed_glibc or (_GLIBC_OF_CHANNELS if channels else dotted(_GLIBC))
    elif platform.startswith("osx"):
        facts["macos"] = _MACOS
    if spec.cuda and not platform.startswith("osx"):
        facts["cuda"] = spec.cuda
    return "{" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in facts.items()) + "}"


def _quoted(text: str) -> str:
    """Write a text as YAML; plain where that means the same."""
    is_plain = not any(c in text for c in "#:\"'{}&*!|>%@`[],") and text == text.strip() and text
    return text if is_plain else json.dumps(text, ensure_ascii=False)
