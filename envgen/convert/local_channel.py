"""A channel that one build reads: a directory of archives with `repodata.json` in each subdir.

rattler's indexer is not used, unlike where packages are published: it writes the time of day into each record, and
took 20 s for archives of 0.8 GB that can be digested in 3.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.convert.conda_archive import write_conda
from envgen.convert.package import read_index
from envgen.system.fs import atomic_path, atomic_write, file_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envgen.convert.conda_archive import CondaArchive

_LOCK_TIMEOUT = 60.0
"""Seconds to wait for another process that indexes the same subdir, which takes it milliseconds."""


class LocalChannel(Struct, frozen=True):
    """A channel below a directory, which need not exist yet."""

    root: Path

    def add(self, package_dir: Path) -> CondaArchive:
        """Write the archive of an extracted package and list it; one of the same name is replaced.

        Raises:
            ArtifactError: the directory is no conda package.
        """
        index = read_index(package_dir)
        stem = f"{index['name']}-{index['version']}-{index['build']}"
        folder = self._folder(index.get("subdir", "noarch"))
        with atomic_path(folder / f"{stem}.conda") as temporary, temporary.open("w+b") as out:
            archive = write_conda(package_dir, out, stem=stem)
        self._list(folder, {f"{stem}.conda": _entry(index, archive)})
        return archive

    def _folder(self, subdir: str) -> Path:
        """Make a subdir, and `noarch`, without which a directory is not a channel."""
        for name in ("noarch", subdir):
            folder = self.root / name
            with _alone(folder):  # or the empty document would wipe out what another thread has listed meanwhile
                if not (folder / "repodata.json").exists():
                    _write_repodata(folder, {})
        return self.root / subdir

    def _list(self, folder: Path, entries: Mapping[str, dict[str, Any]]) -> None:
        with _alone(folder):
            repodata = json.loads((folder / "repodata.json").read_text(encoding="utf-8"))
            _write_repodata(folder, {**repodata["packages.conda"], **entries})


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes and threads from a subdir's `repodata.json`: hold this from looking at it to writing it."""
    with file_lock(folder / ".repodata.lock", timeout=_LOCK_TIMEOUT):
        yield


def _entry(index: Mapping[str, Any], archive: CondaArchive) -> dict[str, Any]:
    return {**index, "md5": archive.md5, "sha256": archive.sha256, "size": archive.size}


def _write_repodata(folder: Path, entries: Mapping[str, dict[str, Any]]) -> None:
    """Write CEP 36's document, one record a line and sorted: diffs stay readable."""
    records = ",\n".join(f"{json.dumps(name)}: {json.dumps(entries[name], sort_keys=True)}" for name in sorted(entries))
    info = json.dumps({"subdir": folder.name})
    text = f'{{"info": {info}, "packages": {{}}, "packages.conda": {{\n{records}\n}}, "repodata_version": 1}}\n'
    atomic_write(folder / "repodata.json", text)
