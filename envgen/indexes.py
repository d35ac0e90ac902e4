"""Wheel indexes beside the default one: which projects come from which, so that no other index can offer them.

A project comes from exactly one index: the one that names it, else the default. Versions of two indexes are never
compared: a person who can upload to one of them cannot replace a package of the other ("dependency confusion").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.names import ProjectName

DEFAULT = ""
"""Stands for the default index where the name of one is expected."""

VARIABLE = "ENVGEN_INDEX_"
"""What the variable of an index begins with; its name in upper case follows."""

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PLACEHOLDER = re.compile(r"\$\{ENVGEN_INDEX_([A-Z0-9]+(?:_[A-Z0-9]+)*)\}/")


def is_index_name(text: str) -> bool:
    """Return whether an index may have a name: the name and its variable stand for each other."""
    return bool(_NAME.fullmatch(text))


def variable_of(name: str) -> str:
    """Name the variable that holds the address of an index: `team` is `ENVGEN_INDEX_TEAM`."""
    return VARIABLE + name.upper().replace("-", "_")


def name_of(variable: str) -> str | None:
    """Name the index that a variable is of; None where it is of none."""
    name = variable.removeprefix(VARIABLE).lower().replace("_", "-")
    return name if is_index_name(name) and variable_of(name) == variable else None


def index_in(url: str) -> str | None:
    """Name the index whose placeholder a locked URL begins with; None where it begins with something else."""
    found = _PLACEHOLDER.match(url)
    return found[1].lower().replace("_", "-") if found else None


class NamedIndex(Struct, frozen=True, kw_only=True):
    """An index that a spec names.

    Attributes:
        name: lower-case letters, digits and dashes.
        url: as written: with variables, or a path from the project's root.
        projects: names of projects, normalised; `*` stands for any characters.
        undated: why its files are taken although it has no upload times and the spec has `exclude-newer`.
    """

    name: str
    url: str
    projects: tuple[str, ...]
    undated: str | None = None

    def covers(self, project: str) -> bool:
        """Return whether a project comes from here."""
        return any(matches(pattern, project) for pattern in self.projects)

    @property
    def is_simple(self) -> bool:
        """Return whether it has a page for each project, by its address: neither a page of links nor a folder."""
        is_folder = self.url.startswith((".", "/", "file:"))
        return not (is_folder or self.url.endswith((".html", ".htm")))

    @property
    def public_url(self) -> str | None:
        """Return the address, where it is the same for everybody: no variable, no folder."""
        return self.url if self.url.startswith("http") and "${" not in self.url else None

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables in the address."""
        return tuple(_VARIABLE.findall(self.url))

    @property
    def digest(self) -> Sha256:
        """Digest of the address as written: locks hold no host."""
        return Sha256.of(self.url.encode())


class LockedIndex(Struct, frozen=True, kw_only=True):
    """What a lock keeps of an index: `address` is `NamedIndex.digest`."""

    projects: tuple[str, ...]
    address: Sha256
    undated: str | None = None

    @classmethod
    def of(cls, index: NamedIndex) -> LockedIndex:
        """Return what a lock keeps of an index."""
        return cls(projects=index.projects, address=index.digest, undated=index.undated)


def matches(pattern: str, project: str) -> bool:
    """Return whether a pattern names a project; of one pattern and another, whether all of that is named by it."""
    return bool(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), project))


def index_of(project: ProjectName, indexes: Mapping[str, NamedIndex]) -> str:
    """Name the index that a project comes from; `DEFAULT` where none names it.

    Raises:
        UserError: more than one names it, which patterns alone do not tell.
    """
    found = [index for index in indexes.values() if index.covers(project)]
    if len(found) > 1:
        named = " and ".join(f"`indexes.{index.name}`" for index in found)
        raise UserError(
            f"`{project}` is named by {named}: a project comes from one index",
            hint=f"narrow the patterns in `projects` until one of them covers `{project}`",
        )
    return found[0].name if found else DEFAULT


def index_words(name: str) -> str:
    """Name an index in a sentence."""
    return f"index `{name}`" if name else "the wheel index"


def unused_patterns(indexes: Iterable[NamedIndex], projects: Iterable[str]) -> list[str]:
    """Return a remark on each pattern that names none of some projects."""
    known = list(projects)
    return [
        f"`indexes.{index.name}.projects`: `{pattern}` matches no locked package"
        for index in indexes
        for pattern in index.projects
        if not any(matches(pattern, project) for project in known)
    ]
