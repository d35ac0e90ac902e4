"""Every format of one small environment, byte by byte.

`ENVGEN_GOLDEN=write pytest tests/unit/export` writes the files anew: read the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envgen.export.formats import FORMATS
from tests.unit.export import samples

GOLDEN = Path(__file__).parents[2] / "golden" / "export"
WRITE = os.environ.get("ENVGEN_GOLDEN") == "write"


@pytest.mark.parametrize("name", FORMATS)
def test_format(name: str) -> None:
    one = FORMATS[name]
    locks = (samples.lock(), samples.other()) if one.joint else (samples.lock(),)
    text = one.render(samples.inputs(*locks)).text
    file = GOLDEN / one.file
    if WRITE:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_no_placeholder_is_left(name: str) -> None:
    one = FORMATS[name]
    text = one.render(samples.inputs()).text
    assert name == "dockerfile" or "${" not in text
