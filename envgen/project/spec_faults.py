"""Faults of a spec that show only when the sources were asked, told with their line like all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import Fault, SpecError
from envgen.manifest.select import FOLDER, SpecsOnDisk
from envgen.manifest.where import where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.manifest.env_spec import EnvSpec
    from envgen.project.context import Context


def fault_of(
    context: Context,
    spec: EnvSpec,
    *,
    keys: Sequence[str],
    item: str | None = None,
    what: str,
    hint: str | None = None,
) -> SpecError:
    """Build the error for a value of the spec at `keys`; see `where`."""
    return SpecError((Fault(where=place_of(context, spec, keys=keys, item=item), what=what, hint=hint),))


def place_of(context: Context, spec: EnvSpec, *, keys: Sequence[str], item: str | None = None) -> str:
    """Write where a value of the spec at `keys` stands; see `where`."""
    text = (context.root / spec.source).read_text(encoding="utf-8")
    return where(text, source=spec.source, keys=keys, item=item, folder=SpecsOnDisk(context.root / FOLDER))
