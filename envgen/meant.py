"""Names that no source has: which project is meant, as far as that is a fact, and where was looked."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from msgspec import Struct, field
from packaging.utils import is_normalized_name

from envgen.errors import Fault, SpecError
from envgen.indexes import index_of, index_words
from envgen.names import ProjectName, project_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.indexes import NamedIndex


class MeantTable(Struct, frozen=True, kw_only=True):
    """What ships about names that are not those of projects.

    Attributes:
        projects: name of a module or brand, normalised -> the project of the public index.
        placeholders: those of them that exist there as projects of their own, and hold nothing.
        programs: names of programs that no project brings, whatever the project of that name is.
    """

    projects: Mapping[str, ProjectName] = field(default_factory=dict)
    placeholders: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()

    @classmethod
    def from_toml(cls, text: str) -> MeantTable:
        """Read a table from TOML: `[projects]`, `placeholders` and `programs`.

        Raises:
            SpecError: the text is no such table.
        """
        try:
            document = tomllib.loads(text)
            projects, placeholders = dict(document["projects"]), frozenset(document["placeholders"])
            programs = frozenset(document.get("programs", ()))
            named = [*projects, *projects.values(), *programs]
            wrong = [name for name in named if not is_normalized_name(name)] + sorted(placeholders - projects.keys())
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise SpecError((Fault(where="table of meant projects", what=str(error)),)) from error
        if wrong:
            raise SpecError((Fault(where="table of meant projects", what=f"not valid: {', '.join(wrong)}"),))
        return cls(projects=projects, placeholders=placeholders, programs=programs)

    def project(self, name: str, *, exists: bool) -> ProjectName | None:
        """Return the project that is meant by a name which no project has, or only a placeholder if it `exists`."""
        plain = project_name(name)
        return None if exists and plain not in self.placeholders else self.projects.get(plain)


class Asked(Struct, frozen=True, kw_only=True):
    """Where a solve looks, in words without credentials.

    Attributes:
        index: the default wheel index.
        channels: the channels of the spec, strongest first.
        indexes: the indexes of the spec, by name.
    """

    index: str = "the wheel index"
    channels: tuple[str, ...] = ()
    indexes: Mapping[str, NamedIndex] = field(default_factory=dict)

    def index_of(self, project: ProjectName) -> str:
        """Name the index that a project comes from, as the subject of a sentence."""
        name = index_of(project, self.indexes)
        return index_words(name) if name else self.index

    def sources(self) -> str:
        """Name whatever offers conda packages, as the subject of a sentence that denies it."""
        listed = ", ".join(self.channels)
        return f"neither a channel of the spec ({listed}) nor a recipe" if listed else "no recipe"
