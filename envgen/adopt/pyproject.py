"""Read `pyproject.toml`: PEP 621 with extras, PEP 735 with dependency groups, uv's sources, pixi's table.

https://packaging.python.org/en/latest/specifications/pyproject-toml/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement

from envgen.adopt import fields
from envgen.adopt.adopted import Adopted
from envgen.adopt.pixi import take_pixi
from envgen.adopt.uv_tables import take_settings, uv_sources
from envgen.names import project_name

if TYPE_CHECKING:
    from collections.abc import Collection

    from envgen.adopt.uv_tables import UvSources


def read_pyproject(text: str, source: str, groups: Collection[str]) -> Adopted:
    """Read a project file.

    Args:
        text: of the file.
        source: what messages call it.
        groups: extras and dependency groups to take over.

    Raises:
        SpecError: it cannot be read, or has no such group.
    """
    document = fields.toml_document(text, source)
    found = Adopted(source=source)
    project = fields.table(document.get("project"), f"{source}: project")
    tool = fields.table(document.get("tool"), f"{source}: tool")
    uv = fields.table(tool.get("uv"), f"{source}: tool.uv")
    found.name = fields.text(project["name"], f"{source}: project.name") if "name" in project else None
    if requires := project.get("requires-python"):
        found.requires_python(f"{source}: project.requires-python", str(requires), str(requires))
    sources = uv_sources(found, uv, f"{source}: tool.uv")
    fields.each(project.get("dependencies"), f"{source}: project.dependencies", sources.take)
    _groups(sources, document, project, groups)
    take_settings(sources, uv, f"{source}: tool.uv")
    if "pixi" in tool:
        take_pixi(found, fields.table(tool["pixi"], f"{source}: tool.pixi"), f"{source}: tool.pixi")
    _leave_others(found, document, tool, project)
    return found


def _groups(sources: UvSources, document: dict[str, Any], project: dict[str, Any], wanted: Collection[str]) -> None:
    """Adopt the extras and groups that are wanted, and name the others."""
    found, source = sources.found, sources.found.source
    extras = fields.table(project.get("optional-dependencies"), f"{source}: project.optional-dependencies")
    groups = fields.table(document.get("dependency-groups"), f"{source}: dependency-groups")
    for name in wanted:
        if name not in extras and name not in groups:
            known = ", ".join(f"`{one}`" for one in (*extras, *groups)) or "none"
            found.fail(source, f"there is no extra or dependency group `{name}`", f"there is {known}")
    for name in extras:
        place = f"{source}: project.optional-dependencies.{name}"
        if name in wanted:
            _extra(sources, extras, name, str(project.get("name", "")))
        else:
            found.left(place, name, f"an extra; `--group {name}` takes it over")
    for name in groups:
        if name in wanted:
            _group(sources, groups, name, ())
        else:
            found.left(f"{source}: dependency-groups.{name}", name, f"a group; `--group {name}` takes it over")


def _extra(sources: UvSources, extras: dict[str, Any], name: str, project: str, seen: tuple[str, ...] = ()) -> None:
    """Adopt an extra; one that asks for other extras of its own project brings them along."""
    place = f"{sources.found.source}: project.optional-dependencies.{name}"
    for where, text in fields.texts(extras.get(name), place):
        own = _own_extras(text, project)
        if own is None:
            sources.take(where, text)
            continue
        for other in own:
            if other not in (*seen, name):
                _extra(sources, extras, other, project, (*seen, name))


def _own_extras(text: str, project: str) -> list[str] | None:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    is_own = project and project_name(requirement.name) == project_name(project)
    return sorted(requirement.extras) if is_own else None


def _group(sources: UvSources, groups: dict[str, Any], name: str, trail: tuple[str, ...]) -> None:
    """Adopt a dependency group, with those that it includes."""
    place = f"{sources.found.source}: dependency-groups.{name}"
    if name in trail:
        sources.found.fail(place, f"`{name}` includes itself: {' -> '.join((*trail, name))}")
    if name not in groups:
        sources.found.fail(place, f"there is no dependency group `{name}`")
    for where, item in fields.items(groups[name], place):
        if isinstance(item, dict):
            _group(sources, groups, fields.text(item.get("include-group"), where), (*trail, name))
        else:
            sources.take(where, fields.text(item, where))


def _leave_others(found: Adopted, document: dict[str, Any], tool: dict[str, Any], project: dict[str, Any]) -> None:
    source = found.source
    if "build-system" in document and project:
        why = "the project itself is not put into the environment; what it requires is"
        found.left(f"{source}: build-system", str(project.get("name", "")), why)
    if "dependencies" in fields.table(tool.get("poetry"), f"{source}: tool.poetry"):
        found.left(
            f"{source}: tool.poetry.dependencies", "dependencies", "a table of Poetry alone; move it to `[project]`"
        )
