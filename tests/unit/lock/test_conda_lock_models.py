from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from envgen.lock.conda_lock_models import MODELS, lockfile_model
model = lockfile_model()
assert MODELS in sys.modules
assert "conda_lock.conda_lock" not in sys.modules, "the whole program was imported"
from conda_lock.lockfile import parse_conda_lock_file
from conda_lock.lockfile.v1.models import Lockfile
assert Lockfile is model, "there are two models"
assert lockfile_model() is model
"""


def test_the_program_is_left_out_and_can_be_imported_afterwards() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", _PROGRAM], check=True)
