from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from envgen.convert.wheel_layout import (
    SHEBANG,
    WheelLayout,
    entry_point_scripts,
    find_data,
    find_stem,
    library_family,
    relocate_script,
)
from envgen.errors import ArtifactError
from envgen.platforms import PythonMinor
from tests.builders.wheels import locked_wheel

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "wheel_layout.yaml").read_text())
LAYOUT = WheelLayout(stem="spam-1.0", python=PythonMinor(3, 11), what="spam.whl")


@pytest.mark.parametrize(("member", "path"), CASES["placed"].items())
def test_places_a_member(member: str, path: str | None) -> None:
    assert LAYOUT.place(member) == path
    assert list(LAYOUT.places([member])) == ([(member, path)] if path else [])


@pytest.mark.parametrize("further", [[], ["spam/\u00fc.py"]])
def test_places_members_together_as_alone(further: list[str]) -> None:
    members = [*CASES["placed"], *further]
    alone = {member: path for member in members if (path := LAYOUT.place(member))}
    assert dict(LAYOUT.places(members)) == alone


@pytest.mark.parametrize(("member", "message"), CASES["refused"].items())
def test_refuses_a_member(member: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message) as caught:
        LAYOUT.place(member)
    assert f"`{member}`" in str(caught.value)
    with pytest.raises(ArtifactError, match=message):
        list(LAYOUT.places(["spam/a.py", member]))


@pytest.mark.parametrize(("member", "name"), CASES["licenses"].items())
def test_knows_a_licence(member: str, name: str | None) -> None:
    assert LAYOUT.license_names([member]) == ({member: name} if name else {})


@pytest.mark.parametrize(
    "names",
    [
        ["LICENSE", "licenses/LICENSE"],
        ["LICENSE", "licenses/LICENSE/a"],
        ["LICENSE", "licenses/License"],
        ["licenses/NOTICE", "license_files/NOTICE", "licenses/LICENSE"],
        ["LICENSE", "licenses/LICENSE", "licenses/licenses/LICENSE"],
    ],
)
def test_no_two_licences_get_one_name(names: list[str]) -> None:
    members = [f"spam-1.0.dist-info/{name}" for name in names]
    assert list(LAYOUT.license_names(["spam/LICENSE", *members]).items()) == list(zip(members, names, strict=True))


@pytest.mark.parametrize(("path", "family"), CASES["libraries"].items())
def test_knows_the_versions_of_a_library(path: str, family: str | None) -> None:
    assert library_family(path) == family


def test_finds_the_stem_as_the_wheel_spells_it() -> None:
    wheel = locked_wheel(b"", "spam-eggs", "1.0")
    assert find_stem(["Spam_Eggs-1.0.dist-info/METADATA", "spam/x"], wheel) == "Spam_Eggs-1.0"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["spam/x"], "0 dist-info folders"),
        (["spam-1.0.dist-info/RECORD", "ham-1.0.dist-info/RECORD"], "2 dist-info folders"),
        (["ham-1.0.dist-info/RECORD"], "expected spam 1.0"),
        (["spam-1.1.dist-info/RECORD"], "expected spam 1.0"),
    ],
)
def test_refuses_another_wheels_dist_info(members: list[str], message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        find_stem(members, locked_wheel(b"", "spam", "1.0"))


@pytest.mark.parametrize(
    ("name", "version", "members", "folder"),
    [
        ("spam-eggs", "1.0", ["spam_eggs-1.0.data/scripts/x"], "spam_eggs-1.0.data"),
        ("spam-eggs", "1.0", ["Spam.Eggs-1.0.0.data/scripts/x"], "Spam.Eggs-1.0.0.data"),
        ("spam", "1.0+cu128", ["spam-1.0.data/scripts/x"], "spam-1.0.data"),
        ("spam", "1.0+cu128", ["spam-1.0+cu128.data/scripts/x"], "spam-1.0+cu128.data"),
        ("spam", "1.0", ["spam/x.data/y", "weights.data"], None),
    ],
)
def test_finds_the_data_folder_however_it_is_spelled(
    name: str, version: str, members: list[str], folder: str | None
) -> None:
    assert find_data(members, locked_wheel(b"", name, version)) == folder


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["ham-1.0.data/scripts/x"], "contains `ham-1.0.data`, expected a folder for spam 1.0"),
        (["spam-1.1.data/scripts/x"], "contains `spam-1.1.data`, expected"),
        (["weights.data/x"], "contains `weights.data`, expected"),
        ([".data/x"], "contains `.data`, expected"),
        (["spam-1.0.data/data/x", "Spam-1.0.data/data/y"], "has 2 data folders, expected one: Spam-1.0, spam-1.0"),
    ],
)
def test_refuses_another_data_folder(members: list[str], message: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        find_data(members, locked_wheel(b"", "spam", "1.0"))
    assert message in str(caught.value)


def test_places_by_the_data_folder_that_is_there() -> None:
    layout = WheelLayout(stem="my_tool-1.0", python=PythonMinor(3, 11), what="w", data="My_Tool-1.0.data")
    assert layout.place("My_Tool-1.0.data/scripts/run") == "bin/run"
    assert layout.is_script("My_Tool-1.0.data/scripts/run")


def test_entry_points_become_scripts() -> None:
    raw = b"[console_scripts]\nspam = spam.cli:app.main [all]\n[gui_scripts]\nspam-gui = spam:gui\n[other]\nx = y\n"
    scripts = entry_point_scripts(raw, what="spam.whl")
    assert sorted(scripts) == ["bin/spam", "bin/spam-gui"]
    lines = scripts["bin/spam"].splitlines()
    assert lines[0] == SHEBANG
    assert b"from spam.cli import app" in lines
    assert b"    sys.exit(app.main())" in lines


@pytest.mark.parametrize(
    "raw",
    [
        b"[console_scripts]\n../evil = spam:main\n",
        b"[console_scripts]\n.. = spam:main\n",
        b"[console_scripts]\nspam = spam\n",
        b"[console_scripts]\nspam = import os; os:x\n",
        b"no section",
        b"[console_scripts]\na = \xff:b\n",
    ],
)
def test_refuses_bad_entry_points(raw: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"spam\.whl"):
        entry_point_scripts(raw, what="spam.whl")


@pytest.mark.parametrize(
    ("head", "relocated"),
    [
        (b"#!python\nimport x\n", SHEBANG + b"\nimport x\n"),
        (b"#!pythonw -E\nimport x\n", SHEBANG + b"\nimport x\n"),
        (b"#!python", SHEBANG),
        (b"#!/usr/bin/env python\n", None),
        (b"#!/bin/sh\n", None),
        (b"\x7fELF", None),
        (b"", None),
    ],
)
def test_relocates_scripts_that_ask_for_it(head: bytes, relocated: bytes | None) -> None:
    assert relocate_script(head) == relocated
