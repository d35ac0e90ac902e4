"""The prefix as conda itself sees it: the conda 24.7 that conda-lock carries along."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import rattler
from conda_lock._vendor.conda.common.url import remove_auth
from conda_lock._vendor.conda.core.prefix_data import PrefixData
from conda_lock._vendor.conda.gateways.disk.test import is_conda_environment
from conda_lock._vendor.conda.plugins.subcommands.doctor import health_checks

from envgen.packages import Wheel
from envgen.platforms import Platform
from envgen.prefix.link import link
from envgen.structs import replace
from envgen.system.store import Store
from tests.builders.extracted import make
from tests.unit.prefix.samples import ALPHA, BETA, BUILT, CHANNEL, NOARCH, PYTHON

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    store = Store(tmp_path / "store")
    drafts = (replace(PYTHON, origin=BUILT), ALPHA, replace(BETA, origin=CHANNEL), NOARCH)
    packages = [make(store, draft) for draft in drafts]
    requested = {"alpha": "alpha ==1.0"}
    link(packages, tmp_path / "env", store=store, platform=Platform.LINUX_64, requested=requested)
    return tmp_path / "env"


def conda_records(prefix: Path) -> dict[str, Any]:
    return {record.name: record for record in PrefixData(prefix).iter_records()}  # type: ignore[no-untyped-call]  # conda has no types


def test_conda_takes_it_for_an_environment(prefix: Path) -> None:
    assert is_conda_environment(prefix)  # type: ignore[no-untyped-call]  # conda has no types


def test_conda_reads_every_record(prefix: Path) -> None:
    records = conda_records(prefix)
    assert sorted(records) == ["alpha", "beta", "pure", "python"]
    channels = {name: record.channel.canonical_name for name, record in records.items()}
    assert channels["alpha"] == "pypi"
    assert channels["beta"] == "https://channel.invalid/conda-forge"
    assert records["alpha"].requested_spec == "alpha ==1.0"


def test_conda_lists_urls(prefix: Path) -> None:
    """`conda list --explicit` takes each URL apart; a `pkg:pypi/...` kills it."""
    for record in conda_records(prefix).values():
        assert remove_auth(record.url) == record.url


def test_conda_finds_the_record_to_remove_a_package(prefix: Path) -> None:
    data = PrefixData(prefix)
    for record in conda_records(prefix).values():
        name = data._get_json_fn(record)  # type: ignore[no-untyped-call]  # conda has no types
        assert (prefix / "conda-meta" / name).exists()


def test_conda_doctor_is_content(prefix: Path) -> None:
    assert health_checks.find_packages_with_missing_files(prefix) == {}
    assert health_checks.find_altered_packages(prefix) == {}


def test_rattler_reads_every_record(prefix: Path) -> None:
    found = [rattler.PrefixRecord.from_path(path) for path in sorted((prefix / "conda-meta").glob("*.json"))]
    assert [record.name.normalized for record in found] == ["alpha", "beta", "pure", "python"]
    assert all(entry.sha256_in_prefix for record in found for entry in record.paths_data.paths)


def test_no_digest_is_claimed_for_a_wheel(prefix: Path) -> None:
    for path in (prefix / "conda-meta").glob("*.json"):
        record = json.loads(path.read_text())
        assert ("sha256" in record) == (record["channel"] != "pypi")
    assert isinstance(make(Store(prefix.parent / "store"), ALPHA).record.origin, Wheel)
