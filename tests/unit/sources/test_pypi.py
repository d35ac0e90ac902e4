from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from envgen.digest import Sha256
from envgen.errors import ArtifactError, DigestMismatchError, GoneError, NetworkError
from envgen.names import project_name
from envgen.sources.pypi import WheelIndex
from envgen.system.http import Http
from envgen.system.store import Store
from tests.builders.index import Index, MetadataOffer
from tests.builders.server import Faults, Server, serve
from tests.builders.wheels import locked_wheel, make_wheel, make_zip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.metadata import WheelMetadata
    from envgen.sources.pypi_page import ProjectFile

SPAM = "spam-1.0-py3-none-any.whl"


@contextmanager
def served(index: Index, folder: Path, **faults: Any) -> Iterator[tuple[WheelIndex, Server]]:
    with serve(index.site(), faults=Faults(content_types=index.content_types(), **faults)) as server:
        http = Http(environment={}, sleep=lambda _: None)
        client = WheelIndex(http=http, store=Store(folder), base_url=f"{server.url}{index.prefix}/simple/")
        try:
            yield client, server
        finally:
            client.close()


def metadata(client: WheelIndex, project: str = "spam") -> WheelMetadata:
    async def read() -> WheelMetadata:
        page = await client.page(project_name(project))
        assert page is not None
        (file,) = page.all_files()
        return await client.metadata(file)

    return asyncio.run(read())


def spam(*, metadata: MetadataOffer = "marked", style: Any = "json", **facts: Any) -> Index:
    index = Index(style=style)
    index.add(SPAM, make_wheel("spam", "1.0", requires=["ham >=2"], **facts), metadata=metadata)
    return index


@pytest.mark.parametrize("style", ["json", "html"])
@pytest.mark.parametrize("offer", ["marked", "unmarked", "absent", "promised"])
def test_metadata_wherever_it_is(tmp_path: Path, style: str, offer: MetadataOffer) -> None:
    with served(spam(metadata=offer, style=style), tmp_path) as (client, server):
        assert [str(r) for r in metadata(client).requires] == ["ham>=2"]
    beside = [path for path in server.paths() if path.endswith(".metadata")]
    assert bool(beside) == (offer in {"marked", "promised"})


def test_metadata_is_read_once_for_ever(tmp_path: Path) -> None:
    index = spam()
    with served(index, tmp_path) as (client, _):
        first = metadata(client)
    with served(index, tmp_path) as (client, server):
        assert metadata(client) == first
        assert all(path.endswith("/simple/spam/") for path in server.paths())


def test_servers_without_ranges_send_the_whole_wheel(tmp_path: Path) -> None:
    with served(spam(metadata="absent"), tmp_path, ranges=False) as (client, _):
        assert metadata(client).name == "spam"
        assert Store(tmp_path).artifact(Sha256.of(make_wheel("spam", "1.0", requires=["ham >=2"]))) is not None


def test_metadata_beside_a_wheel_is_checked(tmp_path: Path) -> None:
    index = spam()
    altered = frozenset({index.path(SPAM) + ".metadata"})
    with served(index, tmp_path, altered=altered) as (client, _), pytest.raises(DigestMismatchError, match="METADATA"):
        metadata(client)


def test_a_file_that_is_no_wheel(tmp_path: Path) -> None:
    index = Index()
    index.add(SPAM, make_wheel("spam", "1.0"), metadata="absent")
    offer = index.offers[SPAM]
    index.offers[SPAM] = type(offer)(
        **{name: getattr(offer, name) for name in offer.__slots__} | {"data": make_zip([("a", b"")])}
    )
    with served(index, tmp_path) as (client, _), pytest.raises(ArtifactError, match="has 0 METADATA files"):
        metadata(client)


def test_pages_are_asked_for_once_by_many(tmp_path: Path) -> None:
    with served(spam(), tmp_path) as (client, server):

        async def ask() -> None:
            await asyncio.gather(*(client.page(project_name("spam")) for _ in range(9)))

        asyncio.run(ask())
        assert len(server.paths()) == 1


def test_pages_are_kept_by_etag_but_always_asked_about(tmp_path: Path) -> None:
    index = spam()
    with serve(index.site(), faults=Faults(content_types=index.content_types())) as server:
        for expected in (["1.0"], ["1.0"], ["1.0", "2.0"]):
            if expected[-1] == "2.0":
                index.add("spam-2.0-py3-none-any.whl", make_wheel("spam", "2.0"))
                server.content = index.site()
            client = WheelIndex(
                http=Http(environment={}), store=Store(tmp_path), base_url=f"{server.url}{index.prefix}/simple"
            )
            page = asyncio.run(client.page(project_name("spam")))
            assert page is not None
            assert sorted(page.versions) == expected
        asked = [request.headers.get("if-none-match") for request in server.requests]
    assert asked[0] is None
    assert asked[1] == asked[2] is not None


def test_no_such_project_is_no_error(tmp_path: Path) -> None:
    with served(spam(), tmp_path) as (client, _):
        assert asyncio.run(client.page(project_name("nothing"))) is None


def test_an_index_that_fails_is_one(tmp_path: Path) -> None:
    with served(spam(), tmp_path, unavailable=99) as (client, _), pytest.raises(NetworkError):
        asyncio.run(client.page(project_name("spam")))


def test_a_wheel_is_located_by_its_digest(tmp_path: Path) -> None:
    index = spam()
    raw = index.offers[SPAM].data
    with served(index, tmp_path) as (client, server):
        assert client.locate(locked_wheel(raw, "spam")) == f"{server.url}{index.path(SPAM)}"


@pytest.mark.parametrize("project", ["spam", "nothing"])
def test_a_wheel_that_is_gone(tmp_path: Path, project: str) -> None:
    with served(spam(), tmp_path) as (client, _), pytest.raises(GoneError, match="no longer offered") as caught:
        client.locate(locked_wheel(b"other bytes", project))
    assert caught.value.hint == f"`envgen lock --upgrade {project}` picks one that is"


def test_a_wheel_without_a_digest_is_not_read(tmp_path: Path) -> None:
    async def read(client: WheelIndex) -> None:
        page = await client.page(project_name("spam"))
        assert page is not None
        (file,) = page.all_files()
        await client.metadata(_without_digest(file))

    with served(spam(), tmp_path) as (client, _), pytest.raises(ArtifactError, match="no sha256"):
        asyncio.run(read(client))


def _without_digest(file: ProjectFile) -> ProjectFile:
    return type(file)(**{name: getattr(file, name) for name in file.__slots__} | {"sha256": None})


def test_a_folder_is_an_index_too(tmp_path: Path) -> None:
    raw = make_wheel("spam", "1.0", requires=["ham"])
    folder = tmp_path / "simple/spam"
    folder.mkdir(parents=True)
    (folder / SPAM).write_bytes(raw)
    (folder / "index.html").write_text(f'<!DOCTYPE html><a href="{SPAM}#sha256={Sha256.of(raw)}">{SPAM}</a>')
    client = WheelIndex(
        http=Http(environment={}), store=Store(tmp_path / "store"), base_url=(tmp_path / "simple").as_uri()
    )
    assert [str(r) for r in metadata(client).requires] == ["ham"]
