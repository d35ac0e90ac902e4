from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from envgen.lock.conda_lock_models import lockfile_model
model = lockfile_model()
assert "conda_lock.conda_lock" not in sys.modules, "the whole program was imported"
from conda_lock.lockfile import parse_conda_lock_file
from conda_lock.lockfile.v1.models import Lockfile
assert Lockfile is model, "there are two models"
assert lockfile_model() is model
"""


def test_the_program_is_left_out_and_can_be_imported_afterwards() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", _PROGRAM], check=True)


_BESIDE = """
import sys
from envgen.lock.conda_lock_models import lockfile_model, preload_models
preload_models()
lockfile_model()
assert "conda_lock.conda_lock" not in sys.modules, "the whole program was imported"
"""


def test_models_that_another_thread_imports_are_waited_for() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", _BESIDE], check=True)
