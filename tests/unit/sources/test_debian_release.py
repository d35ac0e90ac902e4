from __future__ import annotations

import datetime as dt

import pytest

from envgen.errors import HostError, SignatureError
from envgen.sources.debian_release import parse_release, verify_release
from tests.builders.debian import Archive, Flaws, new_key, public_key
from tests.builders.tree import MOMENT

KEY = new_key()
WEEK = dt.timedelta(days=7)


def signed(flaws: Flaws | None = None, *, suite: str = "bookworm", valid_until: dt.datetime | None = None) -> bytes:
    archive = Archive(key=KEY, suite=suite, valid_until=valid_until, flaws=flaws or Flaws())
    return archive.site()[f"/debian/dists/{suite}/InRelease"]


def test_signed_release_is_read() -> None:
    release = verify_release(
        signed(valid_until=MOMENT + WEEK), suite="bookworm", keys=[public_key(new_key()), public_key(KEY)], now=MOMENT
    )
    assert release.date == MOMENT
    assert release.valid_until == MOMENT + WEEK
    assert release.by_hash
    assert "main/binary-arm64/Packages.xz" in release.indices


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(signed(Flaws(unsigned=True)), "no signature", id="unsigned"),
        pytest.param(signed(Flaws(edited=True)), "no signature", id="edited"),
        pytest.param(signed(Flaws(signed_by=new_key())), "no signature", id="stranger"),
        pytest.param(signed()[:200], "no signature", id="cut"),
        pytest.param(b"", "no signature", id="empty"),
        pytest.param(signed(suite="trixie"), "is for the suite trixie", id="another suite"),
        pytest.param(signed(valid_until=MOMENT - WEEK), "valid until 2025-12-26", id="expired"),
    ],
)
def test_flawed_release_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(SignatureError, match=says) as caught:
        verify_release(data, suite="bookworm", keys=[public_key(KEY)], now=MOMENT)
    assert "Stack backtrace" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("keys", [[], [b""], [b"no key at all"], [public_key(new_key())]])
def test_without_the_right_key_nothing_is_believed(keys: list[bytes]) -> None:
    with pytest.raises(SignatureError, match="no signature"):
        verify_release(signed(), suite="bookworm", keys=keys, now=MOMENT)


def test_text_around_the_signed_part_is_not_read() -> None:
    data = b"Codename: bookworm\nSHA256:\n evil 1 main/binary-amd64/Packages.xz\n" + signed()
    release = verify_release(data, suite="bookworm", keys=[public_key(KEY)], now=MOMENT)
    assert all(index.sha256 != "evil" for index in release.indices.values())


@pytest.mark.parametrize(
    "content",
    [
        b"Codename: bookworm\nDate: yesterday\nSHA256:\n",
        b"Codename: bookworm\nDate: Sat, 28 Nov 2026 00:53:02 UTC\n",
        b"Codename: bookworm\nDate: Sat, 28 Nov 2026 00:53:02 UTC\nSHA256:\n 12 12 main/x\n",
    ],
)
def test_malformed_release_is_refused(content: bytes) -> None:
    with pytest.raises(SignatureError, match="failed to read"):
        parse_release(content, suite="bookworm")


@pytest.mark.parametrize("year", [1969, 2107, 9999])
def test_a_clock_outside_of_the_times_of_openpgp_is_told(year: int) -> None:
    now = MOMENT.replace(year=year)
    with pytest.raises(
        HostError, match=f"the clock of this machine is at {year}-.*, and OpenPGP has times until 2106-02-07"
    ):
        verify_release(signed(), suite="bookworm", keys=[public_key(KEY)], now=now)
