"""A database of advisories in osv-scanner's layout for work without a network."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MODIFIED = "2026-11-20T10:00:00Z"


def advisory(
    name: str,
    project: str,
    *,
    ecosystem: str = "PyPI",
    events: Sequence[tuple[str, str]] = (),
    versions: Sequence[str] = (),
    urgency: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Make a record about one package; `fields` are members of the record."""
    affected: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": project}, "versions": list(versions)}
    if events:
        affected["ranges"] = [{"type": "ECOSYSTEM", "events": [{kind: version} for kind, version in events]}]
    if urgency:
        affected["ecosystem_specific"] = {"urgency": urgency}
    return {"id": name, "modified": MODIFIED, "summary": f"{project} can be broken", "affected": [affected], **fields}


def write_database(folder: Path, records: Sequence[dict[str, Any]], *, ecosystem: str = "PyPI") -> Path:
    """Write `osv-scanner/<ecosystem>/all.zip` below a folder, and return its path."""
    path = folder / "osv-scanner" / ecosystem / "all.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for record in records:
            archive.writestr(f"{record['id']}.json", json.dumps(record))
    return path
