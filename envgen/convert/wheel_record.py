"""RECORD: what a wheel says its files are, and what an installed distribution says.

Format: PEP 376 and the wheel specification: `path,algorithm=urlsafe-base64,size`, with no hash for RECORD itself and
its signatures. Published wheels depart from it in ways that change nothing (padded or hexadecimal hashes, a leading
slash, files that are not there, no hashes at all): those are read. Where RECORD and the files contradict each other,
the wheel is refused, unless the spec trusts it by its own digest (`trust-record`).
"""

from __future__ import annotations

import base64
import csv
import posixpath
import re
from typing import TYPE_CHECKING

from installer.records import Hash, InvalidRecordEntry, RecordEntry, parse_record_file
from installer.utils import Scheme, construct_record_file

from envgen.digest import FIXED_SIZE, STRONG, Digest
from envgen.errors import RecordMismatchError
from envgen.names import project_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""Files of dist-info that RECORD cannot hold a hash of: itself and what signs it."""

WRITTEN_BY_INSTALLERS = frozenset({*UNHASHED, "INSTALLER", "REQUESTED", "direct_url.json"})
"""Files of dist-info that an installer writes; those that a wheel brings are not installed."""

_HEX_DIGITS = {name: 2 * len(Digest(name).digest()) for name in FIXED_SIZE}
"""Algorithms whose hashes are compared, weak ones too: a hash that differs is a fault whatever it proves."""

_HEX = re.compile("[0-9a-fA-F]+")

_USUAL_HASH = re.compile("sha256=[0-9a-zA-Z_-]{43}")
"""A hash as the specification asks for it, as nearly all are."""

_USUAL_ROW = re.compile(r"([^\\\",\r\n\0]{1,4096}),(?:sha256=([0-9a-zA-Z_-]{43}),([0-9]{1,18})|,)")
"""A row that needs no CSV reader: a plain path with a usual hash and a size, or with nothing."""

_TO_URLSAFE = str.maketrans("+/", "-_")


def parse_record(raw: bytes | None, *, what: str) -> dict[str, RecordEntry]:
    """Read a wheel's RECORD as path -> entry; paths and hashes are spelled as the specification asks.

    Args:
        raw: content of the file; None where the wheel has none.
        what: name of the wheel for messages.

    Raises:
        RecordMismatchError: it is missing or malformed, or says two things of one file.
    """
    if raw is None:
        raise RecordMismatchError(f"`{what}` has no RECORD", hint=trust_hint(what))
    found: dict[str, RecordEntry] = {}
    try:
        # not `splitlines`: file names may hold what it takes for the end of a line
        lines = raw.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
        for entry in _entries([line for line in lines if line.strip()]):
            if (first := found.setdefault(entry.path, entry)) is not entry and first != entry:
                raise RecordMismatchError(
                    f"RECORD of `{what}` lists `{entry.path}` twice, with different contents", hint=trust_hint(what)
                )
    except (InvalidRecordEntry, csv.Error, ValueError) as e:  # that no UTF-8 is one too
        raise RecordMismatchError(f"RECORD of `{what}` is malformed: {e}", hint=trust_hint(what)) from e
    return found


def check_listing(
    record: Mapping[str, RecordEntry], members: Mapping[str, int], *, dist_info: str, what: str
) -> tuple[str, ...]:
    """Verify that RECORD lists every file with its size, and report other departures from the specification.

    METADATA may have another size: IPEX 2.8.0 was published with one that was edited after RECORD was written.

    Args:
        record: from `parse_record`.
        members: file -> size.
        dist_info: name of the dist-info folder.
        what: name of the wheel for messages.

    Returns:
        What is odd but harmless, in words.

    Raises:
        RecordMismatchError: names every file that is not listed, or listed with another size.
    """
    exempt = {f"{dist_info}/{name}" for name in WRITTEN_BY_INSTALLERS}
    faults = [f"`{path}` is not listed" for path in sorted(members.keys() - record.keys() - exempt)]
    faults += [
        f"`{path}` has {members[path]} bytes, listed with {record[path].size}"
        for path in sorted(record.keys() & members.keys() - exempt - {f"{dist_info}/METADATA"})
        if record[path].size not in (None, members[path])
    ]
    if faults:
        raise RecordMismatchError(
            f"RECORD of `{what}` does not match its files: {_some(faults)}", hint=trust_hint(what)
        )
    return tuple(_oddities(record, members, exempt))


def check_entry(entry: RecordEntry, proof: Digest, *, what: str) -> None:
    """Verify a file against RECORD.

    Args:
        entry: with a hash, or without one: then only the size counts.
        proof: digest of the file, by the algorithm of the entry, and its size.
        what: name of the wheel for messages.

    Raises:
        RecordMismatchError: hash or size differ.
    """
    got = _encode(proof.digest())
    expected = entry.hash_.value if entry.hash_ else got
    if got != expected or entry.size not in (None, proof.size):
        raise RecordMismatchError(
            f"`{entry.path}` in `{what}` has {proof.name}={got} and {proof.size} bytes, "
            f"RECORD says {entry.hash_} and {entry.size} bytes",
            hint=trust_hint(what),
        )


def trust_hint(filename: str) -> str:
    """Return how a wheel is taken whatever its RECORD says."""
    project = project_name(filename.partition("-")[0])
    return f'`trust-record: {{{project}: "why"}}` in the spec accepts the wheel by its own sha256'


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


def _entries(lines: list[str]) -> Iterator[RecordEntry]:
    """Read the rows; as nearly all RECORDs have usual ones alone, they are seldom read as CSV."""
    rows = [match.groups() for line in lines if (match := _USUAL_ROW.fullmatch(line))]
    if len(rows) < len(lines):
        yield from (_entry(*row) for row in parse_record_file(lines))
        return
    for path, value, size in rows:
        yield (
            RecordEntry(_normal(path), Hash("sha256", value), int(size))
            if value
            else RecordEntry(_normal(path), None, None)
        )


def _entry(path: str, hash_: str, size: str) -> RecordEntry:
    """Read a row, and spell it as the specification asks: a relative path with slashes, a hash without padding.

    Raises:
        ValueError: its hash or its size is none.
    """
    return RecordEntry(_normal(path), _hash(hash_) if hash_ else None, int(size) if size else None)


def _normal(path: str) -> str:
    if path and path[0] not in "./" and "/." not in path and "//" not in path:
        return path  # as nearly all are: `normpath` takes a third of the time of reading a RECORD
    return posixpath.normpath(path.lstrip("/") or ".") + ("/" if path.endswith("/") else "")


def _hash(text: str) -> Hash | None:
    """Read a hash; None where its algorithm is not known.

    Raises:
        ValueError: it is not a hash.
    """
    if _USUAL_HASH.fullmatch(text):
        return Hash("sha256", text.removeprefix("sha256="))
    name, equals, value = text.strip().partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not a hash")
    if (name := name.lower()) not in _HEX_DIGITS:
        return None
    value = value.rstrip("=").translate(_TO_URLSAFE)
    if len(value) == _HEX_DIGITS[name] and _HEX.fullmatch(value):
        value = _encode(bytes.fromhex(value))
    return Hash(name, value)


def _oddities(record: Mapping[str, RecordEntry], members: Mapping[str, int], exempt: set[str]) -> Iterator[str]:
    gone = sorted(path for path in record.keys() - members.keys() - exempt if not path.endswith("/"))
    folders = {".", *(posixpath.dirname(name) for name in members)} if gone else set()
    if gone := [path for path in gone if path not in folders]:
        yield f"lists {_count(gone, 'file')} that the wheel does not contain, such as `{gone[0]}`"
    weak = sorted(path for path in record.keys() & members.keys() - exempt if not _is_strong(record[path]))
    if weak:
        yield f"has no hash of sha256 or stronger for {_count(weak, 'file')}, such as `{weak[0]}`"


def _is_strong(entry: RecordEntry) -> bool:
    return entry.hash_ is not None and entry.hash_.name in STRONG


def _count(items: list[str], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _encode(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _some(faults: list[str]) -> str:
    """Join the first few faults of what may be thousands."""
    shown = "; ".join(faults[:5])
    return shown if len(faults) <= 5 else f"{shown}; and {len(faults) - 5} more"  # noqa: PLR2004 - the five above
