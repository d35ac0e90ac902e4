"""Signing an image in a registry, and verifying what is signed there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.errors import SignatureError, UserError
from envgen.oci.attach import attach, referrers
from envgen.oci.layout import INDEX, MANIFEST, Attachment, write_attachments
from envgen.oci.push import copy, fetch_manifest, fetch_raw_manifest, parse_manifest, pull
from envgen.oci.referrer import digest_of
from envgen.sign.artifacts import (
    SIGNED,
    SIMPLE,
    merged_layers,
    referrer,
    signature_image,
    signed_layer,
    tag_of_signatures,
)
from envgen.sign.statements import (
    BUNDLE,
    CYCLONEDX,
    PROVENANCE,
    SIGNATURE,
    StatementError,
    bundle,
    check_payload,
    open_bundle,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from envgen.oci.push import Reference
    from envgen.sign.keys import PublicKey, Signer
    from envgen.sign.statements import Statement
    from envgen.system.http import Http
    from envgen.system.retry import RetryPolicy

_MANIFESTS = 64
"""Manifests of one index, and artifacts of one image, that are looked at; more are refused."""


class Registry(Struct, frozen=True, kw_only=True):
    """A registry as signing needs it.

    Attributes:
        http: asks for lists of referrers.
        environment: of the process; logins are found as `oci.push.push` says.
        retry: how to try again.
        scratch: makes an empty folder that goes at the end.
    """

    http: Http
    environment: Mapping[str, str]
    retry: RetryPolicy
    scratch: Callable[[], AbstractContextManager[Path]]


class Attestation(Struct, frozen=True, kw_only=True):
    """A statement to sign about the manifest with a digest."""

    digest: Sha256
    kind: str
    predicate: Mapping[str, Any]


class SignedImage(Struct, frozen=True, kw_only=True):
    """What was signed or verified under a reference.

    Attributes:
        digest: of the image's manifest, or of the index of several platforms.
        manifests: digests of everything that has a signature, the top one first.
        forms: of signatures, such as `bundle` and `tag`.
        statements: kinds of attestations, by digest of what they are about.
    """

    digest: Sha256
    manifests: tuple[Sha256, ...]
    forms: tuple[str, ...]
    statements: Mapping[Sha256, tuple[str, ...]] = field(default_factory=dict)

    @property
    def platforms(self) -> tuple[Sha256, ...]:
        """Digests of the manifests of platforms: of an index those below it."""
        return self.manifests[1:] or self.manifests

    def is_attested(self, digest: Sha256) -> bool:
        """Return whether provenance and SBOM of a manifest are signed."""
        return {PROVENANCE, CYCLONEDX} <= set(self.statements.get(digest, ()))


def sign_image(
    registry: Registry,
    reference: Reference,
    signer: Signer,
    attestations: Sequence[Attestation] = (),
    *,
    expected: Sha256 | None = None,
) -> SignedImage:
    """Sign an image in both forms: the index of several platforms, and the manifest of each.

    Args:
        registry: where it is.
        reference: of the image.
        signer: the key.
        attestations: further statements about manifests of the image.
        expected: digest of the image; the tag may lead to another one meanwhile.

    Raises:
        UserError: there is no such image, it is another one than expected, or the registry refuses.
        NetworkError: it cannot be reached.
    """
    entries = _entries(registry, reference)
    if expected and digest_of(entries[0]) != expected:
        raise UserError(
            f"`{reference}` is now {entries[0]['digest']}, expected sha256:{expected}: nothing was signed",
            hint="somebody else pushed to this tag: choose another one",
        )
    attached: list[Attachment] = []
    for entry in entries:
        digest = digest_of(entry)
        signed = bundle(signer, digest, predicate={})
        attached.append(referrer(signed, kind=SIGNATURE, subject=entry, name=f"{digest}.signature"))
        for number, one in enumerate(one for one in attestations if one.digest == digest):
            stated = bundle(signer, digest, kind=one.kind, predicate=one.predicate)
            attached.append(referrer(stated, kind=one.kind, subject=entry, name=f"{digest}.{number}"))
        _tag(registry, reference, signer, digest)
    with registry.scratch() as folder:
        attach(
            attached,
            reference,
            http=registry.http,
            scratch=folder,
            environment=registry.environment,
            retry=registry.retry,
        )
    return SignedImage(
        digest=digest_of(entries[0]),
        manifests=tuple(map(digest_of, entries)),
        forms=("bundle", "tag"),
        statements=_kinds([(one.digest, one.kind) for one in attestations]),
    )


def verify_image(registry: Registry, reference: Reference, key: PublicKey) -> SignedImage:
    """Verify that an image, and each of its manifests, has a signature by a key; read its attestations.

    Raises:
        SignatureError: a manifest has no valid signature by the key.
        UserError, NetworkError: as `sign_image`.
    """
    entries = _entries(registry, reference)
    forms: list[str] = []
    statements: list[tuple[Sha256, str]] = []
    for digest in map(digest_of, entries):
        refused: list[str] = []
        stated = list(_statements(registry, reference, digest, key, refused))
        found = {"bundle"} if any(one.kind == SIGNATURE for one in stated) else set()
        if _has_tagged(registry, reference, digest, key, refused):
            found.add("tag")
        if not found:
            raise _unsigned(reference, digest, refused)
        forms += sorted(found)
        statements += [(digest, one.kind) for one in stated if one.kind != SIGNATURE]
    return SignedImage(
        digest=digest_of(entries[0]),
        manifests=tuple(map(digest_of, entries)),
        forms=tuple(sorted(form for form in set(forms) if forms.count(form) == len(entries))),
        statements=_kinds(statements),
    )


def attached_bundles(registry: Registry, reference: Reference, digest: Sha256) -> Iterator[tuple[str, bytes]]:
    """Yield the bundles that refer to a manifest, each with the digest of its artifact; none is verified.

    Raises:
        UserError, NetworkError: as `sign_image`.
    """
    listed = referrers(reference, digest, http=registry.http, environment=registry.environment)
    for entry in listed[:_MANIFESTS]:
        for data in _layers(registry, reference, f"@{entry['digest']}", BUNDLE):
            yield entry["digest"], data


def _entries(registry: Registry, reference: Reference) -> list[Mapping[str, Any]]:
    """Describe what a reference leads to: itself, and for an index the manifest of each platform.

    Raises:
        UserError: there is nothing.
    """
    data = fetch_raw_manifest(reference, f":{reference.tag}", registry.environment)
    if data is None:
        raise UserError(f"there is no image `{reference}`", hint="push it first: `envgen image --push`")
    document = parse_manifest(data, reference)
    media_type = document.get("mediaType", INDEX if "manifests" in document else MANIFEST)
    top = {"mediaType": media_type, "digest": f"sha256:{Sha256.of(data)}", "size": len(data)}
    below = [one for one in document.get("manifests", ()) if isinstance(one, dict)]
    if len(below) > _MANIFESTS:
        raise UserError(f"`{reference}` has {len(below)} manifests, expected at most {_MANIFESTS}")
    try:
        return [top, *({"mediaType": MANIFEST, "digest": f"sha256:{digest_of(b)}", "size": b["size"]} for b in below)]
    except (KeyError, ValueError) as error:
        raise UserError(f"`{reference}` lists a manifest without a sha256 and a size") from error


def _tag(registry: Registry, reference: Reference, signer: Signer, digest: Sha256) -> None:
    """Add a signature to the image of the older form, beside those of other keys."""
    tag = f":{tag_of_signatures(digest)}"
    before = (fetch_manifest(reference, tag, registry.environment) or {}).get("layers", ())
    layer, content = signed_layer(signer, digest, repository=reference.repository)
    layers = merged_layers(layer, before)
    if len(layers) == len(before):
        return  # the same key has signed it before, and its signatures are always the same
    manifest, config = signature_image(layers)
    name = f"{digest}.sig"
    entry = {"mediaType": MANIFEST, "digest": f"sha256:{Sha256.of(manifest)}", "size": len(manifest)}
    one = Attachment(name=name, entry=entry, subject=digest, content=content, documents=(content, config, manifest))
    with registry.scratch() as folder:
        write_attachments([one], folder / "signature")
        copy(
            f"oci:.:{name}",
            reference,
            which=tag,
            directory=folder / "signature",
            environment=registry.environment,
            retry=registry.retry,
        )


def _statements(
    registry: Registry, reference: Reference, digest: Sha256, key: PublicKey, refused: list[str]
) -> Iterator[Statement]:
    """Yield the statements about a manifest that a key has signed; why others are not counted goes into `refused`."""
    for where, data in attached_bundles(registry, reference, digest):
        try:
            yield open_bundle(data, key, about=digest)
        except StatementError as error:
            refused.append(f"bundle {where}: {error}")


def _has_tagged(registry: Registry, reference: Reference, digest: Sha256, key: PublicKey, refused: list[str]) -> bool:
    tag = f":{tag_of_signatures(digest)}"
    manifest = fetch_manifest(reference, tag, registry.environment)
    if manifest is None:
        return False
    signatures = [(layer.get("annotations") or {}).get(SIGNED, "") for layer in manifest.get("layers", ())]
    payloads = list(_layers(registry, reference, tag, SIMPLE))
    for content, signature in zip(payloads, signatures, strict=False):
        try:
            check_payload(content, signature, key, digest=digest, repository=reference.repository)
        except StatementError as error:
            refused.append(f"signature under {tag}: {error}")
        else:
            return True
    return False


def _layers(registry: Registry, reference: Reference, which: str, media_type: str) -> Iterator[bytes]:
    """Yield the layers of an artifact that are of a kind, each proven by its digest."""
    with registry.scratch() as folder:
        pull(reference, which, folder, registry.environment)
        manifest = read_json((folder / "manifest.json").read_bytes())
        for layer in manifest.get("layers", ()):
            if layer.get("mediaType") != media_type:
                continue
            digest = digest_of(layer)
            data = (folder / digest).read_bytes()
            if Sha256.of(data) == digest:
                yield data


def _unsigned(reference: Reference, digest: Sha256, refused: Sequence[str]) -> SignatureError:
    what = f"`{reference.repository}@sha256:{digest}` has no valid signature by this key"
    listed = "".join(f"\n  - {reason}" for reason in refused)
    return SignatureError(what + (f":{listed}" if listed else ": nothing is signed"))


def _kinds(pairs: Sequence[tuple[Sha256, str]]) -> dict[Sha256, tuple[str, ...]]:
    found: dict[Sha256, set[str]] = {}
    for digest, kind in pairs:
        found.setdefault(digest, set()).add(kind)
    return {digest: tuple(sorted(kinds)) for digest, kinds in found.items()}
