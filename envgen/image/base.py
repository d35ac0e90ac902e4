"""The base of an image: Debian packages as files, without running anything of theirs.

What their maintainer scripts would have done and what an image needs of it is done here: links of the merged `/usr`,
the bundle of certificates, alternatives, the cache of the dynamic loader, and a record of the packages for scanners.
The base does not depend on user, prefix or services, so all environments share it.
"""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

from envgen.convert.deb_unpack import Unpacking
from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.image import dpkg, ldcache
from envgen.image.base_files import DIRECTORIES, TEXTS, alternatives, merged_links
from envgen.image.entries import EXECUTABLE, PLAIN, Directory, Entry, File, Link, OnDisk, file
from envgen.manifest.image_spec import DROP
from envgen.whiteout import is_whiteout, refuse_whiteouts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from envgen.debs import Deb
    from envgen.platforms import Platform

BASE_VERSION = 1
"""Counts changes of this code that change the bytes it makes."""

_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_CERTIFICATES = "usr/share/ca-certificates"
_LOCAL = "usr/local/share/ca-certificates"
"""Where Debian's users put authorities of their own."""

_COPIES = {
    "etc/nsswitch.conf": "usr/share/libc-bin/nsswitch.conf",
    "etc/profile": "usr/share/base-files/profile",
    "root/.bashrc": "usr/share/base-files/dot.bashrc",
    "root/.profile": "usr/share/base-files/dot.profile",
}
"""What scripts copy: path -> where it is in the package."""


def base_digest(
    debs: Collection[Deb], *, drop: Sequence[str], platform: Platform, certificates: Mapping[str, bytes] | None = None
) -> Sha256:
    """Digest all that determines the files of a base."""
    inputs = [BASE_VERSION, platform, sorted(deb.sha256 for deb in debs), sorted(drop)]
    if certificates:  # most images have none, and their layers stay what they are
        inputs.append(sorted((name, Sha256.of(text)) for name, text in certificates.items()))
    return Sha256.of(json.dumps(inputs).encode())


def base_entries(
    debs: Mapping[Deb, Path],
    *,
    drop: Sequence[str],
    platform: Platform,
    folder: Path,
    certificates: Mapping[str, bytes] | None = None,
    warn: Callable[[str], object] = lambda _text: None,
) -> tuple[Entry, ...]:
    """Unpack packages and complete them to a system.

    Args:
        debs: each package and where its `.deb` lies, verified.
        drop: patterns of files that are left out.
        platform: whose packages they are.
        folder: an empty folder that takes the files; entries point into it.
        certificates: name of a file -> certificates in PEM that are trusted beside those of packages.
        warn: told of patterns that match nothing, those apart that every base has.

    Returns:
        Everything that is in the base, sorted by path; no path is there twice.

    Raises:
        ArtifactError: a `.deb` that must not be used, or two packages with different files of one name.
        UserError: packages without which there is no system, or a file that no image can hold.
    """
    root, licenses = folder / "root", folder / "licenses"
    unpacking = Unpacking(root=root, licenses=licenses, drop=drop)
    controls = {}
    for deb in sorted(debs, key=lambda deb: deb.name):
        with debs[deb].open("rb") as stream:
            controls[deb.name] = unpacking.add(deb, stream)
    for text in unpacking.idle(expected=DROP):
        warn(f"`image.base`: {text}")
    for path in filter(is_whiteout, unpacking.paths()):
        refuse_whiteouts(unpacking.owner(path), (path,))
    found = {path: _entry(path, unpacking) for path in unpacking.paths()}
    found |= {entry.path: entry for entry in _licenses(licenses)}
    own = certificates or {}
    found |= {f"{_LOCAL}/{name}": file(f"{_LOCAL}/{name}", text) for name, text in own.items()}
    _add(found, _made(found, root, platform=platform, certificates=own))
    _add(found, dpkg.status(controls, paths=found))
    return tuple(found[path] for path in sorted(found))


def _made(
    found: Mapping[str, Entry], root: Path, *, platform: Platform, certificates: Mapping[str, bytes]
) -> Iterator[Entry]:
    """Yield the entries that no package has, the preferred first where a path occurs twice."""
    yield from merged_links(found)
    yield from alternatives(found)
    yield from (Directory(path=path, mode=mode) for path, mode in DIRECTORIES.items())
    for path, source in _COPIES.items():
        if source in found:
            yield file(path, (root / source).read_bytes())
    yield from (file(path, text) for path, text in TEXTS.items())
    yield Link(path="etc/localtime", target="../usr/share/zoneinfo/Etc/UTC")
    yield file(_BUNDLE, _bundle(found, root, certificates))
    yield file(ldcache.PATH, ldcache.render(ldcache.scan(root, platform=platform)))


def _bundle(found: Mapping[str, Entry], root: Path, certificates: Mapping[str, bytes]) -> bytes:
    """Join the certificates, sorted by path; those of the spec come last, as with `update-ca-certificates`."""
    paths = [path for path in sorted(found) if path.startswith(f"{_CERTIFICATES}/") and path.endswith(".crt")]
    if not paths:
        raise UserError(
            "the base of the image has no CA certificates", hint="add `ca-certificates` to `image.base.packages`"
        )
    texts = [*((root / path).read_bytes() for path in paths), *(certificates[name] for name in sorted(certificates))]
    return b"".join(text.rstrip(b"\n") + b"\n" for text in texts)


def _licenses(folder: Path) -> Iterator[File]:
    for path in sorted(folder.glob("*/copyright")):
        yield file(f"usr/share/doc/{path.parent.name}/copyright", path.read_bytes())


def _entry(path: str, unpacking: Unpacking) -> Entry:
    on_disk = unpacking.root / path
    status = on_disk.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Link(path=path, target=str(on_disk.readlink()))
    source = OnDisk(on_disk=str(on_disk), sha256=unpacking.digest(path), size=status.st_size)
    return File(path=path, source=source, mode=EXECUTABLE if status.st_mode & stat.S_IXUSR else PLAIN)


def _add(found: dict[str, Entry], more: Iterator[Entry]) -> None:
    """Add what is not there yet: the first to have a path keeps it."""
    for entry in more:
        found.setdefault(entry.path, entry)
