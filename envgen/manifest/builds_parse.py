"""Read the section `builds:` of a spec: what builds of single projects may do, and what is set for them.

builds:
  flash-attn:
    network: "fetches cutlass"
    reproducible: "embeds the time"
    isolation: "compiles against the torch of the environment"
    variables: {MAX_JOBS: "4", TORCH_CUDA_ARCH_LIST: "8.0;9.0"}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen.builds import REASONS, BuildTerms
from envgen.manifest import values
from envgen.manifest.adjust_parse import parse_reason
from envgen.manifest.document import BadValueError
from envgen.urls import leak

if TYPE_CHECKING:
    from envgen.manifest.document import Value
    from envgen.names import ProjectName

_KEYS = (*REASONS, "variables")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_FIXED = frozenset(
    {"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "SOURCE_DATE_EPOCH", "PYTHONHASHSEED", "LD_PRELOAD"}
)
"""Variables that make builds the same everywhere."""


def parse_builds(section: Value | None) -> dict[ProjectName, BuildTerms]:
    """Parse the section; its faults go into the document."""
    found: dict[ProjectName, BuildTerms] = {}
    for key, value in section.fields(hint='`builds: {NAME: {network: "reason"}}`').items() if section else ():
        project = value.checked(key, values.project_key)
        fields = value.fields(_KEYS)
        reasons = {name: parse_reason(fields[name], key=name) or "" for name in REASONS if name in fields}
        variables = _variables(fields.get("variables"))
        if project is not None:
            found[project] = BuildTerms(**reasons, variables=variables)
    return {project: found[project] for project in sorted(found)}


def _variables(section: Value | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in section.fields(hint='`variables: {MAX_JOBS: "4"}`').items() if section else ():
        name, text = value.checked(key, _variable), value.text()
        if text is not None and (what := leak(text)):
            value.fault(f"`{key}`: the value contains {what}, which would end up in the lock")
        elif name is not None and text is not None:
            found[name] = text
    return dict(sorted(found.items()))


def _variable(text: str) -> str:
    if text in _FIXED:
        raise BadValueError(f"`{text}` is fixed, so that builds give the same result everywhere")
    if not _VARIABLE.fullmatch(text):
        raise BadValueError(f"not a variable: {text!r}", hint="use capital letters, digits and `_`")
    return text
