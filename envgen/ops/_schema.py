"""`schema`: the JSON Schema of the files that people write."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from envgen.manifest.schema import debian_schema, spec_schema


class SchemaKind(StrEnum):
    """A kind of file that people write."""

    SPEC = "spec"
    DEBIAN = "debian"


def schema(kind: SchemaKind = SchemaKind.SPEC) -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of `environments/*.yaml`, or of `recipes/*/debian.yaml`."""
    return spec_schema() if kind is SchemaKind.SPEC else debian_schema()
