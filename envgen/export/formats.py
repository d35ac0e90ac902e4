"""The formats that a lock can be written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envgen.export import conda_lock, cyclonedx, dockerfile, environment_yml, explicit, pixi, pylock, requirements, spdx

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.export.export_input import Exported, ExportInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    Attributes:
        name: as the command line has it.
        summary: what it is, in a line.
        file: what such a file is usually called.
        render: writes it.
        joint: whether one document holds all platforms.
        addresses: whether it holds the address of every file; finding them asks the wheel index.
        channel: whether it names the channel that `${ENVGEN_CHANNEL}` stands for.
        licenses: whether it holds licences; METADATA that is not in the cache is read from the wheel index.
    """

    name: str
    summary: str
    file: str
    render: Callable[[ExportInput], Exported]
    joint: bool = False
    addresses: bool = False
    channel: bool = False
    licenses: bool = False


FORMATS = {
    one.name: one
    for one in (
        Format(
            name="conda-lock",
            summary="conda-lock.yml (CEP 37) with real addresses, for conda-lock and micromamba",
            file="conda-lock.yml",
            render=conda_lock.render,
            joint=True,
            addresses=True,
            channel=True,
        ),
        Format(
            name="explicit",
            summary="@EXPLICIT, for `conda create --file`",
            file="explicit.txt",
            render=explicit.render,
            addresses=True,
            channel=True,
        ),
        Format(
            name="pixi",
            summary="pixi.lock (rattler lock, version 6)",
            file="pixi.lock",
            render=pixi.render,
            joint=True,
            addresses=True,
            channel=True,
            licenses=True,
        ),
        Format(
            name="pylock",
            summary="pylock.toml (PEP 751): the wheels, for uv and pip",
            file="pylock.toml",
            render=pylock.render,
            addresses=True,
        ),
        Format(
            name="requirements",
            summary="requirements.txt with digests: the wheels, for uv and pip",
            file="requirements.txt",
            render=requirements.render,
        ),
        Format(
            name="environment.yml",
            summary="environment.yml of conda and mamba, every version exact",
            file="environment.yml",
            render=environment_yml.render,
            channel=True,
        ),
        Format(
            name="dockerfile",
            summary="a Dockerfile, for sites that must build with a container engine",
            file="Dockerfile",
            render=dockerfile.render,
            joint=True,
        ),
        Format(
            name="cyclonedx",
            summary="SBOM in CycloneDX 1.6, JSON",
            file="bom.cdx.json",
            render=cyclonedx.render,
            licenses=True,
        ),
        Format(
            name="spdx",
            summary="SBOM in SPDX 2.3, JSON",
            file="bom.spdx.json",
            render=spdx.render,
            licenses=True,
        ),
    )
}
"""Name -> format, in the order that help shows."""
