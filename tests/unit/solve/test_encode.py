from __future__ import annotations

import pytest

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


def test_a_channels_record_without_digests_cannot_be_locked() -> None:
    record = conda_record("spam")
    record.md5 = None
    with pytest.raises(IntegrityError, match=r"no md5 for `spam-1\.0-0\.conda`"):
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
