"""`@EXPLICIT`: what `conda create --file` takes (CEP 23): one archive a line, in an order that can be installed.

Conda has no words for a wheel. Where a channel holds the archive that a wheel was converted to (`envgen build` makes
it), that archive stands in the file. The rest stands as `# pip` lines, which conda passes over and `conda-lock install`
reads: its own rendering has the same lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.export.export_input import Exported, condas

if TYPE_CHECKING:
    from envgen.export.export_input import ExportInput, PublishedArchive
    from envgen.packages import Wheel


def render(material: ExportInput) -> Exported:
    """Write the packages of one lock."""
    lock = material.lock
    left = [wheel for wheel in lock.wheels if wheel.sha256 not in material.archives]
    converted = [material.archives[wheel.sha256] for wheel in lock.wheels if wheel.sha256 in material.archives]
    lines = (
        "# This file may be used to create an environment using:",
        f"# $ conda create --name {lock.environment} --file <this file>",
        f"# platform: {lock.platform}",
        "@EXPLICIT",
        *(f"{material.url(package)}#{package.md5}" for package in condas(lock)),
        *map(_archive, converted),
        *(_pip(wheel, material) for wheel in left),
    )
    return Exported(text="".join(f"{line}\n" for line in lines), notes=_notes(left))


def _archive(archive: PublishedArchive) -> str:
    digest = archive.md5 or (f"sha256:{archive.sha256}" if archive.sha256 else "")
    return f"{archive.url}#{digest}" if digest else archive.url


def _pip(wheel: Wheel, material: ExportInput) -> str:
    return f"# pip {wheel.project} @ {material.url(wheel)} --hash=sha256:{wheel.sha256}"


def _notes(left: list[Wheel]) -> tuple[str, ...]:
    if not left:
        return ()
    comments = f"`conda create` passes over {len(left)} wheels, which stand in it as comments for `conda-lock install`"
    return (f"{comments}; `envgen build` makes conda packages of them: publish these and set ENVGEN_CHANNEL",)
