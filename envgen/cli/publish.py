"""`envgen publish`: what was built or converted goes to a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import environments_argument, json_option, no_build_option, offline_option, platform_option
from envgen.cli.published import show_published

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.platforms import Platform

_EXAMPLE = examples(
    "envgen publish --to s3://team/channel",
    "# on another machine, which then builds nothing:",
    "export ENVGEN_CHANNEL=https://channel.example/team/channel",
)


@click.command("publish", epilog=_EXAMPLE)
@environments_argument
@platform_option("publish for this platform; may be repeated; default: this machine's")
@click.option(
    "--to",
    metavar="CHANNEL",
    help="folder, s3://BUCKET/PATH or oci://REGISTRY/PATH; default: the channel in the cache",
)
@click.option("--sign", metavar="KEY", help="attest every package by this key (CEP 27); see `envgen sign`")
@no_build_option
@offline_option
@json_option
@click.pass_obj
def command(
    console: Console,
    envs: tuple[str, ...],
    platforms: tuple[Platform, ...],
    to: str | None,
    sign: str | None,
    no_build: bool,
    offline: bool,
    as_json: bool,
) -> None:
    """Publish every wheel and recipe of the locks to a conda channel, as .conda archives with an index.

    A package that the channel has already is not sent again, and never overwritten by other bytes.
    """
    options = ops.PublishOptions(envs=envs, platforms=platforms, to=to, sign=sign)
    done = ops.publish(console.context(no_build=no_build, offline=offline), options)
    show_published(console, done, as_json=as_json)
