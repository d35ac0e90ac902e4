"""`envgen image`: locks become an OCI image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import (
    bundle_option,
    dry_run_option,
    env_argument,
    json_option,
    no_build_option,
    no_check_option,
    offline_option,
    platform_option,
    signature_option,
)
from envgen.cli.sizes import counted, human_size
from envgen.errors import UsageError
from envgen.ops import Compression, ImageOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.cli.console import Console
    from envgen.ops import ImageInputs, ImageResult, PlannedImage, PlannedLayer, WrittenImage
    from envgen.platforms import Platform

_SHOWN = 60
"""Characters of a layer's content in the table."""


@click.command("image", epilog=examples("envgen image --load podman", "envgen image train --push ghcr.io/me/train:1.0"))
@env_argument
@platform_option("for this platform only; may be repeated; default: all Linux platforms of the spec")
@click.option("--output", type=click.Path(path_type=Path), help="folder of the OCI layout; default: `dist/ENV.oci`")
@click.option(
    "--archive", type=click.Path(path_type=Path, dir_okay=False), help="also write the layout as one tar file"
)
@click.option("--load", type=click.Choice(["podman", "docker"]), help="load the image into a container engine")
@click.option("--push", metavar="REGISTRY/NAME:TAG", help="push the image; only blobs that the registry lacks are sent")
@click.option("--sign", metavar="KEY", help="sign what is pushed, with its provenance and SBOM; see `envgen sign`")
@click.option(
    "--compression",
    type=click.Choice([str(c) for c in Compression]),
    default="gzip",
    show_default=True,
    help="compression of the layers",
)
@click.option(
    "--sbom/--no-sbom",
    default=True,
    show_default=True,
    help="write a CycloneDX SBOM beside the layout, and push it as a referrer of the image",
)
@click.option("--verify", is_flag=True, help="read the written layout again and verify every digest")
@dry_run_option("show the layers and what a push would send; write no image")
@click.option("--frozen", is_flag=True, help="use locks as they are, even if they are out of date")
@no_build_option
@click.option("--dirty", is_flag=True, help="accept local projects with uncommitted changes")
@no_check_option
@offline_option
@bundle_option
@signature_option
@json_option
@click.pass_obj
def command(
    console: Console,
    env: str | None,
    platforms: tuple[Platform, ...],
    output: Path | None,
    archive: Path | None,
    load: str | None,
    push: str | None,
    sign: str | None,
    compression: str,
    sbom: bool,
    verify: bool,
    dry_run: bool,
    frozen: bool,
    no_build: bool,
    dirty: bool,
    no_check: bool,
    offline: bool,
    bundles: tuple[Path, ...],
    required: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Write an OCI image of the environment, without a container engine.

    Prints the digest of the image to standard output.
    """
    if sign and not push:
        raise UsageError("`--sign` needs `--push`", hint="an image that was pushed is signed with `envgen sign`")
    options = ImageOptions(
        env=env,
        platforms=platforms,
        frozen=frozen,
        compression=Compression(compression),
        output=output,
        archive=archive,
        engine=load,
        push=push,
        sign=sign,
        sbom=sbom,
        verify=verify,
        dry_run=dry_run,
        check=not no_check,
        dirty=dirty,
    )
    quiet = as_json or dry_run
    on_plan = None if quiet else lambda plan: _show_plan(console, plan)
    result = ops.image(
        console.context(no_build=no_build, offline=offline, bundles=bundles, required=required),
        options,
        on_plan=on_plan,
    )
    if dry_run:
        _show_dry_run(console, result, as_json=as_json)
    elif result.written and as_json:
        console.json(_result(result.written))
    elif result.written:
        console.data(f"sha256:{result.written.layout.digest}")
        _show_end(console, result.written)
    if result.signed:
        console.say(f"signed {counted(len(result.signed.manifests), 'manifest')}, with provenance and SBOM")


def _show_dry_run(console: Console, result: ImageResult, *, as_json: bool) -> None:
    if not result.images:
        _show_downloads(console, result.inputs, as_json=as_json)
    elif as_json:
        console.json([_plan_json(image, result.in_registry) for image in result.images])
    else:
        _show_plan(console, result, whole=True)


def _show_downloads(console: Console, inputs: Sequence[ImageInputs], *, as_json: bool) -> None:
    """Print what must be downloaded first: layers are planned by the files of packages."""
    plans = {str(one.platform): one.plan for one in inputs}
    if as_json:
        console.json(
            [
                {"platform": name, "download": {"files": len(plan.fetch), "bytes": plan.fetch_size}, "layers": None}
                for name, plan in plans.items()
            ]
        )
        return
    for name, plan in plans.items():
        console.say(
            f"{name}: {counted(len(plan.prepare), 'package')} not in the store, "
            f"{human_size(plan.fetch_size)} to download; "
            "layers can be planned after download (`envgen create`, or `envgen image` without --dry-run)"
        )


def _show_plan(console: Console, result: ImageResult, *, whole: bool = False) -> None:
    images, there = result.images, result.in_registry
    for one in images:
        size = sum(layer.size for layer in one.layers)
        about = "" if one.sizes_known else "about "
        console.say(
            f"{one.inputs.spec.name} for {one.inputs.platform}: {counted(len(one.layers), 'layer')}, "
            f"{about}{human_size(size)} unpacked; {len(one.missing)} to write, "
            f"{about}{human_size(sum(layer.size for layer in one.missing))}"
        )
        if whole:
            rows = [_row(number, layer, one, there) for number, layer in enumerate(one.layers, 1)]
            console.table(["#", "unpacked", "blob", "state", "content"], rows, right=["#", "unpacked", "blob"])
    if there is not None:
        known = [layer for one in images for layer in one.known.values() if f"sha256:{layer.digest}" not in there]
        unknown = [layer for one in images for layer in one.missing]
        console.say(
            f"a push would send {counted(len(known), 'layer')} of {human_size(sum(layer.size for layer in known))},"
            f" and {len(unknown)} not yet written ({human_size(sum(layer.size for layer in unknown))} unpacked)"
        )


def _row(number: int, planned: PlannedLayer, image: PlannedImage, there: frozenset[str] | None) -> tuple[str, ...]:
    have = image.known.get(planned.key)
    title = planned.title if len(planned.title) <= _SHOWN else f"{planned.title[: _SHOWN - 3]}..."
    state = "to write" if have is None else "cached"
    if there is not None and have is not None:
        state = "in the registry" if f"sha256:{have.digest}" in there else "to send"
    return str(number), human_size(planned.size), human_size(have.size) if have else "", state, title


def _show_end(console: Console, made: WrittenImage) -> None:
    sizes = {layer.digest: layer.size for image in made.images for layer in image.layers}
    console.say(
        f"{made.layout.directory}: {counted(len(sizes), 'layer')}, {human_size(sum(sizes.values()))}, "
        f"for {', '.join(str(image.platform) for image in made.images)}"
    )


def _plan_json(image: PlannedImage, there: frozenset[str] | None) -> dict[str, Any]:
    return {
        "environment": image.inputs.spec.name,
        "platform": str(image.inputs.platform),
        "layers": [_layer_json(layer, image, there) for layer in image.layers],
    }


def _layer_json(planned: PlannedLayer, image: PlannedImage, there: frozenset[str] | None) -> dict[str, Any]:
    have = image.known.get(planned.key)
    return {
        "parts": [share.part for share in planned.shares],
        "unpacked": planned.size,
        "digest": f"sha256:{have.digest}" if have else None,
        "size": have.size if have else None,
        "cached": have is not None,
        "in_registry": None if there is None else have is not None and f"sha256:{have.digest}" in there,
    }


def _result(made: WrittenImage) -> dict[str, Any]:
    sboms = {attachment.subject: attachment.entry["digest"] for attachment in made.layout.attachments}
    return {
        "environment": made.layout.name,
        "layout": str(made.layout.directory),
        "digest": f"sha256:{made.layout.digest}",
        "media_type": made.layout.media_type,
        "images": [
            {
                "platform": str(image.platform),
                "digest": f"sha256:{made.layout.manifests[image.platform]}",
                "sbom": sboms.get(made.layout.manifests[image.platform]),
                "sbom_file": str(made.sboms[image.platform]) if image.platform in made.sboms else None,
                "layers": [
                    {
                        "digest": f"sha256:{layer.digest}",
                        "diff_id": f"sha256:{layer.diff_id}",
                        "size": layer.size,
                        "unpacked": layer.unpacked,
                    }
                    for layer in image.layers
                ],
            }
            for image in made.images
        ],
    }
