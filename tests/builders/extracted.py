"""Extracted conda packages in a store, made from a few lines."""

from __future__ import annotations

import hashlib
import json
import posixpath
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from envgen.digest import Sha256
from envgen.names import CondaName, ProjectName
from envgen.packages import Origin, Wheel
from envgen.prefix.contents import LinkPackage
from envgen.records import Record

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.system.store import Store

PLACEHOLDER = "/placeholder/of/the/prefix"


class Link(Struct, frozen=True, kw_only=True):
    """A symbolic link; `listed` where the package has the digest of what it leads to, as CEP 34 asks."""

    to: str
    listed: bool = False


class Draft(Struct, frozen=True, kw_only=True):
    """A package to be: path -> text or link; text with `PLACEHOLDER` in it is patched when linked."""

    name: str
    files: dict[str, str | Link] = field(default_factory=dict)
    version: str = "1.0"
    build: str = "h1_0"
    noarch: str | None = None
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    entry_points: tuple[str, ...] = ()
    origin: Origin | None = None


def make(store: Store, draft: Draft) -> LinkPackage:
    """Write a package into the store, under a key that its content determines."""
    content = hashlib.sha256(repr(draft).encode()).hexdigest()
    key = f"{draft.name}-{draft.version}-{draft.build}-{content[:16]}"
    directory = store.ensure_package(key, lambda folder: _write(folder, draft))
    record = Record(
        name=CondaName(draft.name),
        version=draft.version,
        build=draft.build,
        build_number=0,
        subdir="noarch" if draft.noarch else "linux-64",
        depends=draft.depends,
        constrains=draft.constrains,
        noarch=draft.noarch,
        origin=draft.origin or wheel(draft.name, draft.version),
    )
    return LinkPackage(record=record, directory=directory)


def wheel(name: str, version: str = "1.0") -> Wheel:
    """Describe a wheel file that nobody has."""
    filename = f"{name}-{version}-py3-none-any.whl"
    return Wheel(
        project=ProjectName(name),
        version=version,
        filename=filename,
        sha256=Sha256.of(filename.encode()),
        size=None,
        requires={},
    )


def _write(folder: Path, draft: Draft) -> None:
    for path, content in draft.files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            file.symlink_to(content.to)
        else:
            file.write_text(content)
    info = folder / "info"
    info.mkdir()
    entries = [_entry(path, draft.files) for path in draft.files]
    (info / "paths.json").write_text(json.dumps({"paths_version": 1, "paths": entries}))
    (info / "index.json").write_text(json.dumps(_index(draft)))
    if draft.noarch == "python":
        noarch = {"type": "python", "entry_points": draft.entry_points}
        (info / "link.json").write_text(json.dumps({"noarch": noarch, "package_metadata_version": 1}))


def _index(draft: Draft) -> dict[str, Any]:
    index = {
        "name": draft.name,
        "version": draft.version,
        "build": draft.build,
        "build_number": 0,
        "depends": draft.depends,
        "subdir": "noarch" if draft.noarch else "linux-64",
    }
    return index | ({"noarch": draft.noarch} if draft.noarch else {})


def _entry(path: str, files: dict[str, str | Link]) -> dict[str, Any]:
    content = files[path]
    if isinstance(content, Link):
        led_to = files.get(posixpath.normpath(posixpath.join(posixpath.dirname(path), content.to)), "")
        return {"_path": path, "path_type": "softlink"} | (_digest(str(led_to)) if content.listed else {})
    entry = {"_path": path, "path_type": "hardlink"} | _digest(content)
    if PLACEHOLDER in content:
        entry |= {"file_mode": "text", "prefix_placeholder": PLACEHOLDER}
    return entry


def _digest(text: str) -> dict[str, Any]:
    return {"sha256": Sha256.of(text.encode()), "size_in_bytes": len(text.encode())}
