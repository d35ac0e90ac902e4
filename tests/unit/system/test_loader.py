"""The loader is asked which file it takes."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from envgen.system.loader import ask_loader, folders_of_variable, parse_answer

SAMPLE = Path(getattr(importlib.util.find_spec("zstandard.backend_c"), "origin", ""))


@pytest.mark.skipif(sys.platform != "linux", reason="asks the loader of Linux")
def test_which_file_is_taken(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        shutil.copyfile(SAMPLE, tmp_path / folder / "libplanted.so.1")
    names = ["libplanted.so.1", "libnowhere.so.1", "a name.so"]
    variable = f"{tmp_path}/none:{tmp_path}/two:{tmp_path}/one"
    program = Path(sys.executable)
    taken = ask_loader(names, program=program, environment={"LD_LIBRARY_PATH": variable})
    assert taken == {"libplanted.so.1": tmp_path / "two/libplanted.so.1"}
    assert ask_loader(names, program=program, environment={}) == {}
    assert ask_loader(names, program=tmp_path / "no-program", environment={}) == {}


def test_what_the_loader_prints() -> None:
    text = (
        "\tlinux-vdso.so.1 (0x00007f)\n\tlibz.so.1 => /lib/a b/libz.so.1 (0x00007f73b1b50000)\n\tlibx.so => not found\n"
    )
    assert parse_answer(text) == {"libz.so.1": Path("/lib/a b/libz.so.1")}


def test_folders_of_the_variable() -> None:
    assert folders_of_variable({}) == ()
    assert folders_of_variable({"LD_LIBRARY_PATH": "/a:;b"}) == (Path("/a"), Path(), Path("b"))
