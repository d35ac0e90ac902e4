"""`InRelease`: what a suite of a Debian archive holds, and the signature that makes it true.

Format: https://wiki.debian.org/DebianRepository/Format
"""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pysequoia
from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import HostError, SignatureError
from envgen.moments import in_bounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_OPENPGP_TIMES = tuple(dt.datetime.fromtimestamp(seconds, dt.UTC) for seconds in (0, 2**32 - 1))
"""The first and last moment of a signature: 32 bits of seconds (RFC 9580, 3.5). Beyond, the library panics."""


class Index(Struct, frozen=True, kw_only=True):
    """A file that a release vouches for: the sha256 and size of its bytes as they travel."""

    path: str
    sha256: Sha256
    size: int


class Release(Struct, frozen=True, kw_only=True):
    """One verified release of a suite.

    Attributes:
        suite: the name that was asked for.
        date: when it was made, aware.
        valid_until: when it must no longer be believed, aware; None where the archive does not say.
        by_hash: whether indices are also offered under the name of their digest.
        indices: path below the suite's folder -> what lies there.
    """

    suite: str
    date: dt.datetime
    valid_until: dt.datetime | None
    by_hash: bool
    indices: Mapping[str, Index]


def verify_release(signed: bytes, *, suite: str, keys: Sequence[bytes], now: dt.datetime) -> Release:
    """Read an `InRelease` after checking who signed it.

    Only the signed part is read; text around it is ignored.

    Args:
        signed: the file's bytes.
        suite: the suite that was asked for; a release of another one, however well signed, is refused.
        keys: OpenPGP certificates, armoured or not; one valid signature by any of them is enough, as for apt.
        now: aware; a release whose `Valid-Until` has passed is refused.

    Raises:
        SignatureError: no valid signature by one of `keys`, another suite, expired, or unreadable.
        HostError: the clock of this machine is where no signature can be judged.
    """
    what = f"`InRelease` of {suite}"
    if not _OPENPGP_TIMES[0] <= now <= _OPENPGP_TIMES[1]:
        raise HostError(
            f"the signature of {what} cannot be verified: the clock of this machine is at {now:%Y-%m-%d}, and "
            f"OpenPGP has times until {_OPENPGP_TIMES[1]:%Y-%m-%d}",
            hint="set the clock of this machine",
        )
    release = parse_release(verified_content(signed, keys=keys, what=what), suite=suite)
    if release.valid_until and release.valid_until < now:
        raise SignatureError(
            f"{what} was valid until {release.valid_until:%Y-%m-%d %H:%M} UTC, now is {now:%Y-%m-%d %H:%M} UTC",
            hint="the mirror is out of date, or the clock of this machine is wrong",
        )
    return release


def verified_content(signed: bytes, *, keys: Sequence[bytes], what: str) -> bytes:
    """Return the text of a clear-signed message.

    Raises:
        SignatureError: no valid signature by one of `keys`.
    """
    try:
        certificates = [cert for key in keys for cert in pysequoia.Cert.split_bytes(key)]
        content = pysequoia.verify(bytes=signed, store=lambda _ids: certificates).bytes
    except RuntimeError as e:  # all that pysequoia raises; its text goes on with a stack trace
        reason = str(e).partition("\n")[0]
        raise SignatureError(
            f"{what} has no signature by a trusted key: {reason}",
            hint="check the clock of this machine; if it is right, the mirror modifies files, or envgen does not "
            "ship the keys of this archive",
        ) from e
    if not content:
        raise SignatureError(f"{what} is signed but empty")
    return content


def parse_release(content: bytes, *, suite: str) -> Release:
    """Read the signed text.

    Raises:
        SignatureError: it is of another suite, or a field is missing or malformed.
    """
    from debian.deb822 import Release as Fields  # noqa: PLC0415  as in `debian_index`

    try:
        fields = Fields(content)
        names = {fields.get("Codename"), fields.get("Suite")}
        release = Release(
            suite=suite,
            date=_moment(fields["Date"]),
            valid_until=_moment(fields["Valid-Until"]) if "Valid-Until" in fields else None,
            by_hash=fields.get("Acquire-By-Hash") == "yes",
            indices={entry["name"]: _index(entry) for entry in fields["SHA256"]},
        )
    except (KeyError, TypeError, ValueError, OverflowError) as e:  # the last one of years such as 10**40
        raise SignatureError(f"failed to read `InRelease` of {suite}: {e!r}") from e
    if suite not in names:
        raise SignatureError(
            f"`InRelease` of {suite} is for the suite {' / '.join(sorted(filter(None, names)))}",
            hint="the mirror serves one suite under the name of another",
        )
    return release


def _index(entry: Mapping[str, str]) -> Index:
    return Index(path=entry["name"], sha256=Sha256.parse(entry["sha256"]), size=int(entry["size"]))


def _moment(text: str) -> dt.datetime:
    """Read `Sat, 28 Nov 2026 00:53:02 UTC`; the format knows no other zone, and `-0000` is read as naive."""
    found = in_bounds(parsedate_to_datetime(text))
    return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)
