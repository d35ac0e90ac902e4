"""Wheels that link a project for work: METADATA and programs of the project, and its modules where they are written.

The backend makes one by the hook of PEP 660. Where it has none, a `.pth` file names the folder with the modules.
https://peps.python.org/pep-0660/
"""

from __future__ import annotations

import json
import posixpath
import zipfile
from typing import TYPE_CHECKING

from envgen.convert.wheel_zip import inflate, read_members
from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envgen.convert.build_backend import Backend

_LAYOUTS = ("src", "")
"""Folders of a project that its modules are in."""


def editable_wheel(backend: Backend, folder: Path) -> Path:
    """Build the wheel that links a project, and return its path below the sandbox.

    Args:
        backend: with a copy of the project.
        folder: of the project itself, absolute.

    Raises:
        BuildError: the backend fails.
        ArtifactError: what it gives is not a wheel, or the modules of the wheel are not files of the project.
    """
    hooked = backend.editable()
    wheel = hooked or backend.wheel()
    files = _read(wheel)
    # the hook ran in a copy, so that its paths are those of the copy
    linked = _moved(files, backend.source, str(folder)) if hooked else _named(files, folder)
    info = next(posixpath.dirname(path) for path in files if path.endswith(".dist-info/METADATA"))
    origin = {"url": folder.as_uri(), "dir_info": {"editable": True}}  # PEP 610
    wheel.unlink()
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in {**linked, f"{info}/direct_url.json": json.dumps(origin).encode()}.items():
            archive.writestr(path, data)
    return wheel


def _read(wheel: Path) -> dict[str, bytes]:
    with wheel.open("rb") as source:
        found = {
            member.name: b"".join(inflate(source.fileno(), member, what=wheel.name))
            for member in read_members(source, what=wheel.name)
        }
    if not any(path.endswith(".dist-info/METADATA") for path in found):
        raise ArtifactError(f"`{wheel.name}` has no METADATA")
    return found


def _moved(files: Mapping[str, bytes], copy: str, folder: str) -> dict[str, bytes]:
    return {path: data.replace(copy.encode(), folder.encode()) for path, data in files.items()}


def _named(files: Mapping[str, bytes], folder: Path) -> dict[str, bytes]:
    """Return what is not a module, and a `.pth` file with the folder of the modules.

    Raises:
        ArtifactError: the project has them in several folders, or makes them while it is built.
    """
    modules = sorted(set(_modules(files)))
    places = [folder / layout for layout in _LAYOUTS]
    found = next((place for place in places if all((place / module).exists() for module in modules)), None)
    if found is None:
        raise ArtifactError(
            f"`{folder.name}` cannot be linked: its backend lacks the hook of PEP 660, and "
            f"`{modules[0]}` is not a file of the project or of its folder `src`"
        )
    kept = {path: data for path, data in files.items() if path.partition("/")[0] not in modules}
    return {**kept, f"__editable__.{folder.name}.pth": f"{found}\n".encode()}


def _modules(files: Mapping[str, bytes]) -> Iterator[str]:
    for path in files:
        top = path.partition("/")[0]
        if not top.endswith((".dist-info", ".data")):
            yield top
