"""The home of tests: none, or one of their own. Nothing is ever written to that of whoever runs them."""

from __future__ import annotations

import os
from pathlib import Path

NO_HOME = Path("/dev/null/home")
"""A folder that nobody can make, root neither: its parent is no folder."""

MACHINE_HOME = "TESTS_MACHINE_HOME"
"""The variable that keeps the real home for tests that use the machine, for processes below this one too."""

_REGISTRIES = (".netrc", ".pip/pip.conf", ".config/pip/pip.conf", ".config/envgen/config.toml", ".docker/config.json")
"""What says where this machine finds its registries, and how it logs in there."""


def fill_home(home: Path) -> Path:
    """Link what the machine's home says of registries into an empty one, and return that."""
    real = Path(os.environ.get(MACHINE_HOME) or NO_HOME)
    for name in _REGISTRIES:
        if (real / name).is_file():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).symlink_to(real / name)
    return home
