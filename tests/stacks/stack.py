"""One set of `stacks.yaml`, and what it says for envgen and for uv."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from packaging.utils import NormalizedName, canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping

LAST_DAY = dt.date(2026, 11, 25)
"""What was uploaded later does not exist, so that a table of today can be held against one of next year."""

CUTOFF = dt.datetime.combine(LAST_DAY + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)
"""The end of that day, which is what `exclude-newer: <day>` means in a spec."""

FILE = Path(__file__).with_name("stacks.yaml")

_ALWAYS = ("pip",)
_GLIBC = "2.36"


class Size(enum.StrEnum):
    """How much there is to download for linux-64."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"

    @classmethod
    def of(cls, size: int) -> Size:
        """Return the class of so many bytes."""
        limits = {cls.SMALL: 300_000_000, cls.MEDIUM: 1_500_000_000}
        return next((found for found, limit in limits.items() if size < limit), cls.LARGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A set of requirements of a real project.

    Attributes:
        name: of the set, and of its environment.
        pypi: requirements, without `pip`.
        platforms: that are locked.
        size: class of its wheels for linux-64.
        imports: modules to import once it is created.
        ci: whether `pytest -m real` runs it.
        needs_source: projects without a wheel, built from a source archive; their versions are not compared.
        deviations: project -> why another version than uv's is right.
    """

    name: str
    pypi: tuple[str, ...]
    platforms: tuple[str, ...]
    size: Size
    imports: tuple[str, ...]
    ci: bool
    needs_source: tuple[NormalizedName, ...]
    deviations: Mapping[NormalizedName, str]

    @property
    def locked(self) -> bool:
        """Return whether the set has wheels for everything."""
        return not self.needs_source

    @property
    def created(self) -> bool:
        """Return whether the environment is made and tried."""
        return self.locked and self.size is not Size.LARGE

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return the requirements of both programs."""
        return (*_ALWAYS, *self.pypi)

    def spec(self) -> str:
        """Write the spec, without its name."""
        document = {
            "python": "3.11",
            "platforms": {platform: {"glibc": _GLIBC} for platform in self.platforms},
            "dependencies": ["python"],
            "pypi": list(self.requirements),
            "exclude-newer": LAST_DAY,
        }
        return yaml.safe_dump(document, sort_keys=False)


def uv_platform(platform: str) -> str:
    """Translate a platform of a spec into uv's `--python-platform`."""
    machine = {"linux-64": "x86_64", "linux-aarch64": "aarch64"}[platform]
    return f"{machine}-manylinux_{_GLIBC.replace('.', '_')}"


def read_stacks(text: str) -> tuple[Stack, ...]:
    """Read a document of the form of `stacks.yaml`.

    Raises:
        TypeError: a set has a key that is not known here, or lacks one.
    """
    return tuple(_stack(name, **fields) for name, fields in yaml.safe_load(text).items())


def _stack(name: str, *, pypi: list[str], size: str, ci: bool = False, **given: Any) -> Stack:
    found = Stack(
        name=name,
        pypi=tuple(pypi),
        platforms=tuple(given.pop("platforms", ["linux-64"])),
        size=Size(size),
        imports=tuple(given.pop("imports", ())),
        ci=ci,
        needs_source=tuple(map(canonicalize_name, given.pop("needs-source", ()))),
        deviations={canonicalize_name(project): reason for project, reason in given.pop("deviations", {}).items()},
    )
    if given:
        raise TypeError(f"stack `{name}` has unknown keys: {', '.join(given)}")
    return found
