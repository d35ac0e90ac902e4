from __future__ import annotations

import asyncio
import json
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from envgen.digest import Sha256
from envgen.errors import ArtifactError, GoneError, NetworkError
from envgen.names import project_name
from envgen.sources.pypi import WheelIndex
from envgen.sources.pypi_page import parse_page
from envgen.structs import replace
from envgen.system.http import Http
from envgen.system.store import Store
from tests.builders.index import Index, MetadataOffer, read_metadata
from tests.builders.server import Faults, Server, serve
from tests.builders.wheels import locked_wheel, make_wheel, make_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from envgen.metadata import WheelMetadata
    from envgen.sources.pypi_page import ProjectFile, ProjectPage

SPAM = "spam-1.0-py3-none-any.whl"


@contextmanager
def served(
    index: Index, folder: Path, *, warn: Callable[[str], None] = print, **faults: Any
) -> Iterator[tuple[WheelIndex, Server]]:
    with serve(index.site(), faults=Faults(content_types=index.content_types(), **faults)) as server:
        http = Http(environment={}, sleep=lambda _: None)
        base = f"{server.url}{index.prefix}/simple/"
        client = WheelIndex(http=http, store=Store(folder), base_url=base, warn=warn)
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


def beside(index: Index) -> str:
    return index.path(SPAM) + ".metadata"


def without_promise(index: Index) -> Index:
    """Change an index to announce METADATA without a digest, as PEP 658 allows."""
    page = index.site()["/pypi/simple/spam/"].decode()
    bare = re.sub(r'"core-metadata": \{[^}]*\}', '"core-metadata": true', page)
    assert bare != page

    class Bare(Index):
        def site(self) -> dict[str, bytes]:
            return Index.site(self) | {"/pypi/simple/spam/": bare.encode()}

    return Bare(offers=index.offers)


@pytest.mark.parametrize("status", [400, 401, 403, 405, 429, 500, 502, 503])
@pytest.mark.parametrize("promises", [True, False])
def test_a_server_that_refuses_metadata_is_asked_for_the_wheel(tmp_path: Path, status: int, promises: bool) -> None:
    index = spam() if promises else without_promise(spam())
    told: list[str] = []
    with served(index, tmp_path, warn=told.append, statuses={beside(index): status}) as (client, server):
        assert [str(r) for r in metadata(client).requires] == ["ham>=2"]
        assert server.paths().count(beside(index)) == 1, "what can be done without is not asked for again"
    assert [f"returned status {status}; reading metadata from the wheels" in text for text in told] == [True]


@pytest.mark.parametrize("promises", [True, False])
def test_a_page_for_people_is_not_metadata(tmp_path: Path, promises: bool) -> None:
    index = spam() if promises else without_promise(spam())
    told: list[str] = []
    with served(index, tmp_path, warn=told.append, pages=frozenset({beside(index)})) as (client, _):
        assert [str(r) for r in metadata(client).requires] == ["ham>=2"]
    assert [beside(index) in text for text in told] == [True]
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"as the status says" in data for data in kept)


def test_metadata_of_another_project_beside_a_wheel_is_not_taken(tmp_path: Path) -> None:
    index = without_promise(spam())
    site = index.site() | {beside(index): b"Metadata-Version: 2.1\nName: eggs\nVersion: 1.0\n"}
    told: list[str] = []
    with serve(site, faults=Faults(content_types=index.content_types())) as server:
        base = f"{server.url}/pypi/simple/"
        client = WheelIndex(http=Http(environment={}), store=Store(tmp_path), base_url=base, warn=told.append)
        assert metadata(client).name == "spam"
        client.close()
    assert ["has `eggs` 1.0" in text for text in told] == [True]


def test_metadata_with_another_digest_than_promised_is_not_taken(tmp_path: Path) -> None:
    index = spam()
    told: list[str] = []
    with served(index, tmp_path, warn=told.append, altered=frozenset({beside(index)})) as (client, _):
        assert [str(r) for r in metadata(client).requires] == ["ham>=2"]
    assert [", expected " in text for text in told] == [True]


@pytest.mark.parametrize("metadata_of_liar", ["absent", "marked"])
def test_a_lie_that_no_digest_proves_ends_with_the_liar(tmp_path: Path, metadata_of_liar: MetadataOffer) -> None:
    """Say something else of the same wheel, at first: beside it, or where its ranges are read."""
    index = spam(metadata=metadata_of_liar)
    liar = without_promise(index) if metadata_of_liar == "marked" else index
    wrong = make_wheel("spam", "1.0", requires=["wrong"])
    lie = {index.path(SPAM): wrong, beside(index): read_metadata(SPAM, wrong)}
    with serve(liar.site() | lie, faults=Faults(content_types=index.content_types())) as server:
        url = f"{server.url}/pypi/simple/"
        client = WheelIndex(http=Http(environment={}), store=Store(tmp_path), base_url=url)
        page = asyncio.run(client.page(project_name("spam")))
        assert page is not None
        (file,) = page.all_files()
        unsized = type(file)(**{name: getattr(file, name) for name in file.__struct_fields__} | {"size": len(wrong)})
        assert [str(r) for r in asyncio.run(client.metadata(unsized)).requires] == ["wrong"]
        client.close()
    with served(index, tmp_path) as (client, _):
        assert [str(r) for r in metadata(client).requires] == ["ham>=2"]


