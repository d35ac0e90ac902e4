"""The environment of an image: packages linked as `create` links them, and told as entries.

Only packages whose layers are not in the store are linked, into a folder that goes away; prefixes in files are those
of the image. What linking leaves as the wheel had it is taken from the wheel.
"""

from __future__ import annotations

import json
import os
import posixpath
import stat
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from envgen.convert.wheel_unpack import open_wheel
from envgen.digest import Sha256
from envgen.errors import ArtifactError, EnvgenError
from envgen.image.entries import EXECUTABLE, PLAIN, Directory, File, InWheel, Link, Literal, OnDisk
from envgen.image.layer_plan import LayerGroup, LayerPart
from envgen.image.pyc import Code, Workers, compile_all
from envgen.packages import Wheel
from envgen.paths import folders_of
from envgen.prefix.conda_meta import META, load, paths_of, record_path
from envgen.prefix.contents import Contents, python_layout, read_contents, read_paths
from envgen.prefix.link import link
from envgen.prefix.owners import owners
from envgen.prefix.provenance import provenance
from envgen.prepare.built_files import wheel_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from envgen.convert.wheel_zip import Member
    from envgen.events import Reporter
    from envgen.image.entries import Entry, Source
    from envgen.image.pyc import Compiler
    from envgen.platforms import Platform
    from envgen.prefix.contents import LinkPackage
    from envgen.system.store import Store

FORMAT = 2
"""Raise it with every change of the entries that a package becomes."""

_RECORD_LINE = 400
"""Bytes that a path takes in `conda-meta`, about."""


class Environment(Struct, frozen=True, kw_only=True):
    """Packages, and who of them owns what.

    Attributes:
        contents: of every package, sorted by name.
        clobbered: name -> paths that another package owns.
        prefix: where the environment is in the image, without the leading slash.
        platform: of the image.
        compiler: makes the compiled Python files.
        conflicts: path or pattern -> package that keeps its file, as the spec has it.
    """

    contents: tuple[Contents, ...]
    clobbered: Mapping[str, frozenset[str]]
    prefix: str
    platform: Platform
    compiler: Compiler
    conflicts: Mapping[str, str] = field(default_factory=dict)

    def owned(self, content: Contents) -> tuple[str, ...]:
        """List the paths that a package has in the environment, relative to the prefix, sorted."""
        clobbered = self.clobbered.get(content.package.record.name, frozenset())
        return tuple(sorted(item.claim.path for item in content.items if item.claim.path not in clobbered))


def survey(
    packages: Iterable[LinkPackage],
    *,
    prefix: str,
    platform: Platform,
    compiler: Compiler,
    conflicts: Mapping[str, str] | None = None,
) -> Environment:
    """Read what packages bring, and decide who owns what; nothing moves.

    Raises:
        ArtifactError: packages that cannot be in one environment, or cannot be read.
    """
    every = sorted(packages, key=lambda package: package.record.name)
    layout = python_layout(every, platform)
    contents = tuple(read_contents(package, layout) for package in every)
    ownership = owners(contents, platform=platform, conflicts=conflicts or {})
    return Environment(
        contents=contents,
        clobbered=ownership.clobbered,
        prefix=prefix.strip("/"),
        platform=platform,
        compiler=compiler,
        conflicts=conflicts or {},
    )


def parts(environment: Environment) -> tuple[LayerPart, ...]:
    """Return the packages as parts for the plan of layers, sorted by name."""
    return tuple(_part(environment, content) for content in environment.contents)


@contextmanager
def linked(
    environment: Environment,
    names: Collection[str],
    *,
    store: Store,
    splice: bool,
    reporter: Reporter,
) -> Iterator[Linked]:
    """Link packages into a folder that goes away with the block; their entries are files there, or in the store.

    Args:
        environment: all of it.
        names: packages whose entries will be asked for.
        store: has the packages, and the wheels that they were made from.
        splice: whether to take from wheels what is in them.
        reporter: gets a bar of packages.
    """
    with store.view() as folder:
        prefix = folder / "prefix"
        link(
            [content.package for content in environment.contents],
            prefix,
            store=store,
            platform=environment.platform,
            conflicts=environment.conflicts,
            alternative_prefix=f"/{environment.prefix}",
            only=with_targets(environment, names),
            skeleton=True,
            reporter=reporter,
        )
        with closing(Workers(environment.compiler)) as workers:
            yield Linked(environment=environment, root=prefix, store=store, splice=splice, workers=workers)


