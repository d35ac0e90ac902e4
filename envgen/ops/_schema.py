"""`schema`: the JSON Schema of the files that people write."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from envgen.documents import read_json
from envgen.errors import UserError
from envgen.manifest.schema import debian_schema, spec_schema
from envgen.manifest.select import FOLDER
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "schema.json"
MODELINE = f"# yaml-language-server: $schema={_FILE}\n"
"""First line of a spec, by which editors find the schema beside it."""


class SchemaKind(StrEnum):
    """A kind of file that people write."""

    SPEC = "spec"
    DEBIAN = "debian"


def schema_text(kind: SchemaKind = SchemaKind.SPEC) -> str:
    """Return a schema as `envgen schema` prints it."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"


def refuse_other_schema(directory: Path) -> None:
    """Raise where another file has the place of the schema of specs.

    Raises:
        UserError: it has.
    """
    file = directory / FOLDER / _FILE
    try:
        found = read_json(file.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("title") != schema()["title"]:
        raise UserError(
            f"`{FOLDER}/{_FILE}` is not the schema of specs",
            hint="move it, or run without `--schema`: `envgen schema` prints the schema for another place",
        )


def write_schema(directory: Path) -> str:
    """Write the schema of specs beside them, and return its path from the root of the project.

    Raises:
        UserError: it cannot be written.
    """
    file = directory / FOLDER / _FILE
    try:
        atomic_write(file, schema_text())
    except OSError as error:
        raise UserError(f"failed to write `{file}`: {error.strerror}") from error
    return f"{FOLDER}/{_FILE}"


def schema(kind: SchemaKind = SchemaKind.SPEC) -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of `environments/*.yaml`, or of `recipes/*/debian.yaml`."""
    return spec_schema() if kind is SchemaKind.SPEC else debian_schema()
