from __future__ import annotations

import pytest

from envgen.errors import EnvgenError, UserError
from envgen.image.entries import Directory, file
from envgen.image.tar import arrange
from envgen.whiteout import is_whiteout, refuse_whiteouts


@pytest.mark.parametrize("path", [".wh.a", "a/.wh.b", "a/.wh..wh..opq", ".wh.a/b"])
def test_what_a_runtime_takes_for_a_removal(path: str) -> None:
    assert is_whiteout(path)


@pytest.mark.parametrize("path", ["a", "a/.wha", "a.wh.b", ".wh/a", "a/.WH.b", "x.wh.y/z"])
def test_what_it_does_not(path: str) -> None:
    assert not is_whiteout(path)


def test_the_package_and_the_file_are_named() -> None:
    with pytest.raises(UserError, match=r"`zed` contains `opt/\.wh\.a` and 1 more: in an image"):
        refuse_whiteouts("zed", ["opt/b", "opt/c/.wh.d", "opt/.wh.a"])


@pytest.mark.parametrize("entry", [file("a/.wh.b", b""), Directory(path=".wh.b")])
def test_no_layer_holds_one(entry: Directory) -> None:
    with pytest.raises(EnvgenError, match="would remove a file"):
        arrange([entry], {})
