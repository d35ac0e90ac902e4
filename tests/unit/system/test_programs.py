from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.system.programs import parse_version, probe_programs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("conda 24.7.1\n", "24.7.1"),
        ("2.0.5\n", "2.0.5"),
        ("Docker version 27.1.1, build 6312585\n", "27.1.1"),
        ("podman version 4.3.1\n", "4.3.1"),
        ("apptainer version 1.3.4-1.el9\n", "1.3.4"),
        ("g++ (Debian 12.2.0-14) 12.2.0\nCopyright (C) 2022\n", "12.2.0"),
        ("NVIDIA Container Toolkit CLI version 1.16.2\ncommit: a5a5833c14\n", "1.16.2"),
        ("usage: something\n", None),
    ],
)
def test_versions(said: str, version: str | None) -> None:
    assert parse_version(said) == version


def test_finding(tmp_path: Path) -> None:
    for name, code in (("podman", "echo podman version 4.3.1"), ("conda", "exit 3"), ("g++", "echo 'g++ 12.2' >&2")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{code}\n")
        (tmp_path / name).chmod(0o755)
    found = probe_programs(("conda", "docker", "podman", "g++"), {"PATH": str(tmp_path)})
    assert [(program.name, program.version) for program in found] == [
        ("conda", None),
        ("podman", "4.3.1"),
        ("g++", "12.2"),
    ]
    assert found[1].path == tmp_path / "podman"
