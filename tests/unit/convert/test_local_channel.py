from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from rattler import Channel, ChannelConfig, SparseRepoData

from envgen.convert import local_channel as channel_module
from envgen.convert.local_channel import LocalChannel
from envgen.convert.package import seal
from envgen.digest import Sha256
from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def _package(root: Path, name: str, subdir: str = "linux-64", text: str = "") -> Path:
    package = root / name
    (package / "share").mkdir(parents=True)
    (package / "share" / name).write_text(text)
    index = {"name": name, "version": "1.0", "build": "h1_0", "build_number": 0, "subdir": subdir, "depends": ["b"]}
    seal(package, index=index, placeholders={})
    return package


def _repodata(channel: Path, subdir: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((channel / subdir / "repodata.json").read_text())
    return found


def test_adds_a_package(tmp_path: Path) -> None:
    package = _package(tmp_path, "spam")
    archive = LocalChannel(tmp_path / "channel").add(package)
    file = tmp_path / "channel" / "linux-64" / "spam-1.0-h1_0.conda"
    assert archive.sha256 == Sha256.of(file.read_bytes())
    entry = _repodata(tmp_path / "channel", "linux-64")["packages.conda"][file.name]
    assert (entry["sha256"], entry["md5"], entry["size"], entry["depends"]) == (
        archive.sha256,
        archive.md5,
        file.stat().st_size,
        ["b"],
    )


def test_every_channel_has_noarch(tmp_path: Path) -> None:
    LocalChannel(tmp_path).add(_package(tmp_path / "p", "spam"))
    assert _repodata(tmp_path, "noarch") == {
        "info": {"subdir": "noarch"},
        "packages": {},
        "packages.conda": {},
        "repodata_version": 1,
    }


def test_rattler_reads_it(tmp_path: Path) -> None:
    LocalChannel(tmp_path).add(_package(tmp_path / "p", "spam"))
    channel = Channel(tmp_path.as_uri(), ChannelConfig())
    with SparseRepoData(channel, "linux-64", tmp_path / "linux-64" / "repodata.json") as repodata:
        (record,) = repodata.load_records("spam")
    assert (record.file_name, record.depends) == ("spam-1.0-h1_0.conda", ["b"])


def test_order_does_not_matter(tmp_path: Path) -> None:
    packages = [_package(tmp_path, name) for name in ("a", "b", "c")]
    for name, order in (("one", packages), ("two", reversed(packages))):
        channel = LocalChannel(tmp_path / name)
        for package in order:
            channel.add(package)
    texts = [(tmp_path / name / "linux-64" / "repodata.json").read_bytes() for name in ("one", "two")]
    assert texts[0] == texts[1]


def test_a_package_is_replaced(tmp_path: Path) -> None:
    channel = LocalChannel(tmp_path / "channel")
    first = channel.add(_package(tmp_path / "1", "spam", text="one"))
    second = channel.add(_package(tmp_path / "2", "spam", text="two"))
    assert first != second
    (entry,) = _repodata(channel.root, "linux-64")["packages.conda"].values()
    assert entry["sha256"] == second.sha256


def test_threads_that_begin_a_channel_together_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = {name: _package(tmp_path, name) for name in ("a", "b")}
    begun, write = threading.Event(), channel_module._write_repodata

    def slowly(folder: Path, entries: Mapping[str, Any]) -> None:
        if threading.current_thread().name == "slow" and not entries and folder.name == "linux-64":
            begun.set()
            time.sleep(0.3)
        write(folder, entries)

    monkeypatch.setattr(channel_module, "_write_repodata", slowly)
    channel = LocalChannel(tmp_path / "channel")
    slow = threading.Thread(target=channel.add, args=[packages["a"]], name="slow")
    slow.start()
    assert begun.wait(10)
    channel.add(packages["b"])
    slow.join()
    assert sorted(_repodata(channel.root, "linux-64")["packages.conda"]) == ["a-1.0-h1_0.conda", "b-1.0-h1_0.conda"]


def test_refuses_what_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match=r"index\.json"):
        LocalChannel(tmp_path / "channel").add(tmp_path / "empty")
