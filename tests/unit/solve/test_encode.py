from __future__ import annotations

from typing import Literal

import pytest
from rattler import NoArchType

from envgen.errors import IntegrityError
from envgen.packages import ChannelArchive
from envgen.platforms import Platform, PythonMinor, Target
from envgen.solve.encode import decode_channel, encode_record, encode_virtual, key_of, virtual_packages
from tests.unit.solve.fakes import conda_record, recipe


def test_a_channels_record_becomes_ours() -> None:
    found = decode_channel(conda_record("spam", "1.0", "ham >=1", build="h1_0", subdir="noarch"))
    assert (found.name, found.version, found.build, found.subdir) == ("spam", "1.0", "h1_0", "noarch")
    assert found.depends == ("ham >=1",)
    assert isinstance(found.origin, ChannelArchive)
    assert len(found.origin.sha256) == 64
    assert len(found.origin.md5) == 32
    assert "secret" not in found.origin.url


@pytest.mark.parametrize("noarch", ["python", "generic", None])
def test_what_a_channel_says_of_a_package_is_kept(noarch: Literal["python", "generic"] | None) -> None:
    record = conda_record("spam")
    record.noarch = NoArchType(noarch)
    record.constrains, record.build_number, record.size = ["ham <2"], 7, 123
    found = decode_channel(record)
    assert (found.noarch, found.constrains, found.build_number) == (noarch, ("ham <2",), 7)
    assert isinstance(found.origin, ChannelArchive)
    assert found.origin.size == 123


@pytest.mark.parametrize("digest", ["md5", "sha256"])
def test_a_channels_record_without_digests_cannot_be_locked(digest: str) -> None:
    record = conda_record("spam")
    setattr(record, digest, None)
    with pytest.raises(IntegrityError, match=rf"no {digest} for `spam-1\.0-0\.conda`"):
        decode_channel(record)


def test_a_recipes_record_goes_to_the_solver_and_back() -> None:
    record = recipe("spam", "1.0", "ham >=1", build="0_x")
    offer = encode_record(record)
    assert offer.origin is record
    assert key_of(offer.record) == ("spam", "1.0", "0_x")
    assert offer.record.depends == ["ham >=1"]


def test_the_microarchitecture_is_a_build_string() -> None:
    target = Target(
        platform=Platform.LINUX_64, python=PythonMinor(3, 11), glibc=(2, 36), cuda="12.8", archspec="x86_64_v3"
    )
    assert [str(package) for package in virtual_packages(target)] == [
        "__archspec=1=x86_64_v3",
        "__cuda=12.8=0",
        "__glibc=2.36=0",
        "__linux=0=0",
        "__unix=0=0",
    ]
    assert [offer.name for offer in encode_virtual(target)] == [
        "__archspec",
        "__cuda",
        "__glibc",
        "__linux",
        "__unix",
    ]
