from __future__ import annotations

from pathlib import Path

from envgen.system import hardware

ROOT = Path(__file__).parents[3]


def test_the_recipe_has_the_same_words() -> None:
    copy = ROOT / "recipes/accel-runtime/src/accel_runtime/hardware.py"
    assert copy.read_bytes() == Path(hardware.__file__).read_bytes()
