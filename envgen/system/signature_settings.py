"""Which keys must have signed locks on this machine: a variable, or the user's `config.toml`.

require-signature = "/etc/envgen/fleet.pub"                     # or several, of which one is enough
require-signature = ["/etc/envgen/2026.pub", "/etc/envgen/2027.pub"]
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from envgen.errors import Fault, SpecError
from envgen.system.config_file import read_config
from envgen.system.home import expand

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

VARIABLE = "ENVGEN_REQUIRE_SIGNATURE"
KEY = "require-signature"
"""Key of the file that is read here."""


def required_keys(
    asked: Sequence[Path], environment: Mapping[str, str], config: Path, *, directory: Path, home: Path
) -> tuple[Path, ...]:
    """Return public keys of which one must have signed a lock before it is used; none where none is asked for.

    What is asked for on the command line comes before the variable, and that before the file.

    Args:
        asked: on the command line, relative to `directory`.
        environment: of the process.
        config: the user's `config.toml`.
        directory: working directory.
        home: of the user.

    Raises:
        SpecError: the value in the file is wrong.
        UserError: the file cannot be read.
    """
    if asked:
        return tuple(directory / expand(path, home) for path in asked)
    if named := [text for text in environment.get(VARIABLE, "").split(os.pathsep) if text]:
        return tuple(directory / expand(text, home) for text in named)
    return tuple(expand(text, home) for text in _configured(config))


def _configured(path: Path) -> list[str]:
    document = read_config(path)
    if not document:
        return []
    import difflib  # noqa: PLC0415  takes 5 ms, and few machines have the file

    if near := [key for key in difflib.get_close_matches(KEY, document) if key != KEY]:
        # other keys are read where they are needed; with this one misspelt, nothing would be required
        raise SpecError((Fault(where=str(path), what=f"unknown key `{near[0]}`", hint=f"did you mean `{KEY}`?"),))
    value = document.get(KEY, [])
    every = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) and text.startswith(("/", "~")) for text in every):
        what = f"expected an absolute path of a public key, or a list of such paths, got {value!r}"
        raise SpecError((Fault(where=f"{path}: {KEY}", what=what),))
    return every
