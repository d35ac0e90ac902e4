from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from envgen.errors import NetworkError, UserError
from envgen.names import CondaName
from envgen.platforms import Platform
from envgen.sources.conda import ChannelSource, _reason
from tests.builders.channel import Channel, CondaPackage
from tests.builders.server import Faults, serve

if TYPE_CHECKING:
    from pathlib import Path


def source(*channels: str, folder: Path) -> ChannelSource:
    return ChannelSource(channels, platform=Platform.LINUX_64, cache_dir=folder / "cache", root=folder)


def names(found: ChannelSource, name: str) -> list[str]:
    async def ask() -> list[str]:
        records = await found.records(CondaName(name))
        assert await found.records(CondaName(name)) == records
        return sorted(record.file_name for record in records)

    return asyncio.run(ask())


def channel(prefix: str, *packages: CondaPackage) -> Channel:
    found = Channel(prefix)
    found.add(*packages)
    return found


def test_the_strongest_channel_that_has_a_name_offers_it(tmp_path: Path) -> None:
    strong = channel("/strong", CondaPackage(name="spam", version="1.0"))
    weak = channel(
        "/weak",
        CondaPackage(name="spam", version="2.0"),
        CondaPackage(name="ham", version="1.0", subdir="noarch", noarch="generic"),
        CondaPackage(name="ham", version="2.0"),
        CondaPackage(name="ham", version="3.0", subdir="linux-aarch64"),
    )
    with serve({**strong.site(), **weak.site()}) as server:
        both = (f"{server.url}/strong", f"{server.url}/weak")
        assert names(source(*both, folder=tmp_path), "spam") == ["spam-1.0-0.conda"]
        assert names(source(*both, folder=tmp_path), "ham") == ["ham-1.0-0.conda", "ham-2.0-0.conda"]
        assert names(source(*both, folder=tmp_path), "eggs") == []


def test_a_folder_beside_the_spec_is_a_channel(tmp_path: Path) -> None:
    for path, body in channel("/mine", CondaPackage(name="spam")).site().items():
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    assert names(source("./mine", folder=tmp_path), "spam") == ["spam-1.0-0.conda"]


def test_a_channel_that_cannot_be_read(tmp_path: Path) -> None:
    found = source("http://user:secret@127.0.0.1:9/good", folder=tmp_path)
    with pytest.raises(
        NetworkError, match=r"failed to read the conda channel at http://\*\*\*@127.0.0.1:9/good/: Connection refused"
    ):
        asyncio.run(found.records(CondaName("spam")))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "a\nCaused by: tcp connect error\nCaused by: Connection refused (os error 111)",
            "Connection refused (os error 111)",
        ),
        (
            "HTTP status client error (403 Forbidden) for url (https://u:p@h/t/tk-1/x.zst)",
            "HTTP status client error (403 Forbidden)",
        ),
        ("", "no reason given"),
    ],
)
def test_the_reason_holds_no_url(said: str, reason: str) -> None:
    assert _reason(said) == reason


def test_a_token_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(NetworkError) as caught:
        asyncio.run(source("http://127.0.0.1:9/t/tk-123/good", folder=tmp_path).records(CondaName("spam")))
    assert "tk-123" not in str(caught.value)


def test_what_cannot_be_a_channel(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a conda channel"):
        source("ht!tp://", folder=tmp_path)


@pytest.mark.parametrize("wrong", [b"<html>please log in</html>", b"", b'{"packages": 3}', b'{"packages'])
@pytest.mark.parametrize("headers", [{}, {"Cache-Control": "max-age=31536000"}])
def test_a_wrong_answer_does_not_stay(tmp_path: Path, wrong: bytes, headers: dict[str, str]) -> None:
    right = channel("/c", CondaPackage(name="spam")).site()
    with serve({}, faults=Faults(headers=headers)) as server:
        server.content = {path: wrong if "repodata" in path else body for path, body in right.items()}
        with pytest.raises(NetworkError, match="failed to read"):
            names(source(f"{server.url}/c", folder=tmp_path), "spam")
        server.content = right
        assert names(source(f"{server.url}/c", folder=tmp_path), "spam") == ["spam-1.0-0.conda"]


FOREIGN = [b"{}", b'{"error": "please log in"}', b'{"info": {"subdir": "osx-arm64"}, "packages": {}}']


@pytest.mark.parametrize("subdir", ["linux-64", "noarch"])
@pytest.mark.parametrize("wrong", FOREIGN)
def test_json_that_is_not_repodata_is_not_an_empty_channel(tmp_path: Path, wrong: bytes, subdir: str) -> None:
    packages = (CondaPackage(name="spam"), CondaPackage(name="ham", subdir="noarch", noarch="generic"))
    right, weak = channel("/c", *packages).site(), channel("/weak", *packages).site()
    with serve({}, faults=Faults(headers={"Cache-Control": "max-age=31536000"})) as server:
        both = (f"{server.url}/c", f"{server.url}/weak")
        server.content = {**right, **weak, f"/c/{subdir}/repodata.json": wrong}
        found = source(*both, folder=tmp_path)
        with pytest.raises(NetworkError, match=f"/c/ returned JSON that is not repodata of `{subdir}`"):
            names(found, "spam" if subdir == "linux-64" else "ham")
        server.content = {**right, **weak}
        assert names(source(*both, folder=tmp_path), "spam") == ["spam-1.0-0.conda"]


@pytest.mark.parametrize("wrong", FOREIGN)
def test_what_was_kept_of_an_earlier_run_is_asked_for_again(tmp_path: Path, wrong: bytes) -> None:
    right = channel("/c", CondaPackage(name="spam")).site()
    with serve({}, faults=Faults(headers={"Cache-Control": "max-age=31536000"})) as server:
        server.content = {**right, "/c/linux-64/repodata.json": wrong}
        found = source(f"{server.url}/c", folder=tmp_path)

        async def ask_many() -> list[object]:
            every = (found.records(CondaName(name)) for name in ("spam", "eggs", "bacon"))
            return list(await asyncio.gather(*every, return_exceptions=True))

        assert any(isinstance(answer, NetworkError) for answer in asyncio.run(ask_many()))
        server.content = right
        assert names(source(f"{server.url}/c", folder=tmp_path), "spam") == ["spam-1.0-0.conda"]


def test_an_empty_channel_is_one(tmp_path: Path) -> None:
    with serve(channel("/c").site()) as server:
        assert names(source(f"{server.url}/c", folder=tmp_path), "spam") == []


def test_a_server_that_does_not_answer_is_asked_once(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="failed to read"):
        names(source("http://127.0.0.1:9/c", folder=tmp_path), "spam")