def test_what_an_older_release_kept_without_proof_is_not_believed(tmp_path: Path) -> None:
    index = spam(metadata="absent")
    sha = Sha256.of(index.offers[SPAM].data)
    for kind in ("wheel-metadata", "metadata-of-wheel", "metadata"):
        Store(tmp_path).put(kind, sha, b"<html>Please sign in</html>")
    with served(index, tmp_path) as (client, _):
        assert [str(r) for r in metadata(client).requires] == ["ham>=2"]
    assert Store(tmp_path).cached("metadata-of-wheel", sha) is None, "what is not METADATA of that wheel is dropped"


def test_a_downloaded_wheel_is_read_without_the_network(tmp_path: Path) -> None:
    index = spam(metadata="absent")
    data = index.offers[SPAM].data
    with Store(tmp_path).new_artifact(Sha256.of(data)) as out:
        out.write(data)
    with served(index, tmp_path) as (client, server):
        assert metadata(client).name == "spam"
        assert server.paths() == ["/pypi/simple/spam/"]


def test_a_file_that_is_no_wheel(tmp_path: Path) -> None:
    index = Index()
    index.add(SPAM, make_wheel("spam", "1.0"), metadata="absent")
    offer = index.offers[SPAM]
    index.offers[SPAM] = type(offer)(
        **{name: getattr(offer, name) for name in offer.__struct_fields__} | {"data": make_zip([("a", b"")])}
    )
    with served(index, tmp_path) as (client, _), pytest.raises(ArtifactError, match="has 0 METADATA files"):
        metadata(client)


def test_pages_are_asked_for_once_by_many(tmp_path: Path) -> None:
    with served(spam(), tmp_path) as (client, server):

        async def ask() -> None:
            await asyncio.gather(*(client.page(project_name("spam")) for _ in range(9)))

        asyncio.run(ask())
        assert len(server.paths()) == 1


@pytest.mark.parametrize(("bound", "packed"), [(0, True), (1 << 20, False)])
def test_documents_beyond_a_bound_are_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: int, packed: bool
) -> None:
    seen: list[bool] = []

    def parse(body: bytes, **facts: Any) -> ProjectPage:
        seen.append(facts["pack"])
        return parse_page(body, **facts)

    monkeypatch.setattr("envgen.sources.pypi._PLAIN", bound)
    monkeypatch.setattr("envgen.sources.pypi.parse_page", parse)
    with served(spam(), tmp_path) as (client, _):
        assert str(metadata(client).version) == "1.0"
    assert seen == [packed]


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


@pytest.mark.parametrize(
    "wrong", [b"<html>please log in</html>", b"", b"{}", b'{"meta": {"api-version": "1.1"}, "files"']
)
@pytest.mark.parametrize("etag", [None, '"of-whatever"'])
def test_a_wrong_answer_is_not_kept(tmp_path: Path, wrong: bytes, etag: str | None) -> None:
    index = spam()
    page = f"{index.prefix}/simple/spam/"
    html = {page: "text/html" if wrong.startswith(b"<") else index.content_types()[page]}
    with served(index, tmp_path, etag=etag) as (client, server):
        right = server.content
        assert isinstance(right, dict)
        server.content = {**right, page: wrong}
        kinds = server.faults.content_types
        server.faults = replace(server.faults, content_types={**kinds, **html})
        with suppress(NetworkError):
            found = asyncio.run(client.page(project_name("spam")))
            assert found is not None
            assert not found.versions
        server.content, server.faults = right, replace(server.faults, content_types=kinds)
        later = WheelIndex(
            http=Http(environment={}), store=Store(tmp_path), base_url=f"{server.url}{index.prefix}/simple"
        )
        found = asyncio.run(later.page(project_name("spam")))
        assert found is not None
        assert list(found.versions) == ["1.0"]


def test_a_kept_page_that_cannot_be_read_is_fetched_again(tmp_path: Path) -> None:
    index = spam()
    with served(index, tmp_path, etag='"one"') as (client, server):
        url = f"{server.url}{index.prefix}/simple/spam/"
        kept = json.dumps(['"one"', "application/vnd.pypi.simple.v1+json", url]).encode() + b"\n[]"
        Store(tmp_path).put("index-pages", Sha256.of(url.encode()), kept)
        found = asyncio.run(client.page(project_name("spam")))
        assert found is not None
        assert list(found.versions) == ["1.0"]


def test_a_page_that_was_never_here_is_not_unchanged(tmp_path: Path) -> None:
    index = spam()
    with (
        served(index, tmp_path, unchanged=frozenset({f"{index.prefix}/simple/spam/"})) as (client, _),
        pytest.raises(NetworkError, match="returned 304"),
    ):
        asyncio.run(client.page(project_name("spam")))


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
    assert caught.value.hint == "run `envgen lock --refresh` to lock one that is offered"


def test_a_wheel_without_a_digest_is_not_read(tmp_path: Path) -> None:
    async def read(client: WheelIndex) -> None:
        page = await client.page(project_name("spam"))
        assert page is not None
        (file,) = page.all_files()
        await client.metadata(_without_digest(file))

    with served(spam(), tmp_path) as (client, _), pytest.raises(ArtifactError, match="no sha256"):
        asyncio.run(read(client))


def _without_digest(file: ProjectFile) -> ProjectFile:
    return type(file)(**{name: getattr(file, name) for name in file.__struct_fields__} | {"sha256": None})


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


def test_one_page_that_is_not_there_is_not_an_empty_index(tmp_path: Path) -> None:
    base = (tmp_path / "nowhere.html").as_uri()
    client = WheelIndex(http=Http(environment={}), store=Store(tmp_path / "store"), base_url=base)
    with pytest.raises(NetworkError, match=r"file:///.*/nowhere\.html does not exist"):
        asyncio.run(client.page(project_name("spam")))
