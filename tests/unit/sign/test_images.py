"""Signing images in a registry: both forms, several keys, several platforms, and what is not let through."""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from envgen.digest import Sha256
from envgen.errors import SignatureError, UserError
from envgen.events import NullReporter
from envgen.image.entries import file
from envgen.oci.layout import write_layout
from envgen.oci.push import Reference, fetch_manifest, push
from envgen.oci.referrer import tag_of
from envgen.platforms import Platform
from envgen.sign.artifacts import tag_of_signatures
from envgen.sign.images import Attestation, Registry, sign_image, verify_image
from envgen.sign.keys import open_signer, read_public_key
from envgen.sign.statements import BUNDLE, PROVENANCE
from envgen.structs import replace
from envgen.system.http import Http
from envgen.system.retry import RetryPolicy
from envgen.system.store import Store
from tests.builders.images import make_image
from tests.builders.keys import write_keys
from tests.builders.registry import PROGRAM, SKOPEO, registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.oci.layout import Layout
    from envgen.sign.keys import PublicKey, Signer

pytestmark = pytest.mark.skipif(
    not (PROGRAM and SKOPEO), reason="docker-registry and skopeo (Debian packages) are not installed"
)


class World:
    """A registry with an image, and keys."""

    def __init__(self, address: str, folder: Path, store: Store) -> None:
        self.folder, self.store = folder, store
        self.reference = Reference.parse(f"{address}/team/demo:1")
        self.environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"}
        self.said: list[str] = []
        numbers = itertools.count()

        @contextmanager
        def scratch() -> Iterator[Path]:
            path = folder / f"scratch-{next(numbers)}"
            path.mkdir()
            yield path

        self.registry = Registry(
            http=Http(environment=self.environment),
            environment=self.environment,
            retry=RetryPolicy(sleep=lambda _: None, jitter=lambda: 0.0, note=self.said.append),
            scratch=scratch,
        )

    def key(self, number: int = 7) -> tuple[Signer, PublicKey]:
        private, public = write_keys(self.folder, f"key-{number}", number=number)
        signer = open_signer(str(private), directory=self.folder, environment={})
        return signer, read_public_key(public)

    def push(self, reference: Reference, *platforms: Platform, text: str = "a") -> Layout:
        images = [
            make_image(self.store, layers=((file("name", text),),), platform=one)
            for one in platforms or (Platform.LINUX_64,)
        ]
        layout = write_layout(
            images, self.folder / f"layout-{reference.tag}-{text}", name="demo", blob=self.store.need_blob
        )
        push(layout, reference, environment=self.environment, retry=self.registry.retry)
        return layout

    def manifest(self, which: str) -> dict[str, Any]:
        found = fetch_manifest(self.reference, which, self.environment)
        assert found is not None
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(tmp_path / "store", reporter=NullReporter())
    with registry(tmp_path / "registry") as address:
        yield World(address, tmp_path, store)


def test_what_was_signed_is_verified_in_both_forms(world: World) -> None:
    layout = world.push(world.reference)
    signer, public = world.key()
    stated = Attestation(digest=layout.digest, kind=PROVENANCE, predicate={"a": 1})
    signed = sign_image(world.registry, world.reference, signer, [stated], expected=layout.digest)
    found = verify_image(world.registry, world.reference, public)
    assert found == signed
    assert found.forms == ("bundle", "tag")
    assert found.statements == {layout.digest: (PROVENANCE,)}


def test_the_index_of_the_fallback_tag_has_type_and_annotations_or_skopeo_is_too_old(world: World) -> None:
    layout = world.push(world.reference)
    sign_image(world.registry, world.reference, world.key()[0])
    (entry,) = world.manifest(f":{tag_of(layout.digest)}")["manifests"]
    if "artifactType" not in entry:
        assert any("skopeo" in text for text in world.said)
    else:
        assert entry["artifactType"] == BUNDLE
        assert entry["annotations"]["dev.sigstore.bundle.content"] == "dsse-envelope"


def test_signing_again_changes_nothing(world: World) -> None:
    layout = world.push(world.reference)
    signer, _ = world.key()
    sign_image(world.registry, world.reference, signer)
    tags = [f":{tag_of_signatures(layout.digest)}", f":{tag_of(layout.digest)}"]
    before = [world.manifest(tag) for tag in tags]
    sign_image(world.registry, world.reference, signer)
    assert [world.manifest(tag) for tag in tags] == before


def test_two_keys_sign_beside_each_other(world: World) -> None:
    world.push(world.reference)
    for number in (7, 8):
        sign_image(world.registry, world.reference, world.key(number)[0])
    for number in (7, 8):
        assert verify_image(world.registry, world.reference, world.key(number)[1]).forms == ("bundle", "tag")
    with pytest.raises(SignatureError, match="not signed by this key"):
        verify_image(world.registry, world.reference, world.key(9)[1])


def test_each_platform_of_an_index_is_signed(world: World) -> None:
    layout = world.push(world.reference, Platform.LINUX_64, Platform.LINUX_AARCH64)
    signer, public = world.key()
    signed = sign_image(world.registry, world.reference, signer)
    assert set(signed.manifests) == {layout.digest, *layout.manifests.values()}
    assert set(signed.platforms) == set(layout.manifests.values())
    assert verify_image(world.registry, world.reference, public).manifests == signed.manifests


def test_an_image_without_a_signature_is_refused(world: World) -> None:
    world.push(world.reference)
    with pytest.raises(SignatureError, match="nothing is signed"):
        verify_image(world.registry, world.reference, world.key()[1])


def test_another_image_under_the_tag_is_refused(world: World) -> None:
    world.push(world.reference)
    signer, public = world.key()
    sign_image(world.registry, world.reference, signer)
    other = world.push(world.reference, text="b")
    with pytest.raises(SignatureError):
        verify_image(world.registry, world.reference, public)
    # a signature of the first image, replayed under the tags of the second
    first = world.push(replace(world.reference, tag="2"))
    for tag in (tag_of_signatures, tag_of):
        _copy(world, tag(first.digest), tag(other.digest))
    with pytest.raises(SignatureError, match=r"it (signs|is about) "):
        verify_image(world.registry, world.reference, public)


def _copy(world: World, source: str, target: str) -> None:
    from envgen.system.process import run

    base = f"docker://{world.reference.repository}"
    tls = ("--src-tls-verify=false", "--dest-tls-verify=false")
    command = ("skopeo", "--insecure-policy", "copy", "-q", "--multi-arch=index-only", *tls)
    run((*command, f"{base}:{source}", f"{base}:{target}"), env=world.environment)


def test_an_image_that_somebody_replaced_is_not_signed(world: World) -> None:
    world.push(world.reference)
    with pytest.raises(UserError, match="nothing was signed"):
        sign_image(world.registry, world.reference, world.key()[0], expected=Sha256.of(b"pushed a moment ago"))


def test_a_missing_image_is_told(world: World) -> None:
    with pytest.raises(UserError, match="there is no image"):
        sign_image(world.registry, world.reference, world.key()[0])
