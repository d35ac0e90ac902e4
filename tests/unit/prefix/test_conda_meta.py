"""Records say the truth, for each way in which a package can come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import rattler
from hypothesis import given
from hypothesis import strategies as st

from envgen.digest import Sha256
from envgen.platforms import Platform
from envgen.prefix.conda_meta import render
from envgen.prefix.link import link
from envgen.prefix.verify import verify_prefix
from envgen.structs import replace
from tests.builders.extracted import Draft, make
from tests.unit.prefix.samples import ALPHA, BUILT, CHANNEL, NOARCH, PYTHON, record, run, tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envgen.system.store import Store

TRUTHS: dict[str, tuple[Draft, dict[str, object]]] = {
    "wheel": (
        ALPHA,
        {
            "url": f"pkg://pypi/alpha@1.0?checksum=sha256:{Sha256.of(b'alpha-1.0-py3-none-any.whl')}"
            "&file_name=alpha-1.0-py3-none-any.whl",
            "channel": "pypi",
            "sha256": None,
            "md5": None,
            "size": None,
        },
    ),
    "channel": (
        replace(ALPHA, origin=CHANNEL),
        {
            "url": "https://channel.invalid/conda-forge/linux-64/alpha-1.0-h1_0.conda",
            "channel": "https://channel.invalid/conda-forge",
            "sha256": "1" * 64,
            "md5": "0" * 32,
            "size": 123,
        },
    ),
    "built": (
        replace(ALPHA, origin=BUILT),
        {
            "url": "pkg://conda/alpha@1.0?build=h1_0&subdir=linux-64",
            "channel": "local",
            "sha256": "3" * 64,
            "md5": "2" * 32,
            "size": 5,
        },
    ),
}


@pytest.mark.parametrize(("draft", "truth"), TRUTHS.values(), ids=TRUTHS)
def test_a_record_tells_where_its_package_came_from(
    store: Store, prefix: Path, draft: Draft, truth: Mapping[str, object]
) -> None:
    package = make(store, draft)
    link([package], prefix, store=store, platform=Platform.LINUX_64, requested={"alpha": "alpha ==1.0"})
    found = record(prefix, "alpha")
    assert {key: found.get(key) for key in truth} == truth
    assert found["extracted_package_dir"] == found["link"]["source"] == str(package.directory)
    assert found["requested_spec"] == "alpha ==1.0"
    assert found["fn"] == "alpha-1.0-h1_0.conda"
    assert (prefix / "conda-meta/alpha-1.0-h1_0.json").stat().st_mode & 0o777 == 0o644
    read = rattler.PrefixRecord.from_path(prefix / "conda-meta/alpha-1.0-h1_0.json")
    assert (read.url, read.name.normalized, len(read.files)) == (truth["url"], "alpha", 5)


def test_every_file_has_its_digest_in_the_prefix(store: Store, prefix: Path) -> None:
    run(store, prefix, ALPHA)
    entries = {entry["_path"]: entry for entry in record(prefix, "alpha")["paths_data"]["paths"]}
    for path, entry in entries.items():
        assert entry["sha256_in_prefix"] == Sha256.of((prefix / path).read_bytes())


def test_what_the_spec_asks_for_is_told_without_linking_anew(store: Store, prefix: Path) -> None:
    run(store, prefix, ALPHA, requested={"alpha": "alpha >=1"})
    result = run(store, prefix, ALPHA, requested={})
    assert result.unchanged == 1
    assert "requested_spec" not in record(prefix, "alpha")
    assert verify_prefix(prefix) == ()


def test_for_another_prefix_nothing_tells_of_this_machine(store: Store, prefix: Path) -> None:
    run(store, prefix, PYTHON, ALPHA, NOARCH, alternative_prefix="/opt/env")
    assert (prefix / "bin/alpha").read_text() == "#!/opt/env/bin/python\n"
    assert not [name for name, text in tree(prefix).items() if str(prefix.parent) in text]
    assert verify_prefix(prefix) == ()


def line_by_line(document: Mapping[str, object], files: Sequence[str], entries: Sequence[Mapping[str, str]]) -> str:
    """Write a record as `render` does, one path after another."""
    lines = ",\n".join(f"    {json.dumps(name)}" for name in files)
    more = ",\n".join(f"      {json.dumps(entry, sort_keys=True)}" for entry in entries)
    head = json.dumps(document, indent=2, sort_keys=True).removesuffix("\n}")
    data = f'  "paths_data": {{\n    "paths_version": 1,\n    "paths": [\n{more}\n    ]\n  }}'
    return f'{head},\n  "files": [\n{lines}\n  ],\n{data}\n}}\n'


NAMES = st.lists(st.text(max_size=9) | st.sampled_from(["", ", ", '", "', "}, {", '}, {"_path": "', "a}", "\\", '"']))


@given(names=NAMES)
def test_every_path_has_a_line_whatever_it_is_called(names: list[str]) -> None:
    head = {"name": "alpha", "version": "1.0"}
    entries = [{"_path": name, "path_type": "hardlink", "sha256": name} for name in sorted(names)]
    record = {**head, "files": names, "paths_data": {"paths_version": 1, "paths": entries}}
    assert render(record) == line_by_line(head, sorted(names), entries)
    assert json.loads(render(record))["paths_data"]["paths"] == entries
