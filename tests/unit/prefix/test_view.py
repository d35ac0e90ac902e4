"""The undocumented contract with rattler's package cache, tried through `rattler.install` alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from envgen.events import NullReporter
from envgen.platforms import Platform
from envgen.prefix.contents import PythonLayout, read_contents
from envgen.prefix.installer import install
from envgen.prefix.view import build_view
from envgen.structs import replace
from tests.builders.extracted import make
from tests.unit.prefix.samples import ALPHA, CHANNEL, NOARCH, PYTHON, SITE

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.packages import ChannelArchive
    from envgen.prefix.contents import LinkPackage
    from envgen.system.store import Store

LAYOUT = PythonLayout(site_packages=SITE, scripts="bin", program="bin/python3.11")


def link_all(view: Path, prefix: Path, packages: list[LinkPackage], lost: dict[str, frozenset[str]]) -> None:
    view.mkdir()
    build_view(view, [read_contents(package, LAYOUT) for package in packages], lost)
    with NullReporter().progress("", total=None) as bar:
        install(
            packages,
            prefix,
            view=view,
            platform=Platform.LINUX_64,
            staying=(),
            alternative_prefix=None,
            bar=bar,
        )


@pytest.mark.parametrize("origin", [None, CHANNEL], ids=["without a digest", "with a digest"])
def test_an_entry_that_is_a_link_is_linked_through(store: Store, tmp_path: Path, origin: ChannelArchive | None) -> None:
    package = make(store, replace(ALPHA, origin=origin))
    link_all(tmp_path / "view", tmp_path / "env", [package], {})
    assert (tmp_path / "env/lib/liba.so.1").samefile(package.directory / "lib/liba.so.1")


def test_an_entry_without_its_lost_paths_is_linked_through(store: Store, tmp_path: Path) -> None:
    packages = [make(store, draft) for draft in (PYTHON, ALPHA, NOARCH)]
    lost = {"alpha": frozenset({"lib/liba.so.1"}), "pure": frozenset({"bin/pure", f"{SITE}/pure/__init__.py"})}
    link_all(tmp_path / "view", tmp_path / "env", packages, lost)
    assert not (tmp_path / "env/lib/liba.so.1").exists()
    assert not (tmp_path / "env/bin/pure").exists()
    assert (tmp_path / "env/bin/alpha").read_text().startswith("#!")
    record = json.loads((tmp_path / "env/conda-meta/pure-1.0-h1_0.json").read_text())
    assert record["files"] == ["bin/pure-run"]


def test_the_store_is_left_as_it_was(store: Store, tmp_path: Path) -> None:
    package = make(store, ALPHA)
    before = sorted(package.directory.rglob("*"))
    link_all(tmp_path / "view", tmp_path / "env", [package], {"alpha": frozenset({"bin/alpha"})})
    assert sorted(package.directory.rglob("*")) == before
