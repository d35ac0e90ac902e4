from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import conda_lock.content_hash as theirs
import pytest
import yaml
from conda_lock.lockfile import parse_conda_lock_file

from envgen.errors import LockError
from envgen.lock.cep37 import content_hash, document
from envgen.lock.read import read_lock
from envgen.lock.render import render_lock
from envgen.manifest.adjust import ADJUSTMENTS
from envgen.names import ProjectName
from envgen.packages import ChannelPackage, Wheel
from envgen.structs import replace
from tests.unit.lock import samples

if TYPE_CHECKING:
    from pathlib import Path


def test_it_reads_back_as_it_was() -> None:
    assert read_lock(render_lock(samples.lock())) == samples.lock()


def test_adjustments_read_back_as_they_were_and_leave_no_trace_where_there_are_none() -> None:
    adjusted = samples.lock(wanted=samples.spec(samples.SPEC + samples.ADJUSTMENTS))
    text = render_lock(adjusted)
    assert read_lock(text) == adjusted
    keys = yaml.safe_load(text)["metadata"]["custom_metadata"].keys()
    added = keys - yaml.safe_load(render_lock(samples.lock()))["metadata"]["custom_metadata"].keys()
    assert added == {f"envgen.{key}" for key in ADJUSTMENTS}


def test_the_order_of_records_does_not_matter() -> None:
    assert render_lock(samples.lock(*reversed(samples.records()))) == render_lock(samples.lock())


def test_conda_lock_parses_it(tmp_path: Path) -> None:
    path = tmp_path / "sample.linux-64.conda-lock.yml"
    path.write_text(render_lock(samples.lock()))
    found = parse_conda_lock_file(path)
    assert {(p.manager, p.name, p.version) for p in found.package} == {
        ("pip" if isinstance(p, Wheel) else "conda", p.name, p.version) for p in samples.lock().packages
    }
    assert found.metadata.channels[-1].url == "${ENVGEN_CHANNEL}"
    assert found.metadata.channels[-1].used_env_vars == ("ENVGEN_CHANNEL", "ENVGEN_PYPI")


def test_no_keys_but_those_of_cep_37() -> None:
    written = yaml.safe_load(render_lock(samples.lock()))
    assert set(written) == {"version", "metadata", "package"}
    assert set(written["metadata"]) == {"content_hash", "channels", "platforms", "sources", "custom_metadata"}
    common = {"name", "version", "manager", "platform", "dependencies", "url", "hash", "category", "optional"}
    for package in written["package"]:
        is_conda = package["manager"] == "conda"
        assert set(package) == common | ({"build"} if is_conda else set())
        assert set(package["hash"]) == {"sha256"} | ({"md5"} if is_conda else set())
    assert all(isinstance(v, str) for v in written["metadata"]["custom_metadata"].values())


def test_the_content_hash_is_hashed_as_conda_lock_hashes() -> None:
    entries = document(samples.lock())["package"]
    as_theirs = theirs._dict_to_hash(entries)
    assert content_hash(entries) == as_theirs
    assert as_theirs == hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


def test_the_content_hash_is_over_the_packages_alone() -> None:
    lock = samples.lock()
    other_settings = document(replace(lock, converter=9, python="3.11.9", debian=None))
    other_package = document(replace(lock, packages=lock.packages[:-1]))
    assert other_settings["metadata"]["content_hash"] == document(lock)["metadata"]["content_hash"]
    assert other_package["metadata"]["content_hash"] != document(lock)["metadata"]["content_hash"]


def test_two_entries_of_one_name_are_refused() -> None:
    lock = samples.lock()
    with pytest.raises(LockError, match="`torch` is listed twice"):
        render_lock(replace(lock, packages=(*lock.packages, lock.packages[-1])))


def test_a_conda_and_a_pip_entry_may_share_a_name() -> None:
    lock = samples.lock(*samples.records(), samples.wheel("graphviz", "0.21"))
    assert [p.name for p in read_lock(render_lock(lock)).packages].count("graphviz") == 2


def test_conda_locks_refusal_is_told_with_its_place() -> None:
    lock = samples.lock()
    empty = _at(_conda(lock.packages[0]), "")
    with pytest.raises(LockError, match=r"violates CEP 37:\npackage\.0\.url: .*URL cannot be empty"):
        render_lock(replace(lock, packages=(empty, *lock.packages[1:])))


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("https://user:secret@conda.example.org/a/linux-64/x-1-0.conda", "credentials in a URL"),
        ("https://conda.example.org/t/tk-123/a/linux-64/x-1-0.conda", "a token in a URL"),
        ("https://conda.example.org/api/t/aa-1234567890abcdef/a/linux-64/x-1-0.conda", "a token in a URL"),
        ("file:///home/somebody/channel/linux-64/x-1-0.conda", "a path in a home folder"),
        ("/Users/somebody/channel/linux-64/x-1-0.conda", "a path in a home folder"),
        ("file://C:\\channel\\linux-64\\x-1-0.conda", "a Windows path"),
    ],
)
def test_what_must_stay_here_is_not_written(url: str, what: str) -> None:
    lock = samples.lock()
    leaking = _at(_conda(lock.packages[0]), url)
    with pytest.raises(LockError, match=f"would contain {what}") as caught:
        render_lock(replace(lock, packages=(leaking, *lock.packages[1:])))
    assert "secret" not in str(caught.value)
    assert "tk-123" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://conda.example.org/home/${TOKEN}/linux-64/x-1-0.conda",
        "https://conda.example.org/t/${TOKEN}/linux-64/x-1-0.conda",
        "https://conda.example.org/pool/main/t/tzdata/linux-64/x-1-0.conda",
        "file:///srv/t/tk-123/linux-64/x-1-0.conda",
    ],
)
def test_what_looks_like_a_leak_but_is_none_is_written(url: str) -> None:
    lock = samples.lock()
    innocent = _at(_conda(lock.packages[0]), url)
    assert url in render_lock(replace(lock, packages=(innocent, *lock.packages[1:])))


def test_nothing_folds_and_nothing_is_an_alias() -> None:
    requires = {ProjectName(f"project-{n:03}"): ">=1" for n in range(50)}
    wheels = tuple(
        Wheel(
            project=ProjectName(f"w{n}"),
            version="1",
            filename=f"w{n}-1-py3-none-any.whl",
            sha256=samples.digest(str(n)),
            size=None,
            requires=requires,
        )
        for n in range(2)
    )
    text = render_lock(replace(samples.lock(), packages=wheels))
    assert "&id" not in text
    assert all(line.startswith(("#", "-", "  ", "version", "metadata", "package")) for line in text.splitlines())


def _conda(package: object) -> ChannelPackage:
    assert isinstance(package, ChannelPackage)
    return package


def _at(package: ChannelPackage, url: str) -> ChannelPackage:
    return replace(package, archive=replace(package.archive, url=url))
