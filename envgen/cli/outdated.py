"""`envgen outdated`: what could be newer, why it is not, and what a move would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import environments_argument, json_option, no_build_option, platform_option
from envgen.cli.sizes import counted, human_size
from envgen.errors import UsageError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from envgen.cli.console import Console
    from envgen.ops import OutdatedLock, OutdatedPackage
    from envgen.platforms import Platform

_COLUMNS = ("package", "locked", "age", "update", "newest", "held back by")


@click.command("outdated", epilog=examples("envgen outdated", "envgen outdated --all --markdown"))
@environments_argument
@click.option("--all", "everything", is_flag=True, help="all environments of the project")
@platform_option("this platform only; may be repeated")
@click.option("--markdown", "as_markdown", is_flag=True, help="write Markdown, for the text of a pull request")
@no_build_option
@json_option
@click.pass_obj
def command(
    console: Console,
    envs: tuple[str, ...],
    everything: bool,
    platforms: tuple[Platform, ...],
    as_markdown: bool,
    no_build: bool,
    as_json: bool,
) -> None:
    """List the locked packages of which there is something newer; write nothing.

    The spec is solved with everything upgraded: `update` is what `envgen lock --upgrade` would choose, and `newest`
    a later release that it would not choose, with the requirement or setting that holds it back.
    """
    if as_markdown and as_json:
        raise UsageError("`--markdown` and `--json` cannot be combined", hint="remove one of them")
    if envs and everything:
        raise UsageError("`ENV` and `--all` cannot be combined", hint="remove one of them")
    context = console.context(no_build=no_build)
    names = ops.environment_names(console.directory) if everything else tuple(dict.fromkeys(envs))
    found = [lock for env in names or (None,) for lock in ops.outdated(context, env=env, platforms=platforms)]
    if as_json:
        console.json([_facts(lock) for lock in found])
    elif as_markdown:
        console.lines(line for lock in found for line in _markdown(lock, console.today))
    else:
        for lock in found:
            _render(console, lock)


def _render(console: Console, lock: OutdatedLock) -> None:
    if lock.packages:
        console.table(_COLUMNS, [_row(package, console.today) for package in lock.packages])
    console.say(_summary(lock))


def _markdown(lock: OutdatedLock, today: dt.date) -> Iterator[str]:
    yield f"### {lock.environment} for {lock.platform}"
    yield from ("", f"{_summary(lock)}.", "")
    if lock.packages:
        yield f"| {' | '.join(_COLUMNS)} |"
        yield f"|{'---|' * len(_COLUMNS)}"
        for package in lock.packages:
            yield f"| {' | '.join(cell.replace('|', '/') for cell in _row(package, today))} |"
        yield ""


def _row(package: OutdatedPackage, today: dt.date) -> tuple[str, ...]:
    age = f"{(today - package.released.date()).days} days" if package.released else ""
    return package.name, package.locked, age, package.update or "", package.newest or "", package.why


def _summary(lock: OutdatedLock) -> str:
    where = f"{lock.environment} for {lock.platform}"
    updates = [package for package in lock.packages if package.update]
    held = [package for package in lock.packages if package.newest]
    parts = [f"{counted(len(updates), 'update')} ({'; '.join(_costs(lock))})" if updates else "no update"]
    if held:
        parts.append(f"{counted(len(held), 'package')} held back")
    if lock.exclude_newer:
        parts.append(f"releases up to {lock.exclude_newer:%Y-%m-%d %H:%M} UTC count")
    return f"{where}: {'; '.join(parts)}"


def _costs(lock: OutdatedLock) -> Sequence[str]:
    download = "download of unknown size" if lock.download is None else f"{human_size(lock.download)} to download"
    layers = (f"{group} {_size(size)}" for group, size in lock.move.layer_downloads.items())
    return (download, f"image layers: {', '.join(layers)}") if lock.move.layers else (download,)


def _size(count: int | None) -> str:
    return "of unknown size" if count is None else human_size(count)


def _facts(lock: OutdatedLock) -> dict[str, Any]:
    return {
        "environment": lock.environment,
        "platform": str(lock.platform),
        "exclude_newer": lock.exclude_newer.isoformat() if lock.exclude_newer else None,
        "download": lock.download,
        "layers": {group: list(names) for group, names in lock.move.layers.items()},
        "layer_downloads": lock.move.layer_downloads,
        "packages": [
            {
                "name": package.name,
                "from": str(package.kind),
                "locked": package.locked,
                "released": package.released.isoformat() if package.released else None,
                "update": package.update,
                "newest": package.newest,
                "why": package.why or None,
            }
            for package in lock.packages
        ],
    }
