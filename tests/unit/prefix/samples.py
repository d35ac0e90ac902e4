"""Packages of a few files, and what tests of a prefix ask of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envgen.digest import Sha256
from envgen.events import NullReporter
from envgen.packages import BuiltArchive, ChannelArchive
from envgen.platforms import Platform
from envgen.prefix.link import link
from envgen.prefix.transaction import PRIVATE
from envgen.structs import replace
from tests.builders.extracted import PLACEHOLDER, Draft, Link, make

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.prefix.changes import PrefixChanges
    from envgen.system.store import Store

SITE = "lib/python3.11/site-packages"
PYTHON = Draft(name="python", version="3.11.2", files={"bin/python3.11": "elf"})
ALPHA = Draft(
    name="alpha",
    files={
        f"{SITE}/alpha/__init__.py": "1",
        f"{SITE}/shared/__init__.py": "",
        "bin/alpha": f"#!{PLACEHOLDER}/bin/python\n",
        "lib/liba.so": Link(to="liba.so.1"),
        "lib/liba.so.1": "elf a",
    },
)
BETA = Draft(name="beta", files={f"{SITE}/beta/__init__.py": "2", f"{SITE}/shared/__init__.py": ""})
NOARCH = Draft(
    name="pure",
    noarch="python",
    files={"site-packages/pure/__init__.py": "3", "python-scripts/pure-run": f"#!{PLACEHOLDER}/bin/python\n"},
    depends=("python",),
    entry_points=("pure = pure:main",),
)


class Listener(NullReporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


CHANNEL = ChannelArchive(
    url="https://user:secret@channel.invalid/t/token-1/conda-forge/linux-64/alpha-1.0-h1_0.conda",
    md5="0" * 32,
    sha256=Sha256("1" * 64),
    size=123,
)
BUILT = BuiltArchive(
    recipe="alpha",
    filename="alpha-1.0-h1_0.conda",
    md5="2" * 32,
    sha256=Sha256("3" * 64),
    content=Sha256("4" * 64),
    size=5,
)
MANY = tuple(
    Draft(name=f"p{number:02}", files={f"{SITE}/p{number:02}/f{i}.py": f"{number} {i}" for i in range(60)})
    for number in range(16)
)
AFTER = (*(replace(draft, version="2.0") for draft in MANY[4:]), replace(ALPHA, name="p99"), BETA)


@dataclass(frozen=True, kw_only=True)
class Linked:
    """What `link` did: packages as `name-version-build`, sorted, how many stayed, and what it returned."""

    linked: tuple[str, ...]
    unlinked: tuple[str, ...]
    unchanged: int
    changes: PrefixChanges


def run(store: Store, prefix: Path, *drafts: Draft, **more: Any) -> Linked:
    packages = [make(store, draft) for draft in drafts]
    changes = link(packages, prefix, store=store, platform=Platform.LINUX_64, **more)
    dists = {package.record.name: package.record.dist for package in packages}
    return Linked(
        linked=tuple(dists[name] for name in changes.link),
        unlinked=tuple(have.dist for have in changes.unlink),
        unchanged=len(changes.unchanged),
        changes=changes,
    )


def record(prefix: Path, name: str) -> dict[str, Any]:
    (path,) = (prefix / "conda-meta").glob(f"{name}-*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def tree(prefix: Path) -> dict[str, str]:
    """Return every file of a prefix with its content, except envgen's own."""
    files = (path for path in prefix.rglob("*") if path.is_symlink() or not path.is_dir())
    named = {path.relative_to(prefix).as_posix(): path for path in files}
    return {
        name: str(path.readlink()) if path.is_symlink() else path.read_text()
        for name, path in sorted(named.items())
        if name not in PRIVATE
    }


def fresh(store: Store, prefix: Path, *drafts: Draft) -> dict[str, str]:
    """Return the files of a new prefix; `prefix` must be empty."""
    run(store, prefix, *drafts)
    found = tree(prefix)
    shutil.rmtree(prefix)
    return found


def foreign(prefix: Path, name: str, *files: str) -> None:
    """Install a package as another tool does: its files over those that are there, and a record without a store."""
    for path in files:
        (prefix / path).parent.mkdir(parents=True, exist_ok=True)
        (prefix / path).unlink(missing_ok=True)
        (prefix / path).write_text(f"of {name}")
    paths = [{"_path": path, "path_type": "hardlink", "sha256": "0" * 64, "size_in_bytes": 1} for path in files]
    document = {"name": name, "version": "1", "build": "0", "files": files, "paths_data": {"paths": paths}}
    (prefix / f"conda-meta/{name}-1-0.json").write_text(json.dumps(document))
