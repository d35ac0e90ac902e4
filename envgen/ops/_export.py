"""`export`: a lock in the format of another tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.bundle.nix_builder import write_builder
from envgen.errors import NetworkError, UsageError, UserError
from envgen.export.export_input import NixOptions, NixTree
from envgen.export.formats import FORMATS, Format
from envgen.export.nix import BUILDER
from envgen.image.inputs import open_images
from envgen.image.prefix_archive import write_folder_archive, write_prefix_archive
from envgen.manifest.select import select
from envgen.ops._image import ImageOptions, image
from envgen.prepare.package_facts import export_input
from envgen.project.lock_files import platforms_of, require_lock
from envgen.structs import replace
from envgen.suggest import nearest
from envgen.system.host import probe_host
from envgen.system.output_file import write_output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.export.export_input import Exported
    from envgen.image.inputs import ImageInputs
    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.project.context import Context


class ExportOptions(Struct, frozen=True, kw_only=True):
    """What to export.

    Attributes:
        form: name of one of `FORMATS`.
        env: name of the spec, or None for the project's only or default one.
        platforms: whose locks. Formats that hold one platform take this machine's without.
        offline: do not read METADATA for licences that are not known here; addresses cannot be had without asking.
        nars: folder that the format `nix` writes environments to as archives, relative to the working directory.
        image: also write the layout of the image as an archive there.
        flake: write the format `nix` as a flake.
        output: a file to write the text to; relative paths count from the working directory.
    """

    form: str
    env: str | None = None
    platforms: Sequence[Platform] = ()
    offline: bool = False
    nars: Path | None = None
    image: bool = False
    flake: bool = False
    output: Path | None = None

    def __post_init__(self) -> None:
        if (self.nars or self.flake) and self.form != "nix":
            option = "--nars" if self.nars else "--flake"
            raise UsageError(f"`{option}` is for the format `nix`, got `{self.form}`")
        if self.image and not self.nars:
            raise UsageError("`--image` needs `--nars`", hint="archives are written to a folder: `--nars nars/`")


def export(context: Context, options: ExportOptions) -> Exported:
    """Write the locks of an environment in another format.

    Raises:
        UserError: there is no such format, it holds one platform and it is not clear which, the spec has no image for
            an archive to follow, or a file cannot be written.
        LockError: a lock is missing or cannot be read.
        NetworkError: the wheel index or a channel cannot be reached.
    """
    form = _format(options.form)
    spec = select(context.root, options.env)
    pairs = tuple(require_lock(context, spec, platform) for platform in _chosen(spec, form, options.platforms))
    found = export_input(context, spec, pairs, form, offline=options.offline)
    if form.name == "nix":
        found = replace(found, nix=_nix(context, options, spec, [pair.lock.platform for pair in pairs]))
    exported = form.render(found)
    if options.output:
        write_output(context.directory / options.output, exported.text)
    return exported


def _nix(context: Context, options: ExportOptions, spec: EnvSpec, platforms: Sequence[Platform]) -> NixOptions:
    """Write the environments as archives, where that is asked for."""
    store = context.environment.get("NIX_STORE_DIR") or "/nix/store"
    if options.nars is None:
        return NixOptions(flake=options.flake, store=store)
    folder = (context.directory / options.nars).resolve()
    inputs = open_images(context, env=spec.name, platforms=platforms, frozen=True)
    trees = {one.platform: _trees(context, options, one, folder) for one in inputs}
    return NixOptions(flake=options.flake, store=store, folder=folder.as_uri(), trees=trees)


def _trees(context: Context, options: ExportOptions, inputs: ImageInputs, folder: Path) -> dict[str, NixTree]:
    stem = f"{inputs.spec.name}.{inputs.platform}"
    sha256, size = write_prefix_archive(context, inputs, folder / f"{stem}.nar")
    content = f"with the environment at `{inputs.image.prefix}` in it"
    found = {"env": NixTree(file=f"{stem}.nar", sha256=sha256, size=size, content=content)}
    if builder := _builder(context, inputs, folder / f"{stem}.builder.nar"):
        found[BUILDER] = builder
    if options.image:
        with context.store.view() as scratch:
            chosen = ImageOptions(
                env=inputs.spec.name, platforms=(inputs.platform,), frozen=True, output=scratch / "image"
            )
            made = image(context, chosen)
            sha256, size = write_folder_archive(scratch / "image", folder / f"{stem}.image.nar")
        digest = made.written.layout.digest if made.written else ""
        content = f"the OCI layout of image sha256:{digest}"
        found["image"] = NixTree(file=f"{stem}.image.nar", sha256=sha256, size=size, content=content)
    return found


def _builder(context: Context, inputs: ImageInputs, file: Path) -> NixTree | None:
    """Write what Nix builds with; where that cannot be had, the rest of the export does without."""
    try:
        sha256, size = write_builder(context, inputs, file)
    except (UserError, NetworkError) as error:
        context.reporter.warn(f"`envAt` and a built `image` were left out for {inputs.platform}: {error}")
        return None
    return NixTree(file=file.name, sha256=sha256, size=size, content="what `envAt` and `image` are built with")


def _format(name: str) -> Format:
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        raise UserError(f"unknown export format `{name}`", hint=nearest(name, FORMATS) or f"known formats: {known}")
    return FORMATS[name]


def _chosen(spec: EnvSpec, form: Format, asked: Sequence[Platform]) -> tuple[Platform, ...]:
    platforms = platforms_of(spec, asked)
    if form.joint or len(platforms) == 1:
        return platforms
    here = probe_host().platform
    if not asked and here in platforms:
        return (here,)
    raise UserError(
        f"format `{form.name}` holds one platform, got {', '.join(platforms)}",
        hint=f"choose one: `--platform {platforms[0]}`",
    )
