"""What names the package of a wheel in the store; apart from the conversion, which takes long to import."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envgen.digest import Sha256
from envgen.packages import store_key
from envgen.wheels import package_id, wheel_constrains

if TYPE_CHECKING:
    from envgen.names import NameTable
    from envgen.packages import Wheel
    from envgen.platforms import Target

CONVERTER_VERSION = 1
"""Raise it with every change of the bytes that a wheel becomes: locks hold it, and are then no longer true."""

_REPAIR = 1
"""Raise it where wheels that were converted wrongly become something else, and all others stay as they are: packages
in the store are then converted again, and locks stay true."""


def package_key(
    wheel: Wheel, *, target: Target, names: NameTable, python_full: str | None = None, trusted: bool = False
) -> str:
    """Name the package of a wheel in the store: everything that determines its bytes goes into the key."""
    facts = [
        [CONVERTER_VERSION, _REPAIR, *(["trusted"] if trusted else [])],
        [wheel.sha256, wheel.filename, sorted(wheel.requires.items())],
        [target.platform, str(target.python), python_full],
        [[project, names.conda_name(project)] for project in sorted({wheel.project, *wheel.requires})],
        sorted(wheel_constrains(wheel.project, names)),
        *_substituted(wheel, names),
    ]
    return store_key(package_id(wheel, target=target, names=names).dist, Sha256.of(json.dumps(facts).encode()))


def _substituted(wheel: Wheel, names: NameTable) -> list[list[Any]]:
    """Return the facts of a key that only an environment with substitutes has."""
    found = {p: names.stand_ins[p] for p in sorted(wheel.requires.keys() & names.stand_ins.keys())}
    facts = [["stands for", *wheel.stands_for]] if wheel.stands_for else []
    return facts + [[project, other.project, other.same_versions] for project, other in found.items()]
