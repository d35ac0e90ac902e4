"""What is signed, byte by byte: cosign's payload, in-toto statements in DSSE envelopes, and sigstore's bundles.

Sources: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md (the payload),
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, https://github.com/secure-systems-lab/dsse,
https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md (v0.3).
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.oci.layout import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.sign.keys import PublicKey, Signer

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
CYCLONEDX = "https://cyclonedx.org/bom"

_IN_TOTO = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_KIND = "cosign container image signature"


_FOREIGN = "it was not signed by this key, or was changed"


class StatementError(ValueError):
    """A signature or bundle that is malformed, made by another key, or about something else."""


class StatementSubject(Struct, frozen=True, kw_only=True):
    """What a statement is about: a sha256, and the name of a file; images have no name there."""

    sha256: str
    name: str = ""


class Statement(Struct, frozen=True, kw_only=True):
    """A verified statement: `kind` is its predicate type."""

    kind: str
    subjects: tuple[StatementSubject, ...]
    predicate: Mapping[str, Any]


def payload(repository: str, digest: Sha256) -> bytes:
    """Return what the older form signs: that an image is known by a repository's name.

    Args:
        repository: `registry/name`, which podman compares with the name that it pulls.
        digest: of the image's manifest or index.
    """
    return canonical(
        {
            "critical": {
                "identity": {"docker-reference": repository},
                "image": {"docker-manifest-digest": f"sha256:{digest}"},
                "type": _KIND,
            },
            "optional": None,
        }
    )


def check_payload(data: bytes, signature: str, key: PublicKey, *, digest: Sha256, repository: str) -> None:
    """Verify a signature of the older form, and compare its payload with the image that it was found at.

    Args:
        data: the payload.
        signature: over it, base64.
        key: that must have made it.
        digest: of the image.
        repository: of the image, `registry/name`.

    Raises:
        StatementError: it was made by another key, or is about another image or repository: it was copied from there.
    """
    try:
        is_signed = key.verifies(data, base64.b64decode(signature, validate=True))
    except binascii.Error as error:
        raise StatementError("its signature is not base64") from error
    if not is_signed:
        raise StatementError(_FOREIGN)
    try:
        critical = read_json(data)["critical"]
        found = critical["image"]["docker-manifest-digest"], critical["identity"]["docker-reference"]
        kind = critical["type"]
    except (ValueError, KeyError, TypeError) as error:
        raise StatementError("its payload is malformed") from error
    if kind != _KIND or found[0] != f"sha256:{digest}":
        raise StatementError(f"it signs {found[0]}, expected sha256:{digest}")
    if found[1] != repository:
        raise StatementError(f"it signs an image of `{found[1]}`, expected `{repository}`")


def bundle(signer: Signer, digest: Sha256, *, kind: str = SIGNATURE, predicate: Mapping[str, Any]) -> bytes:
    """Sign a statement about an image, and return it as a bundle v0.3.

    Args:
        signer: makes the one signature of the envelope.
        digest: of the image's manifest or index.
        kind: predicate type.
        predicate: what is stated, as JSON.
    """
    return signed_statement(signer, [StatementSubject(sha256=digest)], kind=kind, predicate=predicate)


def signed_statement(
    signer: Signer, subjects: Sequence[StatementSubject], *, kind: str, predicate: Mapping[str, Any] | None
) -> bytes:
    """Sign a statement, and return it as a bundle v0.3.

    Args:
        signer: makes the one signature of the envelope.
        subjects: what it is about.
        kind: predicate type.
        predicate: what is stated, as JSON; None leaves it out.
    """
    statement = canonical(
        {
            "_type": _STATEMENT,
            "subject": [_subject(one) for one in subjects],
            "predicateType": kind,
            **({} if predicate is None else {"predicate": predicate}),
        }
    )
    signature = signer.sign(_pre_authentication(_IN_TOTO, statement))
    return canonical(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": hint(signer.public)}},
            "dsseEnvelope": {
                "payload": _text(statement),
                "payloadType": _IN_TOTO,
                "signatures": [{"sig": _text(signature)}],
            },
        }
    )


def open_bundle(data: bytes, key: PublicKey, *, about: Sha256) -> Statement:
    """Verify a bundle and return what it states about the image with a digest.

    Raises:
        StatementError: it is malformed, no signature of it is by the key, or it is about something else.
    """
    found = verified_statement(data, key)
    digests = [subject.sha256 for subject in found.subjects]
    if about not in digests:
        raise StatementError(f"it is about sha256:{', '.join(digests)}")
    return found


def verified_statement(data: bytes, key: PublicKey) -> Statement:
    """Verify the signature of a bundle and return what it states; about what is for the caller to compare.

    Raises:
        StatementError: it is malformed, or no signature of it is by the key.
    """
    try:
        envelope = read_json(data)["dsseEnvelope"]
        kind, content = envelope["payloadType"], base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(entry["sig"], validate=True) for entry in envelope["signatures"]]
        signed = _pre_authentication(str(kind), content)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise StatementError("it is not a bundle with a DSSE envelope") from error
    if not any(key.verifies(signed, signature) for signature in signatures):
        raise StatementError(_FOREIGN)
    return _statement(kind, content)


def hint(key: PublicKey) -> str:
    """Return the name by which bundles call a key: the sha256 of its SubjectPublicKeyInfo, base64."""
    return _text(Sha256.of(key.der).raw)


def _statement(kind: str, content: bytes) -> Statement:
    try:
        document = read_json(content)
        found = Statement(
            kind=document["predicateType"],
            subjects=tuple(map(_read_subject, document["subject"])),
            predicate=document.get("predicate") or {},
        )
        is_statement = kind == _IN_TOTO and document["_type"] == _STATEMENT and isinstance(found.predicate, dict)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StatementError("it does not hold an in-toto statement") from error
    if not is_statement:
        raise StatementError(f"it contains a `{kind}`, expected an in-toto statement v1")
    return found


def _subject(subject: StatementSubject) -> Mapping[str, Any]:
    digest = {"digest": {"sha256": str(subject.sha256)}}
    return {"name": subject.name, **digest} if subject.name else digest


def _read_subject(entry: Mapping[str, Any]) -> StatementSubject:
    return StatementSubject(sha256=str(entry["digest"].get("sha256", "")), name=str(entry.get("name", "")))


def _pre_authentication(kind: str, content: bytes) -> bytes:
    """Return what a DSSE signature is made over (PAE): type and content with their lengths."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(content), content)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
