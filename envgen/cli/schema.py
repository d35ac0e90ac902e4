"""`envgen schema`: the JSON Schema of specs and of Debian recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli.every_verb import examples

if TYPE_CHECKING:
    from envgen.cli.console import Console


@click.command(
    "schema",
    epilog=examples(
        "envgen schema > environments/spec.schema.json", "envgen schema debian > recipes/debian.schema.json"
    ),
)
@click.argument("kind", type=click.Choice([str(kind) for kind in ops.SchemaKind]), default=str(ops.SchemaKind.SPEC))
@click.pass_obj
def command(console: Console, kind: str) -> None:
    """Print the JSON Schema of environments/*.yaml (spec) or recipes/*/debian.yaml (debian), for editors.

    Refer to it in the first line of a file: `# yaml-language-server: $schema=schema.json`.
    """
    console.verbatim(ops.schema_text(ops.SchemaKind(kind)))
