"""Packages into a prefix without rattler: hard links, and the few links and texts that are written for each prefix.

Most packages are nothing else, those of `noarch: python` too: their files get another path, and commands are texts.
Rattler would read their `info/` again, take each file for itself and wait for the disk with each record; it serves what
has more to it (see `direct_packages`), and file systems that clone files.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import sys
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import HostError
from envgen.paths import folders_of
from envgen.prefix.conda_meta import META, join_entries
from envgen.prefix.facts import as_recorded
from envgen.prefix.texts import COMMAND_MODE, command_text, relocated
from envgen.system.fork import shared
from envgen.system.fs import TEMPORARY, write_anew
from envgen.system.os_faults import os_fault
from envgen.system.reflink import reflink

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envgen.platforms import Platform
    from envgen.prefix.brought import Brought
    from envgen.prefix.contents import LinkPackage
    from envgen.prefix.facts import PackageFacts
    from envgen.system.seal import Statuses

_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})
"""What a file system says that has no hard links, or no more of this file."""


class DirectPackage(Struct, frozen=True, kw_only=True):
    """A package that is linked here.

    Attributes:
        package: extracted.
        facts: of it.
        owned: those of its paths that it has in the prefix.
        texts: path -> bytes with the path of the environment.
    """

    package: LinkPackage
    facts: PackageFacts
    owned: frozenset[str]
    texts: Mapping[str, bytes]

    @property
    def plain(self) -> Sequence[str]:
        """Paths of files to link, sorted."""
        return self.facts.paths if self.is_whole else [path for path in self.facts.paths if path in self.owned]

    @property
    def is_whole(self) -> bool:
        """Return whether the package has all of its paths in the prefix."""
        return len(self.owned) == len(self.facts.paths) + len(self.facts.made) + len(self.facts.commands)

    @property
    def files(self) -> list[str]:
        """Every path in the prefix, sorted."""
        return sorted(filter(self.owned.__contains__, self.facts.every_path()))  # fast, for most of it is sorted

    @property
    def links(self) -> dict[str, str]:
        """Return paths of symbolic links -> targets."""
        return {path: to for path, to in self.facts.links.items() if path in self.owned}

    def shared(self, statuses: Statuses) -> Statuses:
        """Return the statuses of the package's files that are files of the prefix as well, of all in the store."""
        if self.facts.moved:
            places = {source: path for path, source in self.facts.moved.items()}
            statuses = {places.get(path, path): status for path, status in statuses.items()}
        made = self.facts.made
        return {path: status for path, status in statuses.items() if path not in made} if made else statuses

    def digests(self, paths: Collection[str]) -> dict[str, str]:
        """Return the sha256 in the prefix of those of some paths that are files of the package."""
        wanted = self.owned.intersection(paths)
        found = (
            {path: json.loads(entry)["sha256"] for path, entry in self.facts.select(wanted).items()} if wanted else {}
        )
        return found | {path: Sha256.of(text) for path, text in self.texts.items() if path in wanted}

    def entries(self, link_digests: Mapping[str, str]) -> str:
        """Return what a record says of each file, in the order of their paths, from `join_entries`.

        Args:
            link_digests: path of a link -> sha256 of the file that it leads to.
        """
        made = self.facts.made
        found = {path: as_recorded(made[path], link_digests.get(path)) for path in self.links}
        found |= {path: self._text_entry(path, text) for path, text in self.texts.items()}
        if self.is_whole:
            return self.facts.entries_with(found)
        found |= self.facts.select(self.owned)
        return join_entries(found[path] for path in sorted(found))

    def _text_entry(self, path: str, text: bytes) -> str:
        digest, command = Sha256.of(text), {"_path": path, "path_type": "unix_python_entry_point"}
        entry = {**command, "sha256": digest} if path in self.facts.commands else self.facts.made[path]
        return as_recorded({**entry, "size_in_bytes": len(text)}, digest)


