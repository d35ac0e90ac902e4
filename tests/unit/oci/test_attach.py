"""Attachments in registries: those that list what refers to an image, those that do not, and old programs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from envgen.digest import Sha256
from envgen.oci.attach import attach, is_listed_by
from envgen.oci.layout import index_of, write_layout
from envgen.oci.push import ChangedError, Reference, copy, fetch_manifest, push
from envgen.oci.referrer import sbom, tag_of
from envgen.system.http import Http
from envgen.system.retry import RetryPolicy
from tests.builders.images import make_image
from tests.builders.registry import PROGRAM, SKOPEO, line, registry
from tests.builders.server import Faults, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.oci.layout import Layout
    from envgen.system.store import Store

needs_registry = pytest.mark.skipif(
    not (PROGRAM and SKOPEO), reason="docker-registry and skopeo (Debian packages) are not installed"
)


SUBJECT = Sha256("0" * 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A registry, and somebody who pushes to it; `said` is what they were told."""

    reference: Reference
    environment: dict[str, str]
    folder: Path
    said: list[str] = field(default_factory=list)

    @property
    def retry(self) -> RetryPolicy:
        return RetryPolicy(sleep=lambda _seconds: None, jitter=lambda: 0.0, note=self.said.append)

    def send(self, layout: Layout, to: Reference | None = None) -> None:
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        where, retry = to or self.reference, self.retry
        push(layout, where, environment=self.environment, retry=retry)
        http = Http(environment=self.environment)
        attach(layout.attachments, where, http=http, scratch=scratch, environment=self.environment, retry=retry)

    def fetch_manifest(self, which: str) -> dict[str, Any] | None:
        return fetch_manifest(self.reference, which, self.environment)

    def listed(self, layout: Layout) -> list[str]:
        """List what the tag beside an image has."""
        found = self.fetch_manifest(f":{tag_of(layout.digest)}")
        return [entry["digest"] for entry in found["manifests"]] if found else []


def variables(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with registry(tmp_path / "registry") as address:
        reference = Reference.parse(f"{address}/team/demo:1")
        yield World(reference=reference, environment=variables(tmp_path), folder=tmp_path)


def make(store: Store, directory: Path, text: str = "{}") -> Layout:
    image = make_image(store)
    attachment = sbom(image, text, name="demo.linux-64.sbom")
    return write_layout([image], directory, name="demo", blob=store.need_blob, attachments=[attachment])


@needs_registry
def test_without_the_list_of_a_registry_a_tag_has_it(store: Store, tmp_path: Path, world: World) -> None:
    first = make(store, tmp_path / "first", "{}")
    world.send(first)
    (one,) = first.attachments
    assert world.listed(first) == [one.entry["digest"]]
    manifest = world.fetch_manifest(f"@{one.entry['digest']}")
    assert manifest
    assert manifest["subject"]["digest"] == f"sha256:{first.digest}"
    second = make(store, tmp_path / "second", '{"other": 1}')
    for _again in range(2):
        world.send(second)
        assert world.listed(first) == [one.entry["digest"], second.attachments[0].entry["digest"]]


@needs_registry
def test_a_registry_that_lists_by_itself_gets_no_tag(store: Store, tmp_path: Path, world: World) -> None:
    layout = make(store, tmp_path / "out")
    with line(world.reference.registry) as wire:
        wire.referrers = index_of([])
        world.send(layout, Reference.parse(f"{wire.address}/team/demo:1"))
    assert world.fetch_manifest(f"@{layout.attachments[0].entry['digest']}")
    assert world.listed(layout) == []


@needs_registry
def test_with_a_program_that_knows_no_types_nothing_of_others_is_lost(
    store: Store, tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others pushed has a type, which this program would take away."""
    layout = make(store, tmp_path / "out")
    theirs = {"digest": "sha256:" + "1" * 64, "mediaType": "m", "size": 1, "artifactType": "theirs"}

    def old(source: str, where: Reference, **options: Any) -> None:
        if source == "dir:.":
            raise ChangedError("too old")
        copy(source, where, **options)

    monkeypatch.setattr("envgen.oci.attach.fetch_manifest", lambda *_args: {"manifests": [theirs]})
    monkeypatch.setattr("envgen.oci.attach.copy", old)
    world.send(layout)
    assert [text for text in world.said if "not added to" in text]
    assert world.listed(layout) == []


@pytest.mark.parametrize(
    ("body", "faults", "expected"),
    [
        (index_of([]), Faults(), True),
        (b"<html>", Faults(), False),
        (b"[]", Faults(), False),
        (index_of([]), Faults(authorization="Bearer x"), False),
        (None, Faults(), False),
    ],
    ids=["a list", "a page", "something else", "a login", "nothing"],
)
def test_who_lists(body: bytes | None, faults: Faults, *, expected: bool, tmp_path: Path) -> None:
    content = {f"/v2/demo/referrers/sha256:{SUBJECT}": body} if body else {}
    with serve(content, faults=faults) as server:
        reference = Reference.parse(f"{server.url.removeprefix('http://')}/demo")
        assert is_listed_by(reference, SUBJECT, http=Http(environment=variables(tmp_path))) is expected
