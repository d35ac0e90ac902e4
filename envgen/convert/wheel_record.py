"""RECORD: what a wheel says its files are, and what an installed distribution says.

Format: PEP 376 and the wheel specification: `path,algorithm=urlsafe-base64,size`, with no hash for RECORD itself and
its signatures.
"""

from __future__ import annotations

import base64
import csv
from typing import TYPE_CHECKING

from installer.records import Hash, InvalidRecordEntry, RecordEntry, parse_record_file
from installer.utils import Scheme, construct_record_file

from envgen.errors import ArtifactError

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Iterable, Mapping

UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""Files of dist-info that RECORD cannot hold a hash of: itself and what signs it."""

_STRONG = ("sha256", "sha384", "sha512")
"""The wheel specification: sha256 or better; md5 and sha1 are not permitted."""


def parse_record(raw: bytes, *, what: str) -> dict[str, RecordEntry]:
    """Read a wheel's RECORD as path -> entry.

    Raises:
        ArtifactError: it is malformed, or says two things of one file.
    """
    found: dict[str, RecordEntry] = {}
    try:
        for row in parse_record_file(raw.decode("utf-8").splitlines()):
            entry = RecordEntry.from_elements(*row)
            if found.setdefault(entry.path, entry) != entry:
                raise ArtifactError(f"RECORD of `{what}` lists `{entry.path}` twice, with different contents")
    except (InvalidRecordEntry, csv.Error, UnicodeDecodeError) as e:
        raise ArtifactError(f"RECORD of `{what}` is malformed: {e}") from e
    return found


def check_listing(record: Mapping[str, RecordEntry], members: Iterable[str], *, dist_info: str, what: str) -> None:
    """Prove that RECORD lists exactly the files that are there, each with a strong hash.

    Raises:
        ArtifactError: names every file that is missing, not listed, or listed without such a hash.
    """
    unhashed = {f"{dist_info}/{name}" for name in UNHASHED}
    files = set(members)
    faults = [f"`{path}` is not listed" for path in sorted(files - record.keys() - unhashed)]
    for path in sorted(record.keys() - unhashed):
        hash_ = record[path].hash_
        if path not in files:
            faults.append(f"`{path}` is listed but missing")
        elif hash_ is None or hash_.name not in _STRONG:
            faults.append(f"`{path}` has the hash {str(hash_ or '')!r}, expected one of {', '.join(_STRONG)}")
    if faults:
        raise ArtifactError(f"RECORD of `{what}` does not fit its files: {_some(faults)}")


def check_entry(entry: RecordEntry, proof: hashlib._Hash, size: int, *, what: str) -> None:
    """Prove that a file is what RECORD says.

    Args:
        entry: with a hash.
        proof: digest of the file, by the algorithm of the entry.
        size: bytes of the file.
        what: name of the wheel for messages.

    Raises:
        ArtifactError: hash or size differ.
    """
    got = _encode(proof.digest())
    expected = entry.hash_.value if entry.hash_ else ""
    if got != expected or entry.size not in (None, size):
        raise ArtifactError(
            f"`{entry.path}` in `{what}` has {proof.name}={got} and {size} bytes, "
            f"RECORD says {entry.hash_} and {entry.size} bytes"
        )


def installed_entry(path: str, sha256: str | None, size: int) -> RecordEntry:
    """Describe an installed file.

    Args:
        path: relative to site-packages.
        sha256: 64 hexadecimal digits, or None for a file whose bytes depend on the prefix: then no hash is claimed.
        size: bytes.
    """
    if sha256 is None:
        return RecordEntry(path, None, None)
    return RecordEntry(path, Hash("sha256", _encode(bytes.fromhex(sha256))), size)


def render_record(entries: Iterable[RecordEntry]) -> bytes:
    """Write the RECORD of an installed distribution, sorted by path."""
    with construct_record_file((Scheme("purelib"), entry) for entry in entries) as stream:
        return stream.read()


def _encode(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _some(faults: list[str]) -> str:
    """Join the first few faults of what may be thousands."""
    shown = "; ".join(faults[:5])
    return shown if len(faults) <= 5 else f"{shown}; and {len(faults) - 5} more"  # noqa: PLR2004 - the five above
