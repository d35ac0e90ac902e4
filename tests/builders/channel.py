"""A conda channel made of bytes: handmade `.conda` archives and `repodata.json` for each platform."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import zstandard
from msgspec import Struct, field

from tests.builders.tree import File, Link, make_tar

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMESTAMP = 1_767_322_800_000
"""Milliseconds since 1970 of every package."""


class CondaPackage(Struct, frozen=True, kw_only=True):
    """What a `.conda` is made from.

    Attributes:
        files: path below the prefix -> entry.
        placeholders: path -> the text in that file which installing replaces by the prefix.
        claims: fields of the archive's own `info/index.json` that differ from what the channel says.
        listed: entries of `info/paths.json` that come in place of those of the files, or further ones.
    """

    name: str
    version: str = "1.0"
    build: str = "0"
    build_number: int = 0
    subdir: str = "linux-64"
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    noarch: str | None = None
    license: str = "MIT"
    files: Mapping[str, File | Link] = field(default_factory=dict)
    placeholders: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)
    listed: tuple[Mapping[str, Any], ...] = ()

    @property
    def dist(self) -> str:
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def filename(self) -> str:
        return f"{self.dist}.conda"

    def index(self) -> dict[str, Any]:
        """Return the package's `info/index.json`."""
        return {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": self.build_number,
            "subdir": self.subdir,
            "depends": list(self.depends),
            "constrains": list(self.constrains),
            "license": self.license,
            "timestamp": TIMESTAMP,
            **({"noarch": self.noarch} if self.noarch else {}),
        }

    def paths(self) -> dict[str, Any]:
        """Return the package's `info/paths.json`."""
        stated = {entry["_path"] for entry in self.listed}
        own = [self._path(p, e) for p, e in sorted(self.files.items()) if p not in stated]
        return {"paths_version": 1, "paths": [*own, *self.listed]}

    def _path(self, path: str, entry: File | Link) -> dict[str, Any]:
        data = entry.data if isinstance(entry, File) else b""
        found = {
            "_path": path,
            "path_type": "hardlink" if isinstance(entry, File) else "softlink",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_in_bytes": len(data),
        }
        if path in self.placeholders:
            found |= {"prefix_placeholder": self.placeholders[path], "file_mode": "text"}
        return found


def make_conda(package: CondaPackage) -> bytes:
    """Write a `.conda`: a stored zip of two zstd tars (CEP 35)."""
    info = {
        "info/index.json": File(_json({**package.index(), **package.claims})),
        "info/paths.json": File(_json(package.paths())),
        "info/files": File("".join(f"{path}\n" for path in sorted(package.files)).encode()),
    }
    if package.noarch == "python":
        info["info/link.json"] = File(_json({"noarch": {"type": "python"}, "package_metadata_version": 1}))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("metadata.json", _json({"conda_pkg_format_version": 2}))
        for kind, files in (("pkg", package.files), ("info", info)):
            tar = make_tar(files, folders=False)
            archive.writestr(f"{kind}-{package.dist}.tar.zst", zstandard.ZstdCompressor().compress(tar))
    return out.getvalue()


class Channel(Struct):
    """A conda channel below `prefix`."""

    prefix: str = "/channel"
    _packages: dict[tuple[str, str], tuple[CondaPackage, bytes]] = field(default_factory=dict)

    def add(self, *packages: CondaPackage) -> None:
        """Offer packages."""
        for package in packages:
            self._packages[package.subdir, package.filename] = (package, make_conda(package))

    def remove(self, *names: str) -> None:
        """Remove every version of some packages."""
        self._packages = {k: made for k, made in self._packages.items() if made[0].name not in names}

    def site(self) -> dict[str, bytes]:
        """Return the channel as path -> body."""
        subdirs = {"noarch", "linux-64", "linux-aarch64", *(subdir for subdir, _ in self._packages)}
        site = {f"{self.prefix}/{s}/repodata.json": _json(self._repodata(s)) for s in sorted(subdirs)}
        return site | {f"{self.prefix}/{s}/{name}": data for (s, name), (_, data) in self._packages.items()}

    def _repodata(self, subdir: str) -> dict[str, Any]:
        return {
            "info": {"subdir": subdir},
            "packages": {},
            "packages.conda": {
                name: package.index() | _digests(data)
                for (s, name), (package, data) in sorted(self._packages.items())
                if s == subdir
            },
            "repodata_version": 1,
        }


def _digests(data: bytes) -> dict[str, Any]:
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {"md5": md5, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def _json(document: object) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True).encode()
