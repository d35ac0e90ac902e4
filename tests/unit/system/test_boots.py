"""What is known of earlier boots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.system import boots
from envgen.system.boots import BootTime, boot_time, read_synced, record_synced

if TYPE_CHECKING:
    from pathlib import Path


def test_a_boot_has_an_id_and_a_clock_that_only_goes_on() -> None:
    first, second = boot_time(), boot_time()
    assert first.boot == second.boot
    assert 0 < first.at <= second.at


def test_a_system_without_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boots, "_BOOT_ID", tmp_path / "missing")
    assert boot_time().boot == ""


def test_boots_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "synced.json"
    assert read_synced(file) == {}
    monkeypatch.setattr(boots, "_KEPT", 2)
    for number in range(3):
        record_synced(file, BootTime(boot=f"boot-{number}", at=number))
    assert read_synced(file) == {"boot-1": 1, "boot-2": 2}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"boot": "late"}', "\0" * 20])
def test_a_damaged_file_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "synced.json").write_text(text)
    assert read_synced(tmp_path / "synced.json") == {}
    record_synced(tmp_path / "synced.json", BootTime(boot="boot", at=1))
    assert read_synced(tmp_path / "synced.json") == {"boot": 1}


def test_the_disk_is_waited_for_before_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(boots, "_sync_file_system", fail)
    with pytest.raises(OSError, match="Input/output error"):
        record_synced(tmp_path / "synced.json", BootTime(boot="boot", at=1))
    assert read_synced(tmp_path / "synced.json") == {}
