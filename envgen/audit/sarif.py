"""A report as SARIF 2.1.0, which code hosts show beside the spec.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from envgen import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.audit.findings import Vulnerability

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"critical": "error", "high": "error", "moderate": "warning", "medium": "warning", "low": "note"}


def sarif(found: Sequence[Vulnerability], *, spec: str, dates: Mapping[str, str | None]) -> dict[str, Any]:
    """Render vulnerabilities as one run of SARIF; those that are ignored are suppressed, with the reason.

    Args:
        found: sorted.
        spec: path of the spec relative to the project, at which code hosts show them.
        dates: database or index -> the date of what it said, None where it is unknown.
    """
    rules = {one.id: one for one in found}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "envgen audit",
                        "version": __version__,
                        "rules": [_rule(one) for one in rules.values()],
                    }
                },
                "results": [_result(one, spec) for one in found],
                "properties": {"dates": dict(dates)},
            }
        ],
    }


def _rule(found: Vulnerability) -> dict[str, Any]:
    text = found.summary or found.id
    return {"id": found.id, "shortDescription": {"text": text}, "properties": {"aliases": list(found.aliases)}}


def _result(found: Vulnerability, spec: str) -> dict[str, Any]:
    subject = found.subject
    fixed = f"; fixed in {found.fixed}" if found.fixed else ""
    result: dict[str, Any] = {
        "ruleId": found.id,
        "level": "note" if found.is_minor else _LEVELS.get((found.severity or "").lower(), "warning"),
        "message": {"text": f"{subject.name} {subject.version} is affected by {found.id}{fixed}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": quote(spec)}, "region": {"startLine": 1}}}],
        "partialFingerprints": {"package/v1": f"{subject.ecosystem}/{subject.project}/{found.id}"},
    }
    if found.ignored is not None:
        result["suppressions"] = [{"kind": "external", "justification": found.ignored}]
    return result
