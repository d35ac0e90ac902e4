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


def render(inputs: ExportInput) -> Exported:
    """Write the packages of one lock."""
    lock = inputs.lock
    left = [wheel for wheel in lock.wheels if wheel.sha256 not in inputs.archives]
    converted = [inputs.archives[wheel.sha256] for wheel in lock.wheels if wheel.sha256 in inputs.archives]
    lines = (
        "# This file may be used to create an environment using:",
        f"# $ conda create --name {lock.environment} --file <this file>",
        f"# platform: {lock.platform}",
        "@EXPLICIT",
        *(f"{inputs.url(package)}#{package.md5}" for package in condas(lock)),
        *map(_archive, converted),
        *(_pip(wheel, inputs) for wheel in left),
    )
    return Exported(text="".join(f"{line}\n" for line in lines), notes=_notes(left))


def _archive(archive: PublishedArchive) -> str:
    digest = archive.md5 or (f"sha256:{archive.sha256}" if archive.sha256 else "")
    return f"{archive.url}#{digest}" if digest else archive.url


def _pip(wheel: Wheel, inputs: ExportInput) -> str:
    return f"# pip {wheel.project} @ {inputs.url(wheel)} --hash=sha256:{wheel.listed.sha256}"


def _notes(left: list[Wheel]) -> tuple[str, ...]:
    if not left:
        return ()
    comments = f"`conda create` ignores {len(left)} wheels, which are written as comments for `conda-lock install`"
    return (f"{comments}; to include them, run `envgen build`, publish the channel and set ENVGEN_CHANNEL",)
