"""Signatures inside a layout of several artifacts, such as a bundle.

What is signed is the index without its signatures: it leads to everything else, so that nothing can be added, left out
or taken from another layout. That index is kept as a blob, and the signature refers to it, as to an image in a
registry: a person who pushes that index finds the signature valid there as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.errors import SignatureError
from envgen.oci.layout import INDEX, REF_NAME, descriptor, index_of
from envgen.sign.artifacts import referrer
from envgen.sign.statements import BUNDLE, SIGNATURE, StatementError, bundle, hint, open_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.oci.descriptor import Descriptor
    from envgen.oci.read import LayoutReader
    from envgen.sign.keys import PublicKey, Signer


class LayoutSignature(Struct, frozen=True, kw_only=True):
    """A signature that is ready to be added.

    Attributes:
        entry: its descriptor for the index, with a name.
        blobs: all that it leads to, the signed index included.
    """

    entry: Mapping[str, Any]
    blobs: Mapping[Sha256, bytes]


def sign_layout(content: Sequence[Mapping[str, Any]], signer: Signer) -> LayoutSignature:
    """Sign the descriptors of an index, none of which is of a signature."""
    index = index_of(content)
    signed = bundle(signer, Sha256.of(index), predicate={})
    name = f"signature.{Sha256.of(hint(signer.public).encode())[:16]}"
    made = referrer(signed, kind=SIGNATURE, subject=descriptor(INDEX, index), name=name)
    annotations = {**made.entry.get("annotations", {}), REF_NAME: name}
    blobs = {Sha256.of(data): data for data in (index, *made.documents)}
    return LayoutSignature(entry={**made.entry, "annotations": annotations}, blobs=blobs)


def content_of(reader: LayoutReader) -> list[Mapping[str, Any]]:
    """Return the descriptors of a layout's index but for signatures.

    What only the index or only the manifest calls a signature is content: readers go by either.

    Raises:
        IntegrityError: a manifest cannot be read.
    """
    return [entry for entry in entries_of(reader) if _signature(reader, entry) is None]


def entries_of(reader: LayoutReader) -> list[Mapping[str, Any]]:
    """Return the descriptors of a layout's index as they stand there."""
    entries: list[Mapping[str, Any]] = read_json(reader.index)["manifests"]
    return entries


def is_signed(reader: LayoutReader, key: PublicKey) -> bool:
    """Return whether a layout has a valid signature by a key."""
    try:
        verify_layout(reader, key)
    except SignatureError:
        return False
    return True


def verify_layout(reader: LayoutReader, key: PublicKey) -> Sha256:
    """Verify that a key has signed the content of a layout, and return the digest of the index that it signed.

    Blobs are verified when they are read, each by the digest that leads to it.

    Raises:
        SignatureError: there is no valid signature by the key.
        IntegrityError: a manifest or signature is not what its digest says.
    """
    expected = Sha256.of(index_of(content_of(reader)))
    refused = []
    for entry in entries_of(reader):
        signature = _signature(reader, entry)
        for layer in reader.descriptors(signature) if signature else ():
            try:
                if layer.media_type == BUNDLE and _states(reader.read(layer.digest), key, expected) == SIGNATURE:
                    return expected
            except StatementError as error:
                refused.append(f"sha256:{layer.digest}: {error}")
    listed = "".join(f"\n  - {reason}" for reason in refused)
    raise SignatureError(
        f"`{reader.path}` has no valid signature by this key" + (f":{listed}" if listed else ": nothing is signed")
    )


def _states(data: bytes, key: PublicKey, digest: Sha256) -> str:
    return open_bundle(data, key, about=digest).kind


def _signature(reader: LayoutReader, entry: Mapping[str, Any]) -> Descriptor | None:
    """Return the descriptor of a signature, None of anything else."""
    if entry.get("artifactType") != BUNDLE:
        return None
    digest = Sha256.parse(str(entry["digest"]))
    found = next((one for one in reader.manifests if one.digest == digest), None)
    document = reader.document(found) if found else {}
    return found if document.get("artifactType") == BUNDLE and "subject" in document else None
