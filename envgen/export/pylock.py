"""`pylock.toml` (PEP 751): the wheels of one lock, each with its address.

https://packaging.python.org/en/latest/specifications/pylock-toml/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomlkit

from envgen.builds import GitSource, LocalSource
from envgen.export.export_input import Exported, not_wheels

if TYPE_CHECKING:
    from envgen.export.export_input import ExportInput
    from envgen.lock.model import Lock
    from envgen.packages import Wheel
    from envgen.platforms import Target


def render(inputs: ExportInput) -> Exported:
    """Write the wheels of one lock."""
    lock = inputs.lock
    document = tomlkit.document()
    document.add("lock-version", tomlkit.item("1.0"))
    document.add("environments", _strings([_marker(lock.target)]))
    document.add("requires-python", tomlkit.item(f"=={lock.target.python}.*"))
    document.add("created-by", tomlkit.item(inputs.tool[0]))
    packages = tomlkit.aot()
    known = {wheel.project for wheel in lock.wheels}
    for wheel in lock.wheels:
        packages.append(_package(wheel, inputs, known))
    document.add("packages", packages)
    return Exported(text=tomlkit.dumps(document), notes=(*not_wheels(lock), *_stand_ins(lock)))


def _stand_ins(lock: Lock) -> tuple[str, ...]:
    return tuple(f"`{other}` stands for `{project}`, which it cannot say" for project, other in lock.stand_ins.items())


def _package(wheel: Wheel, inputs: ExportInput, known: set[Any]) -> tomlkit.items.Table:
    table = tomlkit.table()
    table.add("name", str(wheel.project))
    table.add("version", wheel.version)
    if (repository := inputs.repository(wheel)) is not None:
        table.add("index", repository)
    if requires := [project for project in sorted(wheel.requires) if project in known]:
        table.add("dependencies", _tables([{"name": str(project)} for project in requires]))
    key, value = _origin(wheel, inputs)
    table.add(key, _tables([value]) if key == "wheels" else _inline(value))
    return table


def _origin(wheel: Wheel, inputs: ExportInput) -> tuple[str, dict[str, Any]]:
    """Return where a wheel or its source is: the key and the value of the standard."""
    source = wheel.made.source if wheel.made else None
    match source:
        case GitSource():
            asked = {"requested-revision": source.reference} if source.reference else {}
            git = {"type": "git", "url": source.url, **asked, "commit-id": source.commit}
            return "vcs", {**git, **_folder(source.subdirectory)}
        case LocalSource():
            return "directory", {"path": source.path}
        case _:
            listed = wheel.listed
            file = {
                "url": inputs.url(wheel),
                **({} if listed.size is None else {"size": listed.size}),
                "hashes": {"sha256": str(listed.sha256)},
            }
    if source and source.address:
        return "archive", {**file, **_folder(source.subdirectory)}
    return ("sdist" if source else "wheels"), {"name": listed.filename, **file}


def _folder(subdirectory: str) -> dict[str, str]:
    return {"subdirectory": subdirectory} if subdirectory else {}


def _marker(target: Target) -> str:
    """Return the marker of the machines that the lock is for."""
    facts = target.marker_environment()
    keys = ("implementation_name", "platform_machine", "sys_platform")
    return " and ".join(f"{key} == '{facts[key]}'" for key in keys)


def _tables(values: list[dict[str, Any]]) -> tomlkit.items.Array:
    array = tomlkit.array().multiline(multiline=True)
    for value in values:
        array.append(_inline(value))
    return array


def _strings(values: list[str]) -> tomlkit.items.Array:
    array = tomlkit.array().multiline(multiline=True)
    array.extend(values)
    return array


def _inline(value: dict[str, Any]) -> tomlkit.items.InlineTable:
    table = tomlkit.inline_table()
    for key, item in value.items():
        table.append(key, _inline(item) if isinstance(item, dict) else item)
    return table
