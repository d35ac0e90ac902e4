"""What uv adds to requirements: sources of projects and indexes (`[tool.uv]`).

https://docs.astral.sh/uv/reference/settings/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from msgspec import Struct, field
from packaging.requirements import InvalidRequirement, Requirement

from envgen.adopt import fields
from envgen.manifest import values
from envgen.manifest.document import BadValueError
from envgen.names import project_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.adopt.adopted import Adopted

_LISTS = {"constraint-dependencies": "constraints", "override-dependencies": "overrides"}
_LISTS["build-constraint-dependencies"] = "build-constraints"
_READ = frozenset({*_LISTS, "sources", "index", "exclude-newer", "dev-dependencies", "index-url", "extra-index-url"})


class UvSources(Struct, kw_only=True):
    """`[tool.uv.sources]`.

    Attributes:
        found: takes what becomes of them.
        where: they stand.
        tables: project -> its source, or several with markers.
        projects: index -> projects that come from it.
    """

    found: Adopted
    where: str
    tables: Mapping[str, Any] = field(default_factory=dict)
    projects: dict[str, list[str]] = field(default_factory=dict)

    def take(self, where: str, text: str) -> None:
        """Adopt a requirement, from where its project's source says."""
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            self.found.wheel(where, text)  # which says why not
            return
        source = self.tables.get(project_name(requirement.name))
        place = f"{self.where}.{requirement.name}"
        if source is None:
            self.found.wheel(where, text)
        elif isinstance(source, list):
            self._several(where, text, requirement, source)
        else:
            self._one(where, text, requirement, fields.table(source, place))

    def _several(self, where: str, text: str, requirement: Requirement, sources: list[Any]) -> None:
        """Return the one index that all agree on; sources that differ by platform cannot be said here."""
        names = {one.get("index") for one in sources if isinstance(one, dict)}
        if len(names) == 1 and None not in names:
            self._one(where, text, requirement, sources[0])
        else:
            self.found.left(where, text, "its source differs by platform; write one environment for each")

    def _one(self, where: str, text: str, requirement: Requirement, source: dict[str, Any]) -> None:
        if index := source.get("index"):
            self.projects.setdefault(str(index), []).append(requirement.name)
            self.found.wheel(where, text)
            return
        address = direct(source)
        if address is None:
            self.found.left(where, text, "a member of the workspace: write its folder, `./folder`, under `pypi`")
            return
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        marker = f" ; {requirement.marker}" if requirement.marker else ""
        why = "by its source; not linked as an editable install" if source.get("editable") else "by its source"
        self.found.wheel(where, f"{requirement.name}{extras} @ {address}{marker}", written=text, why=why)


def direct(source: Mapping[str, Any]) -> str | None:
    """Return the address of a source as PEP 508 has it, with `#subdirectory=`; None where it has none."""
    path, git, url = (source.get(key) for key in ("path", "git", "url"))
    address, _, query = str(git or "").partition("?")  # `uv.lock` has the rest of the source there
    source = {**source, **dict(parse_qsl(query.partition("#")[0]))}
    folder = f"#subdirectory={source['subdirectory']}" if source.get("subdirectory") else ""
    if git:
        reference = source.get("rev") or source.get("tag") or source.get("branch")
        address = address if address.startswith("git+") else f"git+{address}"
        return f"{address}{'@' + str(reference) if reference else ''}{folder}"
    if url:
        return f"{url}{folder}"
    if path:
        return str(path) if str(path).startswith((".", "/")) else f"./{path}"
    return None


def uv_sources(found: Adopted, tool: dict[str, Any], where: str) -> UvSources:
    """Read `sources` of `[tool.uv]`."""
    tables = fields.table(tool.get("sources"), f"{where}.sources")
    named = {str(project_name(key)): value for key, value in tables.items()}
    return UvSources(found=found, where=f"{where}.sources", tables=named)


def take_settings(sources: UvSources, tool: dict[str, Any], where: str) -> None:
    """Adopt the rest of `[tool.uv]`: after the requirements, since indexes want the projects that use them."""
    found = sources.found
    for key, section in _LISTS.items():
        for place, text in fields.texts(tool.get(key), f"{where}.{key}"):
            found.wheel(place, text, section=section)
    for place, index in fields.tables(tool.get("index"), f"{where}.index"):
        _index(sources, place, index)
    if limit := tool.get("exclude-newer"):
        _limit(found, f"{where}.exclude-newer", str(limit))
    if url := tool.get("index-url"):
        found.default_index(f"{where}.index-url", str(url))
    for place, url in fields.texts(tool.get("extra-index-url"), f"{where}.extra-index-url"):
        found.index(place, "further", url, ())
    for key in [key for key in tool if key not in _READ]:
        found.left(f"{where}.{key}", key, "a setting of uv")


def _limit(found: Adopted, where: str, text: str) -> None:
    try:
        values.moment_or_age(text)
    except BadValueError as error:
        found.left(where, text, str(error))
        return
    found.exclude_newer = text
    found.took(where, text, "exclude-newer")


def _index(sources: UvSources, place: str, index: dict[str, Any]) -> None:
    url, name = str(index.get("url", "")), str(index.get("name", "further"))
    if index.get("default"):
        sources.found.default_index(place, url)
        return
    used = sources.projects.get(name, [])
    sources.found.index(place, name.lower().replace("_", "-"), url, used)
