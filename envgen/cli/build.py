"""`envgen build`: archives for a channel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envgen.cli.options import env_argument, json_option, platform_option
from envgen.cli.sizes import counted, human_size
from envgen.ops import build as ops

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.convert.local_channel import Published
    from envgen.platforms import Platform


@click.command("build")
@env_argument
@platform_option("Build for this platform; give it several times for several. Default: this machine's.")
@click.option(
    "--channel",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the channel. Default: a folder in the cache.",
)
@json_option
@click.pass_obj
def command(
    console: Console, env: str | None, platforms: tuple[Platform, ...], channel: Path | None, as_json: bool
) -> None:
    """Write .conda archives of every wheel and recipe in the lock, so that any conda can install them from a channel.

    `create` needs no archives: this is for publishing.
    """
    context = console.context()
    folder = console.directory / channel if channel else context.local_channel
    published = ops.build(context, env=env, platforms=platforms, channel=folder)
    if as_json:
        console.json({"channel": str(folder), "packages": [_package(p) for p in published]})
        return
    for one in published:
        console.data(f"{one.archive.sha256}  {one.subdir}/{one.filename}")
    total = human_size(sum(one.archive.size for one in published))
    console.say(f"{counted(len(published), 'package')}, {total}, in {folder}")


def _package(one: Published) -> dict[str, Any]:
    return {
        "file": f"{one.subdir}/{one.filename}",
        "sha256": one.archive.sha256,
        "md5": one.archive.md5,
        "content": one.content,
        "bytes": one.archive.size,
    }
