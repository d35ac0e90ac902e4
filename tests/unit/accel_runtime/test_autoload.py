"""Plain Python stays as it is: importing the package and its entry point loads nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "recipes/accel-runtime/src"


def modules_after(code: str, **variables: str) -> tuple[list[str], str]:
    """Run code in a fresh interpreter; say which of our modules are loaded then, and what went to standard error."""
    program = f"import sys\n{code}\nprint(*sorted(m for m in sys.modules if m.startswith(('accel_runtime', 'torch'))))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(SOURCE), **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split(), done.stderr


AUTOLOAD = "from accel_runtime.autoload import autoload\nautoload()"


def test_without_being_asked_nothing_is_loaded() -> None:
    assert modules_after(AUTOLOAD) == (["accel_runtime", "accel_runtime.autoload"], "")


def test_without_torch_asking_breaks_nothing() -> None:
    loaded, said = modules_after(f"sys.modules['torch'] = None\n{AUTOLOAD}", ACCEL_AUTO="bf16")
    assert "accel_runtime.autoload" in loaded
    assert "the module hook is not installed" in said


def test_the_package_imports_no_torch() -> None:
    loaded, _ = modules_after(
        "import accel_runtime.cli, accel_runtime.machine, accel_runtime.launch, accel_runtime.run"
    )
    assert "torch" not in loaded


def test_an_attribute_that_is_none() -> None:
    import accel_runtime

    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = accel_runtime.nonsense
