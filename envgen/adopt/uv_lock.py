"""Read `uv.lock`, version 1: https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from envgen.adopt import fields
from envgen.adopt.adopted import Adopted, PinnedPackage
from envgen.adopt.uv_tables import direct

if TYPE_CHECKING:
    from collections.abc import Collection

_FORMAT = 1
"""Version of the format; its revisions may be read by every reader of it."""

_OWN = ("editable", "virtual", "directory")


def read_uv_lock(text: str, source: str, groups: Collection[str]) -> Adopted:
    """Read a lock of uv: what its project requires, and every version.

    Raises:
        SpecError: it cannot be read.
    """
    document = fields.toml_document(text, source)
    found = Adopted(source=source)
    if document.get("version", _FORMAT) != _FORMAT:
        found.fail(f"{source}: version", f"expected {_FORMAT}, got {document.get('version')!r}")
    if requires := document.get("requires-python"):
        found.requires_python(f"{source}: requires-python", str(requires), str(requires))
    packages = list(fields.tables(document.get("package"), f"{source}: package"))
    for where, package in packages:
        if _is_project(where, package):
            found.name = found.name or fields.text(package.get("name"), f"{where}.name")
            _requirements(found, where, package, groups)
    take_versions(found, document)
    return found


def take_versions(found: Adopted, document: dict[str, Any]) -> None:
    """Keep the version of each package; of one that is locked in several, none."""
    packages = list(fields.tables(document.get("package"), f"{found.source}: package"))
    counts = Counter(str(package.get("name")) for _, package in packages)
    for where, package in packages:
        name = fields.text(package.get("name"), f"{where}.name")
        if counts[name] > 1:
            found.left(where, f"{name} {package.get('version')}", "one of several versions for different machines")
        elif "version" in package and not _is_project(where, package):
            found.pinned.append(PinnedPackage(name=name, version=str(package["version"])))


def _is_project(where: str, package: dict[str, Any]) -> bool:
    return any(key in fields.table(package.get("source"), f"{where}.source") for key in _OWN)


def _requirements(found: Adopted, where: str, package: dict[str, Any], groups: Collection[str]) -> None:
    metadata = fields.table(package.get("metadata"), f"{where}.metadata")
    for place, one in fields.tables(metadata.get("requires-dist"), f"{where}.metadata.requires-dist"):
        extra = next((name for name in groups if f"extra == '{name}'" in str(one.get("marker", ""))), None)
        if "extra ==" in str(one.get("marker", "")) and extra is None:
            found.left(place, _words(one), "of an extra; `--group NAME` takes it over")
        else:
            _take(found, place, one)
    for name, listed in fields.table(metadata.get("requires-dev"), f"{where}.metadata.requires-dev").items():
        for place, one in fields.tables(listed, f"{where}.metadata.requires-dev.{name}"):
            if name in groups:
                _take(found, place, one)
            else:
                found.left(place, _words(one), f"of the group `{name}`; `--group {name}` takes it over")


def _take(found: Adopted, place: str, one: dict[str, Any]) -> None:
    folder = next((one[key] for key in _OWN if key in one), None)
    address = direct({"path": folder} if folder else one)
    extras = [text for _, text in fields.texts(one.get("extras"), f"{place}.extras")]
    name = f"{one.get('name')}{'[' + ','.join(extras) + ']' if extras else ''}"
    marker = str(one.get("marker", ""))
    marker = "" if "extra ==" in marker else f" ; {marker}" if marker else ""
    wanted = f" @ {address}" if address else f" {one['specifier']}" if "specifier" in one else ""
    if index := one.get("index"):
        found.index(place, "further", str(index), (str(one.get("name")),))
    found.wheel(place, f"{name}{wanted}{marker}")


def _words(one: dict[str, Any]) -> str:
    return f"{one.get('name')} {one.get('specifier', '')}".strip()
