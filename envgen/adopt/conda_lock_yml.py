"""Read `conda-lock.yml`, version 1: https://conda.github.io/conda-lock/output/."""

from __future__ import annotations

from typing import Any

from envgen.adopt import fields
from envgen.adopt.adopted import Adopted, PinnedPackage
from envgen.adopt.locked import LockedPackage, archive_package, known_platform, take_packages

_MAIN = "main"


def read_conda_lock(text: str, source: str) -> Adopted:
    """Read a lock of conda-lock.

    Raises:
        SpecError: it cannot be read.
    """
    document = fields.yaml_document(text, source)
    found = Adopted(source=source)
    metadata = fields.table(document.get("metadata"), f"{source}: metadata")
    for where, channel in fields.tables(metadata.get("channels"), f"{source}: metadata.channels"):
        found.channel(where, fields.text(channel.get("url"), where))
    fields.each(metadata.get("platforms"), f"{source}: metadata.platforms", found.platform)
    packages = []
    for where, package in fields.tables(document.get("package"), f"{source}: package"):
        category = str(package.get("category", _MAIN))
        if category != _MAIN:
            found.left(where, str(package.get("name")), f"of the category `{category}`; add it with `envgen add`")
        elif read := _package(where, package):
            packages.append(read)
    take_packages(found, packages)
    return found


def _package(where: str, package: dict[str, Any]) -> LockedPackage | None:
    platform = known_platform(str(package.get("platform")))
    requires = tuple(fields.table(package.get("dependencies"), f"{where}.dependencies"))
    if package.get("manager") == "conda":
        return archive_package(where, fields.text(package.get("url"), f"{where}.url"), requires, platform)
    name, version = (fields.text(package.get(key), f"{where}.{key}") for key in ("name", "version"))
    pinned = PinnedPackage(name=name, version=version, platform=platform)
    return LockedPackage(where=where, pinned=pinned, requires=requires)
