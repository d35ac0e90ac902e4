"""Signatures of locks: a file beside the two lock files, which is committed with them, one for each key.

It is a bundle v0.3 whose statement is about both lock files of a platform and the files of the spec, by name and
sha256: packages follow from the lock files alone, but variables and what an image runs stand in the spec.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.sign.statements import StatementError, StatementSubject, signed_statement, verified_statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.platforms import Platform
    from envgen.sign.keys import PublicKey, Signer

LOCKED = "urn:envgen:lock:1"
"""Type of the statement: these files are what the holder of the key locked."""

SUFFIX = ".sigstore.json"
_KEY = 16
"""Digits of the sha256 of a key that name it in a file name."""


def signature_name(environment: str, platform: Platform, key: PublicKey) -> str:
    """Name the file beside a lock that holds its signature by a key."""
    return f"{environment}.{platform}.{Sha256.of(key.der)[:_KEY]}{SUFFIX}"


def signature_pattern(environment: str, platform: Platform) -> str:
    """Return the glob of the signatures of a lock by any key."""
    return f"{environment}.{platform}.{'[0-9a-f]' * _KEY}{SUFFIX}"


def sign_lock(files: Mapping[str, Sha256], signer: Signer) -> bytes:
    """Sign the files of a lock: path from the project's root -> digest."""
    subjects = [StatementSubject(name=name, sha256=digest) for name, digest in sorted(files.items())]
    return signed_statement(signer, subjects, kind=LOCKED, predicate=None)


def check_lock(data: bytes, key: PublicKey, files: Mapping[str, Sha256]) -> None:
    """Verify the signature of a lock.

    Args:
        data: the signature.
        key: that must have made it.
        files: what it must be about, and nothing else: path -> digest.

    Raises:
        StatementError: it was made by another key, or is about another lock or another state of this one.
    """
    found = verified_statement(data, key)
    if found.kind != LOCKED:
        raise StatementError(f"it states `{found.kind}`, expected `{LOCKED}`")
    signed = {one.name: one.sha256 for one in found.subjects}
    for name, digest in files.items():
        if name not in signed:
            raise StatementError(f"it is about {_listed(signed)}, and not about `{name}`")
        if signed[name] != digest:
            raise StatementError(f"`{name}` was changed since it was signed")
    if others := sorted(signed.keys() - files.keys()):
        raise StatementError(f"it is also about {_listed(others)}, which no longer belongs to the lock")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"
