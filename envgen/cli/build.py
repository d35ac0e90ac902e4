"""`envgen build`: archives for a channel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.options import env_argument, json_option, no_build_option, platform_option
from envgen.cli.sizes import counted, human_size

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.ops import Published
    from envgen.platforms import Platform


@click.command("build")
@env_argument
@platform_option("build for this platform; may be repeated; default: this machine's")
@click.option(
    "--channel",
    type=click.Path(file_okay=False, path_type=Path),
    help="folder of the channel; default: a folder in the cache",
)
@no_build_option
@json_option
@click.pass_obj
def command(
    console: Console,
    env: str | None,
    platforms: tuple[Platform, ...],
    channel: Path | None,
    no_build: bool,
    as_json: bool,
) -> None:
    """Write .conda archives of every wheel and recipe in the lock, so that any conda can install them from a channel.

    `create` needs no archives: this is for publishing.
    """
    built = ops.build(console.context(no_build=no_build), env=env, platforms=platforms, channel=channel)
    if as_json:
        console.json({"channel": str(built.channel), "packages": [_package(p) for p in built.packages]})
        return
    for one in built.packages:
        console.data(f"{one.archive.sha256}  {one.subdir}/{one.filename}")
    total = human_size(sum(one.archive.size for one in built.packages))
    console.say(f"{counted(len(built.packages), 'package')}, {total}, in {built.channel}")


def _package(one: Published) -> dict[str, Any]:
    return {
        "file": f"{one.subdir}/{one.filename}",
        "sha256": one.archive.sha256,
        "md5": one.archive.md5,
        "content": one.content,
        "bytes": one.archive.size,
    }
