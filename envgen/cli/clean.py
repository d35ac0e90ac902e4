"""`envgen clean`: the cache, its size and its removal."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import json_option
from envgen.cli.sizes import counted, human_size

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.ops import Cleaned, CleanResult

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


class _Age(click.ParamType[dt.timedelta]):
    """`30d`, `12h` or `2w`."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.timedelta:
        match = re.fullmatch(r"(\d+)([hdw])", str(value))
        if not match:
            self.fail(f"expected an age such as 12h, 30d or 2w, got {value!r}", param, ctx)
        return dt.timedelta(**{_UNITS[match[2]]: int(match[1])})


@click.command("clean", epilog=examples("envgen clean", "envgen clean --kind packages --older-than 30d"))
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([str(kind) for kind in ops.StoreKind]),
    multiple=True,
    help="remove this kind; may be repeated",
)
@click.option(
    "--older-than",
    type=_Age(),
    metavar="AGE",
    help="remove what was not used for AGE, such as 12h, 30d or 2w; the channel only with --kind channel",
)
@click.option("--all", "everything", is_flag=True, help="remove everything")
@json_option
@click.pass_obj
def command(
    console: Console, kinds: tuple[str, ...], older_than: dt.timedelta | None, everything: bool, as_json: bool
) -> None:
    """Show what the cache holds; with --kind, --older-than or --all, remove from it.

    Environments are not affected. What is removed is downloaded, converted or built again when it is needed. Packages
    that environments use stay unless `--kind packages` names them: removing them frees nothing.
    The channel is written by `envgen build`; files exported without ENVGEN_CHANNEL refer to it.
    """
    options = ops.CleanOptions(
        kinds=[ops.StoreKind(kind) for kind in kinds], older_than=older_than, everything=everything
    )
    result = ops.clean(console.context(anywhere=True), options)
    if result.removed is None:
        _show(console, result, as_json=as_json)
    elif as_json:
        removed = result.removed
        counts = {str(kind): count for kind, count in removed.entries.items()}
        console.json({"removed": counts, "bytes": removed.freed, "kept": removed.kept})
    else:
        console.say(_sentence(result.removed))


def _show(console: Console, result: CleanResult, *, as_json: bool) -> None:
    usages, root = result.usage, str(result.root)
    if as_json:
        kinds = [{"kind": str(u.kind), "entries": u.entries, "bytes": u.size, "shared": u.shared} for u in usages]
        console.json({"root": root, "kinds": kinds})
        return
    console.say(root)
    rows = [(str(u.kind), str(u.entries), human_size(u.size), human_size(u.shared)) for u in usages]
    total = human_size(sum(u.size for u in usages))
    shared = human_size(sum(u.shared for u in usages))
    columns = ("kind", "entries", "size", "in use by environments")
    console.table(columns, [*map(tuple, rows), ("total", "", total, shared)], right=columns[1:])


def _sentence(cleaned: Cleaned) -> str:
    removed = ", ".join(f"{count} {kind}" for kind, count in cleaned.entries.items() if count)
    kept = f"; kept {counted(cleaned.kept, 'package')} that environments use" if cleaned.kept else ""
    return f"removed {removed or 'nothing'}; {human_size(cleaned.freed)} freed{kept}"
