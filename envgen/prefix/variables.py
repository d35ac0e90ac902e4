"""Variables of an environment, in `conda-meta/state`, where `conda env config vars` keeps them.

Activation by any tool reads them there, and they win over those of packages. Which of them come from the spec stands
beside them, so that one that left the spec goes, and those that a person set stay:

    {"version": 1, "env_vars": {"OMP_NUM_THREADS": "8"}, "envgen": {"env_vars": ["OMP_NUM_THREADS"]}}

Tools change `env_vars` and keep the rest of the document (`conda.core.prefix_data.PrefixData`).
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from envgen.documents import read_json
from envgen.errors import IntegrityError
from envgen.prefix.conda_meta import META
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

STATE_FILE = f"{META}/state"
_VARIABLES, _OURS = "env_vars", "envgen"


def odd_variables(prefix: Path, wanted: Mapping[str, str]) -> Iterator[str]:
    """Yield how the variables of a prefix differ from those of its spec, in words."""
    try:
        there = _read(prefix).get(_VARIABLES, {})
    except IntegrityError as error:
        yield str(error)
        return
    for name in sorted(there.keys() | wanted.keys()):
        if name not in there:
            yield f"variable `{name}` is missing"
        elif name not in wanted:
            yield f"variable `{name}` is not in the spec"
        elif there[name] != wanted[name]:
            yield f"variable `{name}`: expected {wanted[name]!r}, got {there[name]!r}"


def changed_variables(prefix: Path, wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Return what has to change for a prefix to have variables: name -> value, or None where the variable goes.

    Raises:
        IntegrityError: the file cannot be read.
    """
    document = _read(prefix)
    there, ours = document.get(_VARIABLES, {}), _ours(document)
    changes: dict[str, str | None] = dict.fromkeys(sorted(ours & there.keys() - wanted.keys()))
    return changes | {name: value for name, value in sorted(wanted.items()) if there.get(name) != value}


def write_variables(prefix: Path, wanted: Mapping[str, str]) -> None:
    """Write the variables of a spec, unless they are there; those of the user stay.

    Raises:
        IntegrityError: the file cannot be read.
    """
    document = _read(prefix)
    if changed_variables(prefix, wanted) or _ours(document) != wanted.keys():
        atomic_write(prefix / STATE_FILE, state_text(wanted, document))


def state_text(wanted: Mapping[str, str], document: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Return the text of the file with the variables of a spec.

    Args:
        wanted: name -> value.
        document: what the file has now; variables of the user are kept.
    """
    ours = _ours(document)
    kept = {name: value for name, value in document.get(_VARIABLES, {}).items() if name not in ours}
    others = {key: value for key, value in document.items() if key not in (_VARIABLES, _OURS)}
    told = {_OURS: {_VARIABLES: sorted(wanted)}} if wanted else {}
    return json.dumps({"version": 1, **others, _VARIABLES: {**kept, **wanted}, **told}, indent=2) + "\n"


def _ours(document: Mapping[str, Any]) -> set[str]:
    found = document.get(_OURS)
    names = found.get(_VARIABLES) if isinstance(found, dict) else None
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _read(prefix: Path) -> dict[str, Any]:
    file = prefix / STATE_FILE
    try:
        document = read_json(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise IntegrityError(f"failed to read variables from `{file}`: {error}", hint="remove the file") from error
    if not isinstance(document, dict) or not isinstance(document.get(_VARIABLES, {}), dict):
        raise IntegrityError(f"`{file}`: expected a mapping of variables", hint="remove the file")
    return document
