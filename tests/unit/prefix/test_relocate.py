"""Paths inside files, replaced when an environment moves."""

from __future__ import annotations

import pytest

from envgen.errors import UserError
from envgen.prefix.relocate import replaced


def test_text_is_replaced_at_any_length() -> None:
    assert replaced(b"#!/a/bin/python\n/a/x", "/a", "/longer", what="f") == b"#!/longer/bin/python\n/longer/x"


def test_a_program_keeps_its_length() -> None:
    data = b"\x7fELF\0/old/lib:/old/etc\0\0\0\0\0\0\0\0\0end\0/old\0\0\0\0"
    after = replaced(data, "/old", "/newer", what="f")
    assert len(after) == len(data)
    assert after == b"\x7fELF\0/newer/lib:/newer/etc\0\0\0\0\0end\0/newer\0\0"


def test_a_path_without_room_is_refused() -> None:
    with pytest.raises(UserError, match="is too long for the placeholder in `f`"):
        replaced(b"\0/old\0x", "/old", "/newer", what="f")
