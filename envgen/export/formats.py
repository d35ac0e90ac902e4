"""The formats that a lock can be written in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.export import (
    conda_lock,
    cyclonedx,
    dockerfile,
    environment_yml,
    explicit,
    nix,
    pixi,
    pylock,
    requirements,
    spdx,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.export.export_input import Exported, ExportInput


class Format(Struct, frozen=True, kw_only=True):
    """One format.

    Attributes:
        name: as the command line has it.
        summary: what it is, in a line.
        file: what such a file is usually called.
        render: writes it.
        joint: whether one document holds all platforms.
        addresses: whether it holds the address of every file; finding them asks the wheel index.
        mirrored: whether its files can also come from a mirror that knows them by digest, so that addresses that only
            the network tells may be missing.
        channel: whether it names the channel that `${ENVGEN_CHANNEL}` stands for.
        debs: whether it holds the address of every Debian package.
        licenses: whether it holds licences; METADATA that is not in the cache is read from the wheel index.
    """

    name: str
    summary: str
    file: str
    render: Callable[[ExportInput], Exported]
    joint: bool = False
    addresses: bool = False
    mirrored: bool = False
    channel: bool = False
    debs: bool = False
    licenses: bool = False


FORMATS = {
    one.name: one
    for one in (
        Format(
            name="conda-lock",
            summary="conda-lock.yml (CEP 37) with full URLs, for conda-lock and micromamba",
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
            summary="pylock.toml (PEP 751), wheels only, for uv and pip",
            file="pylock.toml",
            render=pylock.render,
            addresses=True,
        ),
        Format(
            name="requirements",
            summary="requirements.txt with hashes, wheels only, for uv and pip",
            file="requirements.txt",
            render=requirements.render,
        ),
        Format(
            name="environment.yml",
            summary="environment.yml with exact versions, for conda and mamba",
            file="environment.yml",
            render=environment_yml.render,
            channel=True,
        ),
        Format(
            name="dockerfile",
            summary="Dockerfile that creates the environment, for container engines",
            file="Dockerfile",
            render=dockerfile.render,
            joint=True,
        ),
        Format(
            name="nix",
            summary="expression of the files as fixed-output derivations, without nixpkgs, for Nix",
            file="default.nix",
            render=nix.render,
            joint=True,
            addresses=True,
            mirrored=True,
            debs=True,
        ),
        Format(
            name="cyclonedx",
            summary="CycloneDX 1.6 SBOM (JSON)",
            file="bom.cdx.json",
            render=cyclonedx.render,
            licenses=True,
        ),
        Format(
            name="spdx",
            summary="SPDX 2.3 SBOM (JSON)",
            file="bom.spdx.json",
            render=spdx.render,
            licenses=True,
        ),
    )
}
"""Name -> format, in the order that help shows."""
