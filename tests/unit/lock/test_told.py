from __future__ import annotations

import pytest

from envgen.errors import LockError
from envgen.lock.read import read_lock
from envgen.lock.render import is_text_of, render_lock
from envgen.lock.told import Told, from_json, to_json
from envgen.structs import replace
from tests.unit.lock import samples

TOLD = Told(warnings=("a",), notes=("RECORD of `x-1-py3-none-any.whl` is odd", "b"), idle=("`allow-older.x`: none",))


def test_remarks_are_read_as_they_are_written() -> None:
    assert from_json(to_json(TOLD)) == TOLD
    assert from_json(to_json(Told())) == Told()
    assert not Told()


@pytest.mark.parametrize("text", ["[]", "no", '{"other": []}', '{"notes": "a"}', '{"notes": [1]}'])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_json(text)


def test_a_lock_has_them_only_where_there_are_some() -> None:
    lock = samples.lock()
    assert "told" not in render_lock(lock)
    for told in (TOLD, Told()):
        text = render_lock(replace(lock, told=told))
        assert read_lock(text).told == told
        with pytest.raises(LockError, match=r"envgen\.told"):
            read_lock(text.replace(f"envgen.told: '{to_json(told)}'", "envgen.told: '[]'"))


def test_what_is_known_of_a_kept_wheel_stays() -> None:
    kept = [("x", "x-1-py3-none-any.whl")]
    again = Told(warnings=("c",)).carried_by(TOLD, kept=kept)
    assert again == Told(warnings=("c",), notes=TOLD.notes[:1], idle=TOLD.idle)
    assert Told().carried_by(TOLD, kept=[]) == Told()
    assert Told().carried_by(None, kept=kept) == Told()


def test_a_text_is_known_again() -> None:
    lock = samples.lock()
    text = render_lock(lock)
    assert is_text_of(lock, text)
    assert render_lock(lock, old=text) is text
    assert not is_text_of(lock, text + "\n")
    assert not is_text_of(replace(lock, told=TOLD), text)
    assert render_lock(lock, old=text + "# more\n") == text
