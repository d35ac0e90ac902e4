"""Whatever the bytes are, a parser of foreign bytes returns or refuses them with an error of envgen.

`tests/cases/foreign/<reader>/` holds what was found; `pytest --hypothesis-profile=explore` looks for more.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envgen.errors import EnvgenError
from tests.property.damage import damaged, odd_json
from tests.property.readers import READERS, Reader

CORPUS = Path(__file__).parent.parent / "cases/foreign"
EXAMPLES = settings().max_examples // 3
"""Of each parser; the profile says how many, and there are many parsers."""

FOUND = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


def read(reader: Reader, raw: bytes) -> bool:
    """Return whether a parser takes some bytes; anything but an answer or a refusal is the fault that is looked for."""
    try:
        reader.read(raw)
    except EnvgenError as refused:
        if refused.exit_code == EnvgenError.exit_code:  # that of a bug, as users are told
            raise AssertionError from refused
        return False
    return True


@pytest.mark.parametrize("name", READERS)
def test_samples_are_sound(name: str) -> None:
    assert read(READERS[name], READERS[name].sample)


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_stays_mended(path: Path) -> None:
    read(READERS[path.parent.name], path.read_bytes())


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
def test_any_bytes_are_read_or_refused(name: str, data: st.DataObject) -> None:
    reader = READERS[name]
    raw = data.draw(odd_json(json.loads(reader.sample)) if reader.json else damaged(reader.sample))
    read(reader, raw)
