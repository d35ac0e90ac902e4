"""`sign`, and `verify` of signatures of images in registries: by one key, offline."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.digest import Sha256
from envgen.oci.push import Reference
from envgen.ops._sign_files import SignedFile, sign_files
from envgen.sign.images import Attestation, Registry, SignedImage, sign_image, verify_image
from envgen.sign.keys import open_signer, read_public_key
from envgen.sign.provenance import provenance
from envgen.sign.statements import CYCLONEDX, PROVENANCE
from envgen.system.retry import RetryPolicy
from envgen.verify.subject import SubjectKind, find_subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from envgen.image.inputs import ImageInputs
    from envgen.oci.layout import Layout
    from envgen.project.context import Context
    from envgen.sign.keys import Signer


class SignOptions(Struct, frozen=True, kw_only=True):
    """What to sign.

    Attributes:
        subject: `REGISTRY/NAME:TAG` of an image that was pushed, a bundle, a lock, or an environment for all its locks.
        key: file of a private key, relative to the working directory, or `exec:` and the command line of a program.
    """

    subject: str
    key: str


class SignResult(Struct, frozen=True, kw_only=True):
    """What is signed.

    Attributes:
        image: in a registry, or None.
        files: locks, or a bundle.
    """

    image: SignedImage | None = None
    files: tuple[SignedFile, ...] = ()


def sign(context: Context, options: SignOptions) -> SignResult:
    """Sign an image in a registry, in both forms that verifiers read; or locks, beside them; or a bundle, inside it.

    Raises:
        UserError: the key cannot be read, there is no such thing, or the registry refuses.
        UsageError: it is of a kind that has no signature.
        IntegrityError: the bundle is damaged.
        NetworkError: the registry cannot be reached.
    """
    subject, signer = find_subject(context, options.subject), open_key(context, options.key)
    if subject.kind is not SubjectKind.REGISTRY:
        return SignResult(files=sign_files(context, subject, signer))
    reference = Reference.parse(subject.text)
    return SignResult(image=sign_reference(context, reference, signer))


def sign_reference(
    context: Context, reference: Reference, signer: Signer, *, expected: Sha256 | None = None
) -> SignedImage:
    """Sign what a reference leads to.

    Raises:
        UserError: it is not what was expected, since somebody else pushed to the tag meanwhile; or as `sign`.
        NetworkError: the registry cannot be reached.
    """
    with context.reporter.progress(f"signing {reference}", total=None):
        return sign_image(open_registry(context), reference, signer, expected=expected)


def verify_signatures(context: Context, reference: str, *, key: Path) -> SignedImage:
    """Verify that an image in a registry, and each of its manifests, was signed by a key.

    Raises:
        SignatureError: one has no valid signature by the key.
        UserError: the key cannot be read, there is no such image, or the registry refuses.
        NetworkError: the registry cannot be reached.
    """
    parsed, public = Reference.parse(reference), read_public_key(context.directory / key)
    with context.reporter.progress(f"verifying {parsed}", total=None):
        return verify_image(open_registry(context), parsed, public)


def open_key(context: Context, key: str) -> Signer:
    """Open what signs; errors as `open_signer`."""
    return open_signer(key, directory=context.directory, environment=context.environment)


def sign_pushed(
    context: Context,
    reference: Reference,
    signer: Signer,
    layout: Layout,
    inputs: Sequence[ImageInputs],
    *,
    compression: str,
) -> SignedImage:
    """Sign an image that was just pushed, with its provenance and its SBOM.

    Args:
        context: the world.
        reference: where it was pushed.
        signer: the key.
        layout: of the image.
        inputs: that it was made from.
        compression: of its layers.

    Raises:
        UserError: the tag leads to another image meanwhile, or the registry refuses.
        NetworkError: the registry cannot be reached.
    """
    attestations = [
        *(_provenance(context, one, layout, compression) for one in inputs),
        *(
            Attestation(digest=sbom.subject, kind=CYCLONEDX, predicate=json.loads(sbom.content))
            for sbom in layout.attachments
        ),
    ]
    with context.reporter.progress(f"signing {reference}", total=None):
        return sign_image(open_registry(context), reference, signer, attestations, expected=layout.digest)


def _provenance(context: Context, inputs: ImageInputs, layout: Layout, compression: str) -> Attestation:
    pair = inputs.pair
    files: Mapping[str, Sha256] = dict(_files(context, inputs))
    return Attestation(
        digest=layout.manifests[pair.lock.platform],
        kind=PROVENANCE,
        predicate=provenance(pair.lock, pair.debian, files=files, compression=compression),
    )


def _files(context: Context, inputs: ImageInputs) -> Iterator[tuple[str, Sha256]]:
    """Yield the files that the image follows from, with the digests of what this run read of them."""
    pair = inputs.pair
    yield context.relative(pair.path), Sha256.of(pair.text.encode())
    if pair.debian_digest:
        name = pair.path.name.replace(".conda-lock.yml", ".debian-lock.yml")
        yield context.relative(pair.path.with_name(name)), pair.debian_digest


def open_registry(context: Context) -> Registry:
    """Return a registry as signing needs it."""
    return Registry(
        http=context.http,
        environment=context.environment,
        retry=RetryPolicy(sleep=time.sleep, jitter=random.random, note=context.reporter.note),
        scratch=context.store.view,
    )
