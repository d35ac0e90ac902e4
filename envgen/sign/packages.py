"""Attestations of conda packages: who published an archive, and under which name.

Sources: CEP 27 (the statement), CEP 50 (its distribution: `<archive>.sigs`, a JSON array of bundles, to which is only
appended). Other tools verify attestations with a certificate of sigstore; those by a key are verified by envgen alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen import limits
from envgen.documents import read_json
from envgen.oci.layout import canonical
from envgen.sign.statements import StatementError, StatementSubject, signed_statement, verified_statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envgen.digest import Sha256
    from envgen.sign.keys import PublicKey, Signer

PUBLISHED = "https://schemas.conda.org/attestations-publish-1.schema.json"
_CHANNEL = "targetChannel"


class PackageClaim(Struct, frozen=True, kw_only=True):
    """What an attestation says.

    Attributes:
        filename: of the archive in the channel.
        sha256: of the archive.
        channel: address by which readers know the channel, without a slash at its end; None where it may be anywhere.
    """

    filename: str
    sha256: Sha256
    channel: str | None = None


def attest(claim: PackageClaim, signer: Signer) -> bytes:
    """Sign that an archive was published, as a bundle."""
    predicate = {_CHANNEL: claim.channel} if claim.channel else None
    subject = StatementSubject(name=claim.filename, sha256=claim.sha256)
    return signed_statement(signer, [subject], kind=PUBLISHED, predicate=predicate)


def reasons_against(claim: PackageClaim, bundles: Iterable[bytes], key: PublicKey) -> tuple[str, ...] | None:
    """Return why no bundle attests an archive by a key, a reason for each bundle; None where one does."""
    refused = []
    for data in bundles:
        try:
            _check(claim, data, key)
        except StatementError as error:
            refused.append(str(error))
        else:
            return None
    return tuple(refused)


def _check(claim: PackageClaim, data: bytes, key: PublicKey) -> None:
    found = verified_statement(data, key)
    if found.kind != PUBLISHED:
        raise StatementError(f"it states `{found.kind}`")
    expected = (StatementSubject(name=claim.filename, sha256=claim.sha256),)
    if found.subjects != expected:
        listed = ", ".join(f"`{one.name}` with sha256 {one.sha256}" for one in found.subjects)
        raise StatementError(f"it is about {listed or 'nothing'}")
    channel = found.predicate.get(_CHANNEL)
    if channel is not None and claim.channel is not None and channel != claim.channel:
        raise StatementError(f"it is for the channel `{channel}`")


def read_sidecar(data: bytes) -> tuple[bytes, ...]:
    """Return the bundles of a sidecar.

    Raises:
        StatementError: it is not a JSON array.
    """
    try:
        found = read_json(data, limit=limits.SIDECAR)
        bundles = tuple(map(canonical, found)) if isinstance(found, list) else None
    except ValueError as error:
        raise StatementError(f"it cannot be read: {error}") from error
    if bundles is None:
        raise StatementError("it is not a JSON array of bundles")
    return bundles


def appended(sidecar: bytes | None, bundle: bytes) -> bytes:
    """Append a bundle to a sidecar, whose bytes stay as they are otherwise; None is no sidecar yet.

    Raises:
        StatementError: the sidecar is not a JSON array.
    """
    before: Sequence[bytes] = read_sidecar(sidecar) if sidecar is not None else ()
    if sidecar is None or not before:
        return b"[" + bundle + b"]"
    return sidecar if bundle in before else sidecar.rstrip().removesuffix(b"]") + b"," + bundle + b"]"
