"""The dist-info of a project that a wheel stands for, so that programs that look for it by name find it installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.convert.wheel_record import installed_entry, render_record
from envgen.digest import Sha256

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.names import ProjectName
    from envgen.packages import Wheel
    from envgen.platforms import PythonMinor

_METADATA = """\
Metadata-Version: 2.1
Name: {project}
Version: {version}
Summary: provided by {provider}
Requires-Dist: {provider} =={version}
"""


def write_stand_ins(dest: Path, wheel: Wheel, *, python: PythonMinor) -> dict[str, tuple[Sha256, int]]:
    """Write the dist-info of each project that a wheel stands for, with the wheel's version.

    Args:
        dest: the wheel's files as they will stand in a prefix.
        wheel: the wheel.
        python: names site-packages.

    Returns:
        Path -> sha256 and size.
    """
    found: dict[str, tuple[Sha256, int]] = {}
    for project in wheel.stands_for:
        folder = f"{project.replace('-', '_')}-{wheel.version}.dist-info"
        (dest / python.site_packages / folder).mkdir(parents=True)
        for name, content in _files(folder, project, wheel).items():
            path = f"{python.site_packages}/{folder}/{name}"
            (dest / path).write_bytes(content)
            found[path] = (Sha256.of(content), len(content))
    return found


def _files(folder: str, project: ProjectName, wheel: Wheel) -> dict[str, bytes]:
    metadata = _METADATA.format(project=project, version=wheel.version, provider=wheel.project)
    found = {"INSTALLER": b"conda\n", "METADATA": metadata.encode()}
    entries = [installed_entry(f"{folder}/{name}", Sha256.of(text), len(text)) for name, text in found.items()]
    return found | {"RECORD": render_record([*entries, installed_entry(f"{folder}/RECORD", None, 0)])}
