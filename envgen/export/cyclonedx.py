"""CycloneDX 1.6 as JSON: every package with its package URL, digests, licence and dependencies.

https://cyclonedx.org/docs/1.6/json/. Without a serial number and a time of its own: the same lock gives the same bytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envgen.export.export_input import Exported
from envgen.export.parts import parts_of, top_of, unnamed_indexes
from envgen.licenses import licenses_in

if TYPE_CHECKING:
    from envgen.export.export_input import ExportInput, License
    from envgen.export.parts import SbomComponent
    from envgen.lock.model import Lock

_SPEC = "1.6"


def render(inputs: ExportInput) -> Exported:
    """Write the packages of one lock."""
    parts = parts_of(inputs)
    subject = f"{inputs.lock.environment}@{inputs.lock.platform}"
    document = {
        "$schema": f"http://cyclonedx.org/schema/bom-{_SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": _SPEC,
        "version": 1,
        "metadata": _metadata(inputs, subject),
        "components": [_component(part) for part in parts],
        "dependencies": [
            {"ref": subject, "dependsOn": list(top_of(parts))},
            *({"ref": part.purl, "dependsOn": list(part.needs)} for part in parts),
        ],
    }
    return Exported(text=json.dumps(document, indent=2, ensure_ascii=False) + "\n", notes=unnamed_indexes(inputs))


def _metadata(inputs: ExportInput, subject: str) -> dict[str, Any]:
    name, version = inputs.tool
    lock = inputs.lock
    return {
        "timestamp": inputs.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "tools": {"components": [{"type": "application", "name": name, "version": version}]},
        "component": {
            "type": "container",
            "bom-ref": subject,
            "name": lock.environment,
            "properties": [
                {"name": "envgen:platform", "value": str(lock.platform)},
                {"name": "envgen:request", "value": str(lock.request)},
                *_adjustments(lock),
            ],
        },
    }


def _adjustments(lock: Lock) -> list[dict[str, str]]:
    """List what the environment was made to accept: overrides, constraints and exceptions by name."""
    return [
        {"name": f"envgen:{key}.{entry}", "value": value if isinstance(value, str) else ", ".join(value)}
        for key, entries in lock.adjustments.by_key().items()
        for entry, value in entries.items()
    ]


def _component(part: SbomComponent) -> dict[str, Any]:
    hashes = [("MD5", part.md5), ("SHA-256", str(part.sha256))]
    return {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "hashes": [{"alg": algorithm, "content": digest} for algorithm, digest in hashes if digest],
        **({"licenses": [_license(part.license)]} if part.license else {}),
        "purl": part.purl,
        **({"externalReferences": [{"type": "distribution", "url": part.url}]} if part.url else {}),
        "properties": [
            {"name": "envgen:file", "value": part.filename},
            {"name": "envgen:from", "value": str(part.kind)},
            *({"name": "envgen:stands-for", "value": project} for project in part.stands_for),
        ],
    }


def _license(license_: License) -> dict[str, Any]:
    """Choose the form: an identifier of SPDX's list, an expression of such, or a name."""
    expression = license_.expression
    if expression is None:
        return {"license": {"name": license_.words}}
    if expression.startswith("LicenseRef-") and " " not in expression:
        return {"license": {"name": license_.words}}
    return {"license": {"id": expression}} if len(licenses_in(expression)) == 1 else {"expression": expression}
