"""IPEX, or what stands for it: an importable package with metadata, made for each test."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from accel_runtime import extension

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    def make(version: str, code: str) -> None:
        meta = tmp_path / f"intel_extension_for_pytorch-{version}.dist-info"
        meta.mkdir()
        (meta / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: intel-extension-for-pytorch\nVersion: {version}\n"
        )
        (tmp_path / "intel_extension_for_pytorch.py").write_text(code)

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, extension.MODULE, raising=False)
    extension.load.cache_clear()
    yield make
    extension.load.cache_clear()


def test_none_is_there(install: Install) -> None:
    if extension.find("2.8.0").version is None:
        assert not extension.load("2.8.0").works


def test_noise_does_not_get_through(install: Install, capfd: pytest.CaptureFixture[str]) -> None:
    install("2.8.0", "import os, sys\nos.write(2, b'[W] C++\\n')\nprint('hello')\nsys.stderr.write('log\\n')")
    assert extension.load("2.8.0+cu128").works
    os.write(2, b"after\n")
    assert capfd.readouterr() == ("", "after\n")


def test_one_for_another_torch_is_not_imported(install: Install) -> None:
    install("2.8.0", "raise AssertionError")
    assert extension.load("2.11.0").problem == "it needs torch 2.8, this is 2.11.0"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise OSError('libintel-ext-pt-cpu.so: undefined symbol')", "OSError: libintel-ext-pt-cpu.so"),
        ("raise SystemExit(127)", "SystemExit: 127"),
        ("import a_module_that_is_not_there", "ModuleNotFoundError"),
    ],
)
def test_a_broken_one_is_told_and_does_no_harm(install: Install, code: str, words: str) -> None:
    install("2.8.0", code)
    found = extension.load("2.8.0")
    assert not found.works
    assert words in (found.problem or "")


def test_one_without_metadata(install: Install, tmp_path: Path) -> None:
    (tmp_path / "intel_extension_for_pytorch.py").write_text("")
    if extension.find("2.8.0").version in (None, "unknown"):
        assert "no metadata" in (extension.find("2.8.0").problem or "")
