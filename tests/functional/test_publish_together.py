"""Several publishers write one channel at once: nothing is lost, and nothing is written over."""

from __future__ import annotations

import datetime as dt
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import zstandard

from envgen.convert.conda_archive import write_conda
from envgen.convert.package import read_index, seal
from envgen.errors import EnvgenError
from envgen.ops import open_context
from envgen.ops._publish import open_channel
from envgen.publish.archives import PackedPackage
from envgen.publish.channel import OtherBytesError
from tests.builders.bucket import open_bucket
from tests.builders.registry import PROGRAM, SKOPEO, registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from envgen.convert.conda_archive import CondaArchive
    from envgen.publish.channel import Channel
    from tests.builders.bucket import Bucket
    from tests.command import Command, Project

pytestmark = pytest.mark.filterwarnings("ignore")

PUBLISHERS = 5
WHEELS = ["spam ==1.0", "ham", "eggs <2"]
"""One for each publisher; some of what they need is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A channel, as a person names it and as its files are read without envgen."""

    address: str
    variables: dict[str, str]
    read: Callable[[str], bytes]


@contextmanager
def folder(tmp_path: Path) -> Iterator[Place]:
    root = tmp_path / "channel"
    yield Place(address=str(root), variables={}, read=lambda path: (root / path).read_bytes())


@contextmanager
def bucket(tmp_path: Path) -> Iterator[Place]:
    del tmp_path
    with open_bucket() as found:

        def read(path: str) -> bytes:
            raw: bytes = found.client.get_object(Bucket="team", Key=f"channel/{path}")["Body"].read()
            return raw

        yield Place(address="s3://team/channel", variables=dict(found.login), read=read)


@contextmanager
def registered(tmp_path: Path) -> Iterator[Place]:
    if not (PROGRAM and SKOPEO):
        pytest.skip("docker-registry and skopeo (Debian packages) are not installed")
    with registry(tmp_path / "registry") as host:

        def read(path: str) -> bytes:
            from tests.builders.registry import layer_of

            subdir, name = path.split("/")
            stem = name.removesuffix(".conda").rsplit("-", 2)
            if name.startswith("repodata"):
                return layer_of(host, f"team/channel/{subdir}/repodata.json", "latest", number=name.count(".zst"))
            return layer_of(host, f"team/channel/{subdir}/{stem[0]}", "-".join(stem[1:]))

        yield Place(address=f"oci://{host}/team/channel", variables={}, read=read)


@pytest.fixture(params=[folder, bucket, registered], ids=["folder", "s3", "oci"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with request.param(tmp_path) as found:
        yield found


def test_nothing_is_lost(place: Place, project: Project, cli: Command) -> None:
    for number, wheel in enumerate(WHEELS):
        text = f'python: "3.11"\nplatforms: {{linux-64: {{glibc: "2.36"}}}}\npypi: [{wheel}]\n'
        project.spec(f"e{number}", text)
        cli("lock", f"e{number}").succeeded()
    cli.variables |= place.variables
    with ThreadPoolExecutor(PUBLISHERS) as pool:
        names = [f"e{number}" for number in range(len(WHEELS))]
        done = list(pool.map(lambda name: cli.process("publish", name, "--to", place.address, "--json"), names))
    assert [outcome.code for outcome in done] == [0] * len(WHEELS), "\n".join(outcome.err for outcome in done)
    files = {one["file"]: one["sha256"] for outcome in done for one in outcome.json()["packages"]}
    for subdir in ("linux-64", "noarch"):
        wanted = {path.partition("/")[2]: sha for path, sha in files.items() if path.startswith(subdir)}
        raw = place.read(f"{subdir}/repodata.json")
        assert {name: one["sha256"] for name, one in json.loads(raw)["packages.conda"].items()} == wanted
        assert zstandard.decompress(place.read(f"{subdir}/repodata.json.zst"), 1 << 20) == raw


def _package(root: Path, text: str) -> tuple[PackedPackage, Path, CondaArchive]:
    made = root / text
    (made / "share").mkdir(parents=True)
    (made / "share/text").write_text(text)
    index = {"name": "spam", "version": "1.0", "build": "0", "build_number": 0, "subdir": "noarch", "depends": []}
    seal(made, index={**index, "noarch": "generic"}, placeholders={})
    file = root / f"{text}.conda"
    with file.open("w+b") as out:
        archive = write_conda(made, out, stem="spam-1.0-0")
    return PackedPackage(key=text, index=read_index(made)), file, archive


def test_one_of_several_with_other_bytes_wins(
    place: Place, project: Project, cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are told both digests; archive and index are of the one that won."""
    monkeypatch.setenv("HOME", cli.variables["HOME"])  # rattler looks for logins there
    packages = [_package(tmp_path / "made", f"p{number}") for number in range(PUBLISHERS)]
    together = threading.Barrier(PUBLISHERS)

    def channel() -> Channel:
        environment = {**cli.variables, **place.variables}
        context = open_context(
            directory=project.root, environment=environment, now=dt.datetime.now(dt.UTC), anywhere=True
        )
        return open_channel(context, place.address)

    def publish(made: tuple[PackedPackage, Path, CondaArchive]) -> EnvgenError | None:
        mine = channel()
        together.wait(30)
        try:
            mine.put(*made)
            mine.index(["noarch"])
        except EnvgenError as error:
            return error
        return None

    with ThreadPoolExecutor(PUBLISHERS) as pool:
        outcomes = dict(zip((made[2].sha256 for made in packages), pool.map(publish, packages), strict=True))
    won = [sha for sha, error in outcomes.items() if error is None]
    lost = {sha: error for sha, error in outcomes.items() if error}
    assert all(isinstance(error, OtherBytesError) for error in lost.values()), [*map(str, lost.values())]
    assert all(sha in str(error) for sha, error in lost.items())
    if place.address.startswith("oci://"):
        assert len(won) <= 1  # each may have been overwritten by the next before it looked: then nobody has published
        return
    (winner,) = won
    assert all(winner in str(error) for error in lost.values())
    file = next(file for _, file, archive in packages if archive.sha256 == winner)
    assert place.read("noarch/spam-1.0-0.conda") == file.read_bytes()
    listed = json.loads(place.read("noarch/repodata.json"))["packages.conda"]
    assert listed["spam-1.0-0.conda"]["sha256"] == winner


@pytest.mark.filterwarnings("ignore")
def test_a_claim_that_another_publisher_overwrote(
    bucket: Bucket, project: Project, cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some servers take a condition, and do not keep it for requests at once."""
    monkeypatch.setenv("HOME", cli.variables["HOME"])
    context = open_context(
        directory=project.root, environment=cli.variables, now=dt.datetime.now(dt.UTC), anywhere=True
    )
    channel = open_channel(context, "s3://team/channel")
    package = _package(tmp_path / "made", "p0")
    channel.put(*package)
    bucket.client.put_object(Bucket="team", Key="channel/noarch/spam-1.0-0.conda.sha256", Body=b"a" * 64)
    with pytest.raises(OtherBytesError, match="a" * 64):
        channel.index(["noarch"])
