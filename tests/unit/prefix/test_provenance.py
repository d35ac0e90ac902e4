"""What records say of origins: URLs without secrets, package URLs of what has none."""

from __future__ import annotations

from pathlib import Path

from envgen.names import CondaName
from envgen.prefix.contents import LinkPackage
from envgen.prefix.provenance import provenance, wheel_purl
from envgen.records import Record
from envgen.structs import replace
from tests.builders.extracted import wheel
from tests.unit.prefix.samples import BUILT


def test_a_local_version_is_escaped() -> None:
    found = wheel_purl(replace(wheel("torch"), version="2.8.0+cu128", filename="torch-2.8.0+cu128-py3-none-any.whl"))
    assert found.startswith("pkg://pypi/torch@2.8.0%2Bcu128?checksum=sha256:")
    assert found.endswith("&file_name=torch-2.8.0%2Bcu128-py3-none-any.whl")


def built() -> LinkPackage:
    record = Record(
        name=CondaName("python"),
        version="3.11.2",
        build="h1_0",
        build_number=0,
        subdir="linux-64",
        depends=(),
        origin=BUILT,
    )
    return LinkPackage(record=record, directory=Path("/store/packages/python-3.11.2-h1_0-0123"))


def test_a_package_that_was_built_here_is_local() -> None:
    found = provenance(built(), portable=False)
    assert (found.url, found.channel) == ("pkg://conda/python@3.11.2?build=h1_0&subdir=linux-64", "local")
    assert found.source == Path("/store/packages/python-3.11.2-h1_0-0123")
