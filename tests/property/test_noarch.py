"""Packages of any layout are linked here as rattler links them: files, links, modes, records, and what is refused."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from envgen.errors import EnvgenError
from envgen.platforms import Platform
from envgen.prefix.link import link
from envgen.system.store import Store
from tests.builders.extracted import PLACEHOLDER, Draft, Link, make
from tests.unit.prefix.samples import BUILT, CHANNEL, PYTHON, tree

FOLDERS = ["site-packages/", "site-packages/a/", "python-scripts/", "bin/", "etc/", "lib/python3.11/site-packages/"]
NAMES = ["x.py", "é.txt", "run", "__init__.py", "b c", "pure"]
CONTENTS: list[str | Link] = [
    f"#!{PLACEHOLDER}/bin/python\nx",
    f"a {PLACEHOLDER} b",
    "plain",
    Link(to="x.py", listed=True),
    Link(to="../run", listed=True),
]
COMMANDS = ["pure = pure:main", "go=a.b:c.d", " t = x : y", "run = m:f", "r = m:f [x]", "é = m:f", "q = m", "w = :f"]

paths = st.builds(str.__add__, st.sampled_from(FOLDERS), st.sampled_from(NAMES))
drafts = st.builds(
    Draft,
    name=st.sampled_from(["one", "two", "three"]),
    files=st.dictionaries(paths, st.sampled_from(CONTENTS), max_size=6),
    noarch=st.sampled_from(["python", "python", "generic", None]),
    depends=st.just(("python",)),
    constrains=st.sampled_from([(), ("other >1",)]),
    entry_points=st.lists(st.sampled_from(COMMANDS), max_size=3, unique=True).map(tuple),
    origin=st.sampled_from([None, CHANNEL, BUILT]),
)


def linked(root: Path, packages: list[Draft], *, by_rattler: bool) -> dict[str, str] | type[EnvgenError]:
    store, prefix = Store(root / "store"), root / "env"
    with patch("envgen.prefix.direct._links_and_does_not_clone", side_effect=lambda *_: not by_rattler):
        try:
            made = [make(store, draft) for draft in (PYTHON, *packages)]
            link(made, prefix, store=store, platform=Platform.LINUX_64)
            return {path: f"{(prefix / path).lstat().st_mode:o} {text}" for path, text in tree(prefix).items()}
        except EnvgenError as error:
            return type(error)
        finally:
            shutil.rmtree(prefix, ignore_errors=True)


@settings(max_examples=80)
@given(st.lists(drafts, min_size=1, max_size=3, unique_by=lambda draft: draft.name))
def test_what_is_linked_is_what_rattler_links(packages: list[Draft]) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        here = linked(Path(folder), packages, by_rattler=False)
        assert here == linked(Path(folder), packages, by_rattler=True)
