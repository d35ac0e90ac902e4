"""Encoders of layers: what they hold is free when they are done."""

from __future__ import annotations

import gc
import weakref

import pytest

from envgen.oci.compress import Compression, encoder


@pytest.mark.parametrize("compression", Compression)
def test_an_encoder_is_freed_without_a_search_for_cycles(compression: Compression) -> None:
    found: list[bytes] = []
    made = encoder(compression, lambda data: found.append(bytes(data)))
    made.write(b"x" * 100_000)
    made.close()
    seen = weakref.ref(made)
    gc.disable()
    try:
        del made
        assert seen() is None, "the layers of an image would stay in memory together"
    finally:
        gc.enable()
    assert found
