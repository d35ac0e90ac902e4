"""Bundles and payloads: what is signed, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from envgen.digest import Sha256
from envgen.sign.keys import open_signer, read_public_key
from envgen.sign.statements import StatementError, bundle, check_payload, open_bundle, payload
from tests.builders.keys import write_keys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envgen.sign.keys import PublicKey, Signer

DIGEST, OTHER = Sha256.of(b"image"), Sha256.of(b"another image")
NAME = "ghcr.io/me/train"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return open_signer(str(write_keys(tmp_path)[0]), directory=tmp_path, environment={})


@pytest.fixture
def stranger(tmp_path: Path) -> PublicKey:
    return read_public_key(write_keys(tmp_path, "stranger", number=8)[1])


def test_a_bundle_states_what_was_signed(signer: Signer) -> None:
    data = bundle(signer, DIGEST, kind="https://example.org/kind", predicate={"a": 1})
    found = open_bundle(data, signer.public, about=DIGEST)
    assert (found.kind, found.predicate) == ("https://example.org/kind", {"a": 1})
    assert [one.sha256 for one in found.subjects] == [DIGEST]
    assert data == bundle(signer, DIGEST, kind="https://example.org/kind", predicate={"a": 1})


def test_another_key_or_image_is_refused(signer: Signer, stranger: PublicKey) -> None:
    data = bundle(signer, DIGEST, predicate={})
    with pytest.raises(StatementError, match="not signed by this key"):
        open_bundle(data, stranger, about=DIGEST)
    with pytest.raises(StatementError, match="it is about"):
        open_bundle(data, signer.public, about=OTHER)


def changed(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads(data)
    change(document)
    return json.dumps(document).encode()


def flip(document: dict[str, Any]) -> None:
    envelope = document["dsseEnvelope"]
    content = base64.b64decode(envelope["payload"]).replace(str(DIGEST).encode(), str(OTHER).encode())
    envelope["payload"] = base64.b64encode(content).decode()


@pytest.mark.parametrize(
    "change",
    [
        flip,
        lambda d: d["dsseEnvelope"].update(payloadType="text/plain"),
        lambda d: d["dsseEnvelope"].update(signatures=[]),
        lambda d: d["dsseEnvelope"].update(signatures=[{"sig": "AAAA"}]),
        lambda d: d["dsseEnvelope"].update(signatures=[{"sig": "?"}]),
        lambda d: d["dsseEnvelope"].update(payload=None),
        lambda d: d["dsseEnvelope"].pop("signatures"),
        lambda d: d.clear(),
    ],
)
def test_a_changed_bundle_is_refused(signer: Signer, change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(StatementError):
        open_bundle(changed(bundle(signer, DIGEST, predicate={}), change), signer.public, about=DIGEST)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b'"text"', b"[" * 100_000])
def test_what_is_no_bundle_is_refused(signer: Signer, data: bytes) -> None:
    with pytest.raises(StatementError):
        open_bundle(data, signer.public, about=DIGEST)


def signature(signer: Signer, data: bytes) -> str:
    return base64.b64encode(signer.sign(data)).decode()


def test_payloads_are_bound_to_image_and_repository(signer: Signer, stranger: PublicKey) -> None:
    data = payload(NAME, DIGEST)
    signed = signature(signer, data)
    check_payload(data, signed, signer.public, digest=DIGEST, repository=NAME)
    for key, digest, repository in (
        (stranger, DIGEST, NAME),
        (signer.public, OTHER, NAME),
        (signer.public, DIGEST, "ghcr.io/me/other"),
    ):
        with pytest.raises(StatementError):
            check_payload(data, signed, key, digest=digest, repository=repository)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"critical": {"image": 1, "identity": 1, "type": 1}}'])
def test_signed_nonsense_is_refused(signer: Signer, data: bytes) -> None:
    with pytest.raises(StatementError):
        check_payload(data, signature(signer, data), signer.public, digest=DIGEST, repository=NAME)
    with pytest.raises(StatementError):
        check_payload(data, "no base64", signer.public, digest=DIGEST, repository=NAME)