def with_targets(environment: Environment, names: Collection[str]) -> frozenset[str]:
    """Add the packages whose files are targets of links: records hold the digests of those files.

    Where a link cannot be followed by its text alone, all packages are taken.
    """
    owners = {path: str(c.package.record.name) for c in environment.contents for path in environment.owned(c)}
    folders = folders_of(owners)
    links = {
        item.claim.path: target
        for content in environment.contents
        for item in content.items
        if (target := item.claim.link)
    }
    found: set[str] = set()
    pending = set(names)
    while pending:
        found |= pending
        targets = {
            posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            for path, target in links.items()
            if owners.get(path) in pending
        }
        if any(target not in owners and target not in folders for target in targets):
            return frozenset(owners.values())
        pending = {owners[target] for target in targets if target in owners} - found
    return frozenset(found)


class _InstalledWheel(Struct, frozen=True, kw_only=True):
    """A wheel of the store, and where its files go.

    Attributes:
        file: the wheel.
        sha256: of the wheel.
        members: path in the environment -> where it is in the wheel.
        scripts: paths that installing makes executable, whatever mode they have in the wheel.
    """

    file: Path
    sha256: Sha256
    members: Mapping[str, Member]
    scripts: Collection[str]


class Linked(Struct, frozen=True, kw_only=True):
    """Packages in a folder, to be told as entries; safe in several threads."""

    environment: Environment
    root: Path
    store: Store
    splice: bool
    workers: Workers

    def entries(self, name: str) -> list[Entry]:
        """List what a package puts into the image, its record and its compiled Python files included.

        Raises:
            ArtifactError: its wheel is damaged, or what it lists as a file is none.
        """
        content = next(c for c in self.environment.contents if c.package.record.name == name)
        package = content.package
        record = load(record_path(self.root, package.record.dist))
        wheel = self._wheel(package)
        sources = {item.claim.path: item.source for item in content.items}
        entries = [self._entry(path, wheel, self._file(path["_path"], package, sources)) for path in paths_of(record)]
        found = {entry.path: entry for entry in entries}
        # files that a package compiled itself are valid for sources of a certain time, which no image has
        found |= {file.path: file for file in self._compiled(found.values())}
        return [*found.values(), self._record(package)]

    def _entry(self, path: Mapping[str, Any], wheel: _InstalledWheel | None, here: str) -> Entry:
        name = path["_path"]
        there = f"{self.environment.prefix}/{name}"
        if path["path_type"] == "softlink":
            return Link(path=there, target=os.readlink(here))  # noqa: PTH115  thousands of them, Path is slow
        if path["path_type"] == "directory":
            return Directory(path=there)
        status = _status(here)
        # a link would bring what it leads to, a file of this machine
        if status is None or not stat.S_ISREG(status.st_mode):
            raise ArtifactError(f"`{name}`: expected a file as `info/paths.json` says, got none")
        sha256 = Sha256(path["sha256_in_prefix"])
        member = None if path.get("prefix_placeholder") or wheel is None else wheel.members.get(name)
        if wheel is None or member is None:
            source: Source = OnDisk(on_disk=here, sha256=sha256, size=status.st_size)
            return File(path=there, source=source, mode=_mode(executable=bool(status.st_mode & 0o100)))
        # an environment shares its files with the store, so that `chmod` there shows here
        executable = member.executable or name in wheel.scripts
        if self.splice:
            source = InWheel(wheel=wheel.file, wheel_sha256=wheel.sha256, member=member, sha256=sha256, on_disk=here)
        else:
            source = OnDisk(on_disk=here, sha256=sha256, size=status.st_size, crc=member.crc)
        return File(path=there, source=source, mode=_mode(executable=executable))

    def _file(self, path: str, package: LinkPackage, sources: Mapping[str, str]) -> str:
        """Return a file of a package: where it is linked, or in the store where it was left there.

        There are tens of thousands: text is five times as fast as `Path` here.
        """
        linked = f"{self.root}/{path}"
        return linked if os.path.lexists(linked) else f"{package.directory}/{sources.get(path, path)}"

    def _wheel(self, package: LinkPackage) -> _InstalledWheel | None:
        """Find the files of the wheel that a package was made from; None where it is not needed and not there."""
        wheel = package.record.origin
        if not isinstance(wheel, Wheel):
            return None
        file = wheel_file(self.store, wheel)
        if file is None and not self.splice:
            return None
        if file is None:
            raise EnvgenError(f"`{wheel.filename}` is not in the store although it was prepared")
        with file.open("rb") as archive:
            opened = open_wheel(archive, wheel, python=self.environment.compiler.minor)
        places = dict(opened.layout.places(opened.members))
        return _InstalledWheel(
            file=file,
            sha256=Sha256(file.name),  # not the wheel's: of one that is built here no lock has it
            members={path: opened.members[name] for name, path in places.items()},
            scripts=frozenset(path for name, path in places.items() if opened.layout.is_script(name)),
        )

    def _record(self, package: LinkPackage) -> File:
        file = record_path(self.root, package.record.dist)
        path = f"{self.environment.prefix}/{file.relative_to(self.root).as_posix()}"
        return File(path=path, source=Literal(data=file.read_bytes()))

    def _compiled(self, entries: Iterable[Entry]) -> list[File]:
        compiler = self.environment.compiler
        sources = [
            Code(path=file.path, file=file.source.on_disk, sha256=file.source.sha256)
            for file in entries
            if isinstance(file, File) and not isinstance(file.source, Literal) and compiler.compiles(file.path)
        ]
        compiled = compile_all(sources, self.workers, store=self.store)
        return [File(path=path, source=Literal(data=data)) for path, data in compiled.items()]


