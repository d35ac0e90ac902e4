"""The archive as a whole, over loopback: real signatures, real indices."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from envgen.errors import DigestMismatchError, NetworkError, SignatureError, UnsatisfiableError
from envgen.sources import debian_suites
from envgen.sources.debian import DebianArchive
from envgen.sources.debian_age import LockedDebs
from envgen.sources.debian_suites import DebianSuites
from envgen.structs import replace
from envgen.system import child
from envgen.system.child import call
from envgen.system.http import Http
from envgen.system.mirrors import Mirrors
from envgen.system.store import Store
from tests.builders.debian import Archive, Deb, Flaws, new_key, public_key
from tests.builders.server import Server, serve
from tests.builders.tree import MOMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import envgen.debs
    from envgen.sources.debian_closure import DebianClosure

KEY = new_key()
ZLIB = Deb(name="zlib1g", version="1:1.2.13-1", fields={"Depends": "libc6 (>= 2.14)"})
OLD = Deb(name="python3.11", version="3.11.2-6+deb12u8", fields={"Depends": "zlib1g"})
NEW = Deb(name="python3.11", version="3.11.2-6+deb12u9", fields={"Depends": "zlib1g"})


class World:
    """A main and a security archive behind one server, and a machine that uses them."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.store = Store(folder / "store")
        self.home = folder
        self.main = Archive(key=KEY)
        self.main.add(ZLIB, OLD)
        self.security = Archive(
            key=KEY, prefix="/security", suite="bookworm-security", pool="pool/updates", architectures=("amd64",)
        )
        self.security.add(NEW)
        self.publish()

    def publish(self) -> None:
        self.server.content = self.main.site() | self.security.site()

    def open(
        self, *, now: dt.datetime = MOMENT, suites: tuple[str, ...] = ("bookworm", "bookworm-security")
    ) -> DebianArchive:
        return DebianArchive(self.source(now=now), suites)

    def source(self, *, now: dt.datetime = MOMENT) -> DebianSuites:
        environment = {
            "ENVGEN_DEBIAN": f"{self.server.url}/debian",
            "ENVGEN_DEBIAN_SECURITY": f"{self.server.url}/security",
        }
        return DebianSuites(
            http=Http(environment={}, sleep=lambda _: None),
            store=self.store,
            mirrors=Mirrors(environment=environment, home=self.home, root=self.home),
            keys=lambda: [public_key(KEY)],
            now=now,
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serve({}) as server:
        yield World(server, tmp_path)


def close(archive: DebianArchive, keep: tuple[envgen.debs.Deb, ...] = ()) -> DebianClosure:
    return archive.closure(["python3.11"], architecture="amd64", exclude={"libc6"}, keep=keep)


def versions(archive: DebianArchive) -> dict[str, str]:
    return {deb.name: deb.version for deb in close(archive).debs}


def test_security_update_wins(world: World) -> None:
    assert versions(world.open()) == {"python3.11": NEW.version, "zlib1g": ZLIB.version}


def test_package_is_located_in_its_own_archive(world: World) -> None:
    archive = world.open()
    debs = close(archive).debs
    assert [archive.locate(deb).removeprefix(world.server.url) for deb in debs] == [
        f"/security/{world.security.path(NEW)}",
        f"/debian/{world.main.path(ZLIB)}",
    ]


def test_locked_package_is_kept_while_it_is_offered(world: World) -> None:
    old = close(world.open(suites=("bookworm",))).debs
    found = close(world.open(), old)
    assert found.debs == old
    assert found.replaced == ()


def locked(world: World) -> LockedDebs:
    """Lock what the archive offers, then have a mirror replay what it offered the day before."""
    world.main.remove("zlib1g")
    world.main.add(replace(ZLIB, version="1:1.2.13-2"))
    world.main.date = MOMENT + dt.timedelta(days=1)
    world.publish()
    found = close(world.open())
    world.main.date = MOMENT
    world.publish()
    return LockedDebs(debs=found.debs, dates={**found.dates, "bookworm": MOMENT + dt.timedelta(days=1)})


def test_packages_are_kept_where_a_release_is_older_than_the_locks(world: World) -> None:
    before = locked(world)
    world.main.add(replace(ZLIB, version="1:1.2.13-3"))
    world.publish()
    found = world.open().closure(["python3.11"], architecture="amd64", exclude={"libc6"}, locked=before)
    assert found.debs == before.debs
    assert "the mirror is behind" in found.remarks[-1]


def test_an_older_release_does_not_lower_a_package(world: World) -> None:
    before = locked(world)
    world.main.remove("zlib1g")
    world.main.add(ZLIB)
    world.publish()
    with pytest.raises(SignatureError, match=r"`zlib1g` from 1:1\.2\.13-2 to 1:1\.2\.13-1"):
        world.open().closure(["python3.11"], architecture="amd64", exclude={"libc6"}, locked=before)


def test_dates_from_the_future_are_not_recorded(world: World) -> None:
    world.main.date = MOMENT + dt.timedelta(days=2000)
    world.publish()
    found = close(world.open())
    assert found.dates == {"bookworm": MOMENT, "bookworm-security": MOMENT}
    assert any("clock" in remark for remark in found.remarks)


def test_vanished_package_is_replaced_and_said(world: World) -> None:
    old = close(world.open(suites=("bookworm",))).debs
    world.main.remove("python3.11")
    world.publish()
    archive = world.open()
    found = close(archive, old)
    assert [(r.old.version, r.new.version) for r in found.replaced] == [(OLD.version, NEW.version)]
    assert archive.find(old[0], architecture="amd64") is None


def test_same_bytes_are_found_where_they_have_moved_to(world: World) -> None:
    old = close(world.open()).debs[0]
    world.security.remove("python3.11")
    world.main.add(NEW)
    world.publish()
    archive = world.open()
    moved = archive.find(old, architecture="amd64")
    assert moved is not None
    assert (moved.sha256, moved.path) == (old.sha256, world.main.path(NEW))
    kept = close(archive, (old,))
    assert kept.replaced == ()


def test_index_is_fetched_once(world: World) -> None:
    versions(world.open())
    before = len(world.server.requests)
    assert versions(world.open()) == {"python3.11": NEW.version, "zlib1g": ZLIB.version}
    assert all("InRelease" in path for path in world.server.paths()[before:])


def test_large_index_is_condensed_in_a_child(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []

    def noted(function: Callable[..., object], *arguments: object) -> object:
        called.append(function)
        return call(function, *arguments)

    monkeypatch.setattr(debian_suites, "_WORTH_A_CHILD", 0)
    monkeypatch.setattr(child, "has_room", lambda: True)
    monkeypatch.setattr(child, "call", noted)
    assert versions(world.open()) == {"python3.11": NEW.version, "zlib1g": ZLIB.version}
    assert set(called) == {debian_suites.condensed_file}


def test_archives_of_one_source_share_releases_and_indices(world: World) -> None:
    source, suites = world.source(), ("bookworm", "bookworm-security")
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(versions, [DebianArchive(source, suites), DebianArchive(source, suites[:1])]))
    assert [one["python3.11"] for one in found] == [NEW.version, OLD.version]
    assert max(Counter(world.server.paths()).values()) == 1


def test_a_suite_that_cannot_be_read_fails_everybody_who_asks(world: World) -> None:
    source = world.source(now=MOMENT)
    world.server.content = {}
    for _ in range(2):
        with pytest.raises(NetworkError, match="InRelease"):
            versions(DebianArchive(source, ("bookworm",)))


@pytest.mark.parametrize("by_hash", [True, False])
def test_index_comes_by_digest_or_by_name(world: World, *, by_hash: bool) -> None:
    world.main.by_hash = world.security.by_hash = by_hash
    world.publish()
    versions(world.open())
    assert any("by-hash" in path for path in world.server.paths()) is by_hash


@pytest.mark.parametrize("packed", [("xz", "gz"), ("xz",)])
def test_an_index_comes_as_gzip_where_it_is_listed(world: World, packed: tuple[str, ...]) -> None:
    for archive in (world.main, world.security):
        archive.packed, archive.by_hash = packed, False
    world.publish()
    assert versions(world.open()) == {"python3.11": NEW.version, "zlib1g": ZLIB.version}
    assert {path.rpartition(".")[2] for path in world.server.paths() if "Packages" in path} == {packed[-1]}


def test_mirror_that_copies_no_by_hash_folders(world: World) -> None:
    site = world.main.site() | world.security.site()
    world.server.content = {path: data for path, data in site.items() if "by-hash" not in path}
    versions(world.open())


def test_mirror_without_the_index(world: World) -> None:
    site = world.main.site() | world.security.site()
    world.server.content = {path: data for path, data in site.items() if "binary-" not in path}
    with pytest.raises(NetworkError, match=r"Packages\.gz does not exist"):
        versions(world.open())


def test_tampered_index_is_refused(world: World) -> None:
    world.main.flaws = Flaws(tampered=True)
    world.publish()
    with pytest.raises(DigestMismatchError):
        versions(world.open())


def test_expired_release_is_refused(world: World) -> None:
    world.security.valid_until = MOMENT + dt.timedelta(days=7)
    world.publish()
    versions(world.open())
    with pytest.raises(SignatureError, match="bookworm-security"):
        versions(world.open(now=MOMENT + dt.timedelta(days=8)))


def test_unknown_suite_is_named(world: World) -> None:
    with pytest.raises(NetworkError, match="dists/trixie/InRelease") as caught:
        versions(world.open(suites=("trixie",)))
    assert "suite trixie" in (caught.value.hint or "")


def test_suite_without_the_architecture(world: World) -> None:
    with pytest.raises(UnsatisfiableError, match="main/binary-arm64/Packages"):
        world.open().closure(["python3.11"], architecture="arm64")
