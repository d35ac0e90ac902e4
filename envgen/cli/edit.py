"""What `envgen add` and `envgen remove` share: their options, and what they print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.cli.lock import outcome_json, tell_outcome
from envgen.cli.options import bundle_option, dry_run_option, env_option, json_option, no_build_option, offline_option

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.cli.options import Decorator
    from envgen.ops import SpecEdit

_OPTIONS = (
    env_option,
    dry_run_option("show what would change, and write nothing"),
    no_build_option,
    offline_option,
    bundle_option,
    json_option,
)


def edit_options() -> Decorator:
    """Build the options of both verbs, in the order of their help."""

    def decorate(function):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  click's decorators say `Any`
        for option in reversed(_OPTIONS):
            function = option(function)
        return function

    return decorate


def tell_edit(console: Console, edit: SpecEdit, *, dry_run: bool, as_json: bool) -> None:
    """Print what became of a spec and its locks, or would become of them."""
    if as_json:
        parts = {"added": edit.added, "removed": edit.removed}
        listed = {part: {section: list(texts) for section, texts in found.items()} for part, found in parts.items()}
        console.json({"spec": edit.source, **listed, "locks": [outcome_json(one) for one in edit.outcomes]})
        return
    for sign, found in (("+", edit.added), ("-", edit.removed)):
        for section, texts in found.items():
            for text in texts:
                console.say(f"{edit.source}: {sign} {text} ({section})")
    for outcome in edit.outcomes:
        tell_outcome(console, outcome, dry_run=dry_run)
