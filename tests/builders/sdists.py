"""Source archives made in memory, with a backend of their own: nothing has to be downloaded to build one.

    make_sdist("spam", "1.2", files={"spam.py": "x = 1\n"}, requires=["ham"])

The backend writes a wheel with the files of the archive; a test replaces parts of it where it wants something wrong.
"""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

BACKEND = """\
import os, pathlib, zipfile
{before}
NAME, VERSION, TAG, REQUIRES, FILES = {facts!r}
INFO = f"{{NAME.replace('-', '_')}}-{{VERSION}}.dist-info"

def _metadata():
    lines = ["Metadata-Version: 2.1", f"Name: {{NAME}}", f"Version: {{VERSION}}"]
    return "\\n".join([*lines, *(f"Requires-Dist: {{one}}" for one in REQUIRES)]) + "\\n"

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    {on_metadata}
    pathlib.Path(folder, INFO).mkdir()
    pathlib.Path(folder, INFO, "METADATA").write_text(_metadata())
    return INFO

def build_wheel(folder, config_settings=None, metadata_directory=None):
    {on_wheel}
    name = f"{{NAME.replace('-', '_')}}-{{VERSION}}-{{TAG}}.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in FILES:
            wheel.writestr(path, pathlib.Path(path).read_bytes())
        wheel.writestr(f"{{INFO}}/METADATA", _metadata())
        wheel.writestr(f"{{INFO}}/WHEEL", f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {{TAG}}\\n")
        wheel.writestr(f"{{INFO}}/RECORD", "")
    return name
"""
PYPROJECT = '[build-system]\nrequires = [{requires}]\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def make_sdist(  # what an archive may hold, each with a default
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str] | None = None,
    requires: Iterable[str] = (),
    build_requires: Iterable[str] = (),
    tag: str = "py3-none-any",
    before: str = "",
    on_metadata: str = "pass",
    on_wheel: str = "pass",
    pkg_info: str | None = None,
    project: str = "",
) -> bytes:
    """Write a source archive.

    Args:
        name: of the project.
        version: of it.
        files: path in the wheel -> text; a module of the project's name by default.
        requires: requirements of the wheel.
        build_requires: requirements of the build.
        tag: of the wheel.
        before: code at the top of the backend.
        on_metadata: code that runs when metadata is prepared.
        on_wheel: code that runs when the wheel is built.
        pkg_info: text of `PKG-INFO`; none without.
        project: text of a `[project]` table, put before `[build-system]`.
    """
    module = name.replace("-", "_")
    own = {f"{module}.py": f'version = "{version}"\n'} if files is None else dict(files)
    facts = (name, version, tag, list(requires), list(own))
    backend = BACKEND.format(facts=facts, before=before, on_metadata=on_metadata, on_wheel=on_wheel)
    listed = ", ".join(f'"{one}"' for one in build_requires)
    texts = {
        **own,
        "backend.py": backend,
        "pyproject.toml": project + PYPROJECT.format(requires=listed),
        **({} if pkg_info is None else {"PKG-INFO": pkg_info}),
    }
    return make_tar({f"{module}-{version}/{path}": text for path, text in texts.items()})


def make_tar(texts: Mapping[str, str]) -> bytes:
    """Write a `.tar.gz` with files: path -> text; surrogates stand for bytes that are not UTF-8."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, text in texts.items():
            member = tarfile.TarInfo(path)
            data = text.encode(errors="surrogateescape")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def unpack_sdist(archive: bytes, folder: Path) -> None:
    """Write the files of a source archive, without the folder that they are in."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar.getmembers():
            file = folder / member.name.partition("/")[2]
            file.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(member)
            file.write_bytes(source.read() if source else b"")


def sdist_filename(name: str, version: str = "1.0") -> str:
    """Name the file of a source archive."""
    return f"{name.replace('-', '_')}-{version}.tar.gz"
