"""Differences as JSON, for `diff` and for `lock`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envgen.cli.diff_text import rows, setting_texts
from envgen.packages import PackageKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.cli.diff_text import Row
    from envgen.ops import Comparison, Delta, Difference, Entry, ImageChange, MadeLayer


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as the document of `--json`."""
    return {
        "before": comparison.before,
        "after": comparison.after,
        "differences": [
            {
                "environment": difference.environment,
                "platform": str(difference.platform),
                "against": _other(difference),
                "download": dict(zip(("before", "after"), difference.delta.downloads, strict=True)),
                "layers": {stage: list(names) for stage, names in difference.layers.items()},
                "image": _image_facts(difference.image),
                "settings": [{"what": w, "before": b, "after": a} for w, b, a in setting_texts(difference.delta)],
                "packages": [_facts(row) for row in rows(difference.delta, comparison.licenses)],
            }
            for difference in comparison.differences
        ],
    }


def delta_json(delta: Delta) -> dict[str, Any]:
    """Return a delta by manager: a package that moved to another manager is removed there, and added here."""
    moved = [change for change in delta.changed if change.before.manager != change.after.manager]
    changed = sorted((c for c in delta.changed if c not in moved), key=lambda c: _order(c.after))
    return {
        "added": _all_locked([*delta.added, *(change.after for change in moved)]),
        "removed": _all_locked([*delta.removed, *(change.before for change in moved)]),
        "changed": [{"before": _locked(c.before), "after": _locked(c.after)} for c in changed],
        "settings": [{"what": s.what, "before": s.before, "after": s.after} for s in delta.settings],
    }


def _other(difference: Difference) -> dict[str, str] | None:
    if difference.against is None:
        return None
    environment, platform = difference.against
    return {"environment": environment, "platform": str(platform)}


def _image_facts(change: ImageChange | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {
        "before": change.before,
        "after": change.after,
        "kept": change.kept,
        "gone": [_layer_facts(layer) for layer in change.gone],
        "new": [_layer_facts(layer) for layer in change.new],
    }


def _layer_facts(layer: MadeLayer) -> dict[str, Any]:
    return {"digest": f"sha256:{layer.digest}", "bytes": layer.size, "content": layer.title}


def _facts(row: Row) -> dict[str, Any]:
    return {
        "change": {"+": "added", "-": "removed", "~": "changed"}[row.sign],
        "name": row.name,
        "from": str(row.kind),
        "before": row.before or None,
        "after": row.after or None,
        "bytes": row.size,
        "license": row.license or None,
    }


def _all_locked(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [_locked(entry) for entry in sorted(entries, key=_order)]


def _order(entry: Entry) -> tuple[str, str]:
    return entry.manager, entry.name


def _locked(entry: Entry) -> dict[str, Any]:
    return {
        "manager": entry.manager,
        "name": entry.name,
        "version": entry.version,
        "build": None if entry.kind is PackageKind.WHEEL else entry.build,
        "sha256": str(entry.sha256),
    }