def _status(file: str) -> os.stat_result | None:
    try:
        return os.lstat(file)
    except FileNotFoundError:  # another process makes a damaged package again
        return None


def _mode(*, executable: bool) -> int:
    return EXECUTABLE if executable else PLAIN


def _part(environment: Environment, content: Contents) -> LayerPart:
    package = content.package
    stated = {entry["_path"]: _size(entry) for entry in read_paths(package)["paths"]}
    sources = {item.claim.path: item.source for item in content.items}
    sizes = {f"{environment.prefix}/{path}": stated.get(sources[path], 0) for path in environment.owned(content)}
    compiler = environment.compiler
    sizes |= {compiler.target(path): size for path, size in sizes.items() if compiler.compiles(path)}
    sizes[f"{environment.prefix}/{META}/{package.record.dist}.json"] = _RECORD_LINE * len(stated)
    name = str(package.record.name)
    return LayerPart(name=name, stage=LayerGroup.of_package(name), key=_key(environment, package), sizes=sizes)


def _size(entry: Mapping[str, Any]) -> int:
    """Return the bytes of a file; for a link, `paths.json` has those of what it leads to."""
    return 0 if entry["path_type"] == "softlink" else int(entry.get("size_in_bytes", 0))


def _key(environment: Environment, package: LinkPackage) -> str:
    record, where = package.record, provenance(package, portable=True)
    facts = [
        FORMAT,
        [package.key, record.subdir, record.depends, record.constrains, where.url, where.channel],
        None if isinstance(record.origin, Wheel) else [record.origin.md5, record.origin.sha256, record.origin.size],
        [environment.prefix, sorted(environment.clobbered.get(record.name, ()))],
        environment.compiler.key,
    ]
    return Sha256.of(json.dumps(facts).encode())