def direct_packages(
    coming: Iterable[Brought],
    prefix: Path,
    *,
    owned: Mapping[str, frozenset[str]],
    platform: Platform,
    stands_at: str,
    view: Path,
) -> list[DirectPackage]:
    """Choose the packages that can be linked here; rattler has to take the others.

    Those are packages without facts, and those with a script whose first line rattler would write in another form,
    for it would be too long or hold a space; all packages for other systems than Linux; and all where the file system
    clones files, or where the store is on another one.

    Args:
        coming: packages to link.
        prefix: the environment, which exists.
        owned: name -> paths that the package has in the prefix.
        platform: of the environment.
        stands_at: path of the environment that files will hold.
        view: an empty folder on the store's file system.

    Raises:
        HostError: a file of a package cannot be read.
    """
    if not (platform.is_linux and _links_and_does_not_clone(view, prefix)):
        return []
    found = []
    for one in coming:
        texts = _texts(one, owned[one.name], stands_at)
        if one.facts is not None and texts is not None:
            direct = DirectPackage(package=one.package, facts=one.facts, owned=owned[one.name], texts=texts)
            found.append(direct)
    return found


@contextmanager
def link_directly(
    prefix: Path, packages: Sequence[DirectPackage], advance: Callable[[int], object], *, skeleton: bool = False
) -> Iterator[None]:
    """Make the files of packages in a prefix, from when the block begins; files that are in the way are replaced.

    The block can use the time, for another process has begun. Each package makes its own folders.

    Args:
        prefix: the environment.
        packages: from `direct_packages`.
        advance: told of each package.
        skeleton: leave out what would be hard links.

    Raises:
        HostError: a file cannot be linked.
        UserError: the disk is full, or the prefix may not be written to.
    """
    make = partial(_make_files, f"{prefix}/", set[str](), skeleton=skeleton)
    ordered = sorted(packages, key=lambda one: len(one.owned), reverse=True)
    try:
        with shared(ordered, make, advance) as finish:
            yield
            finish()
    except OSError as error:
        raise os_fault(error, prefix) or HostError(f"failed to link packages into `{prefix}`: {error}") from error


def _texts(one: Brought, owned: Collection[str], stands_at: str) -> dict[str, bytes] | None:
    """Write the texts of a package; None where rattler has to."""
    facts = one.facts
    if facts is None:
        return None
    found: dict[str, bytes | None] = {}
    for path in facts.made.keys() - facts.links.keys():
        if path in owned:
            data = _read(one.package.directory / facts.source(path))
            found[path] = relocated(data, facts.made[path]["prefix_placeholder"], stands_at)
    program = f"{stands_at}/{one.python.program}" if one.python else ""
    found |= {path: command_text(target, program) for path, target in facts.commands.items() if path in owned}
    written = {path: text for path, text in found.items() if text is not None}
    return written if len(written) == len(found) else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HostError(f"failed to read `{path}`: {error.strerror}") from error


def _links_and_does_not_clone(view: Path, prefix: Path) -> bool:
    """Return whether files of the store can be linked, and are not to be cloned, as rattler does where it can."""
    source, target = view / "probe", prefix / META / f"{TEMPORARY}probe"
    source.write_bytes(b"probe")
    try:
        target.unlink(missing_ok=True)
        target.hardlink_to(source)
        target.unlink()
        return not _clones(source, target)
    except OSError:
        return False
    finally:
        target.unlink(missing_ok=True)
        source.unlink()


def _clones(source: Path, target: Path) -> bool:
    if sys.platform != "linux":
        return True
    with source.open("rb") as there, target.open("wb") as here:
        return reflink(there, here)


def _make_files(start: str, made: set[str], one: DirectPackage, *, skeleton: bool) -> None:
    """Make the files of a package; tens of thousands of paths: text is five times as fast as `Path` here.

    Args:
        start: path of the prefix, with a slash.
        made: folders that are there.
        one: the package.
        skeleton: make no hard links.
    """
    below, moved = f"{one.package.directory}/", one.facts.moved
    paths = (*one.links, *one.texts) if skeleton else one.owned
    for folder in sorted(folders_of(paths).keys() - made):
        with suppress(FileExistsError):
            os.mkdir(start + folder)  # noqa: PTH102
        made.add(folder)
    for path in () if skeleton else one.plain:
        _hard_link(below + moved.get(path, path), start + path)
    for path, target in one.links.items():
        with suppress(FileNotFoundError):
            os.unlink(start + path)  # noqa: PTH108
        os.symlink(target, start + path)  # noqa: PTH211
    for path, text in one.texts.items():
        write_anew(start + path, text, mode=_mode(one, path))


def _mode(one: DirectPackage, path: str) -> int:
    if path in one.facts.commands:
        return COMMAND_MODE
    return stat.S_IMODE((one.package.directory / one.facts.source(path)).stat().st_mode)


def _hard_link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        os.unlink(target)  # noqa: PTH108
        _hard_link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copy2(source, target)
