"""What `envgen init --from FILE` prints: the fate of each line, and of each version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.cli.lock import outcome_json, tell_outcome
from envgen.cli.sizes import counted

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.ops import AdoptResult


def tell_adopted(console: Console, result: AdoptResult, *, as_json: bool) -> None:
    """Print what became of a file of another tool."""
    if as_json:
        _json(console, result)
    else:
        rows = [(line.where, line.text, line.to or str(line.fate), line.why) for line in result.lines]
        console.table(("line", "text", "becomes", "why"), rows)
        for outcome in result.outcomes:
            tell_outcome(console, outcome, dry_run=False)
        for one in result.moved:
            what = f"is {one.now}, was {one.was}" if one.now else f"{one.was} is not needed any more"
            console.say(f"{one.platform}: `{one.name}` {what}")
        if result.kept:
            console.say(
                f"{counted(result.kept, 'locked version')} of the file {'is' if result.kept == 1 else 'are'} kept"
            )
    if result.free:
        console.say(
            "there is no lock in the file or beside it: what it requires exactly is kept, the rest is the newest"
        )
    if result.unkept:
        console.say(f"the file locks {counted(result.unkept, 'version')}; `--keep` keeps them in the first lock")
    if result.schema:
        console.say(f"wrote {result.schema}; `envgen schema` prints it again after an update of envgen")
    following = "`envgen create`" if result.outcomes else "`envgen lock`, then `envgen create`"
    console.say(f"wrote {result.source}; next: {following}")


def _json(console: Console, result: AdoptResult) -> None:
    lines = [
        {"where": one.where, "text": one.text, "fate": str(one.fate), "to": one.to or None, "why": one.why or None}
        for one in result.lines
    ]
    moved = [{"platform": str(m.platform), "name": m.name, "was": m.was, "now": m.now} for m in result.moved]
    locks = [outcome_json(outcome) for outcome in result.outcomes]
    console.json({"spec": result.source, "lines": lines, "kept": result.kept, "moved": moved, "locks": locks})
