"""Read the keys of a spec that adjust what packages say of themselves; each function turns a section into a field."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from envgen.manifest import values
from envgen.manifest.document import BadValueError
from envgen.urls import leak

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from envgen.manifest.document import Value
    from envgen.names import ProjectName

K = TypeVar("K", bound=str)
T = TypeVar("T")


def parse_exclude(section: Value | None) -> dict[ProjectName, tuple[ProjectName, ...]]:
    """Parse `exclude: {package: [dependency]}`."""
    found: dict[ProjectName, tuple[ProjectName, ...]] = {}
    for project, value in _by_key(section, values.project_key, "`exclude: {package: [dependency]}`"):
        shape = f"`{project}: [dependency]`"
        items = value.items(hint=shape)
        if not items and (value.is_empty or value.is_list):
            value.fault(f"`{value.key}`: no dependency is listed", shape)
        found[project] = _dependencies(items)
    return _sorted(found)


def parse_substitutes(section: Value | None) -> dict[ProjectName, ProjectName]:
    """Parse `substitutes: {opencv-python: opencv-python-headless}`; a substitute has none itself."""
    found: dict[ProjectName, ProjectName] = {}
    where: dict[ProjectName, Value] = {}
    for project, value in _by_key(section, values.project_key, "`substitutes: {project: other}`"):
        other = value.parsed(values.project_key)
        if other is not None:
            found[project], where[project] = other, value
    for project, other in found.items():
        if other == project:
            where[project].fault(f"`{where[project].key}`: a project cannot be substituted by itself")
        elif other in found:
            hint = f"write `{project}: {found[other]}`" if found[other] != project else "remove one of the two lines"
            where[project].fault(f"`{where[project].key}`: `{other}` has a substitute itself", hint)
    return _sorted(found)


def parse_conflicts(section: Value | None) -> dict[str, str]:
    """Parse `conflicts: {path-or-glob: package}`."""
    found: dict[str, str] = {}
    for path, value in _by_key(section, _path, "`conflicts: {path-or-glob: package}`"):
        package = value.parsed(_package)
        if package is not None:
            found[path] = package
    return _sorted(found)


def parse_reasons(section: Value | None, parse: Callable[[str], K]) -> dict[K, str]:
    """Parse exceptions by name, `NAME: "reason"`; `parse` reads a name."""
    found: dict[K, str] = {}
    key = section.key if section else ""
    for project, value in _by_key(section, parse, f'`{key}: {{NAME: "reason"}}`'):
        reason = parse_reason(value, key=project)
        if reason:
            found[project] = reason
    return _sorted(found)


def parse_reason(value: Value, *, key: str) -> str | None:
    """Parse the reason of one exception, which stands behind `key`; None where it has a fault."""
    reason = "" if value.is_empty else value.text()
    if reason == "":
        value.fault(f"`{value.key}`: the reason is missing", f'`{key}: "reason"`')
    elif reason and (what := leak(reason)):
        value.fault(f"`{value.key}`: the reason contains {what}, which would end up in the lock")
    elif reason:
        return " ".join(reason.split())
    return None


def _dependencies(items: tuple[Value, ...]) -> tuple[ProjectName, ...]:
    found: set[ProjectName] = set()
    for item in items:
        name = item.parsed(values.project_key)
        if name in found:
            item.fault(f"`{item.key}`: `{name}` is listed twice")
        elif name is not None:
            found.add(name)
    return tuple(sorted(found))


def _by_key(section: Value | None, parse: Callable[[str], K], shape: str) -> Iterator[tuple[K, Value]]:
    """Yield entries of a mapping with keys as `parse` makes them; two that become one are a fault."""
    first: dict[K, Value] = {}
    for text, value in section.fields(hint=shape).items() if section else ():
        key = value.checked(text, parse)
        if key is None:
            continue
        if key in first:
            value.fault(f"`{value.key}`: `{key}` is already defined, in {first[key].place_from(value)}")
            continue
        first[key] = value
        yield key, value


def _path(text: str) -> str:
    """Check a path or pattern below the prefix."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in text:
        raise BadValueError(
            f"not a path in the environment: {text!r}",
            hint="write it relative to the environment, such as `lib/python3.11/site-packages/a.py`",
        )
    return str(path)


def _package(text: str) -> str:
    """Check the name of a package, a project's or conda's; neither knows upper case."""
    try:
        return values.conda_name(text.lower())
    except BadValueError:
        return str(values.project_key(text))


def _sorted(found: Mapping[K, T]) -> dict[K, T]:
    return {key: found[key] for key in sorted(found)}
