"""What exporters are given, and what they give back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.errors import EnvgenError
from envgen.packages import BuiltPackage, ChannelPackage, Wheel

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from envgen.digest import Sha256
    from envgen.indexes import NamedIndex
    from envgen.lock.debian_lock import DebianLock
    from envgen.lock.model import Lock
    from envgen.names import NameTable
    from envgen.packages import Package
    from envgen.platforms import Platform


class PublishedArchive(Struct, frozen=True, kw_only=True):
    """A conda archive of a package that is locked as something else, in a channel that can be reached.

    Attributes:
        url: of the archive.
        md5: as the channel's repodata says.
        sha256: as the channel's repodata says.
    """

    url: str
    md5: str | None
    sha256: str | None


class License(Struct, frozen=True, kw_only=True):
    """What is known of a package's licence.

    Attributes:
        words: as the package has them.
        expression: SPDX expression that they mean, where that is known.
    """

    words: str
    expression: str | None = None


class NixTree(Struct, frozen=True, kw_only=True):
    """An environment, or the layout of an image, that was written as a Nix archive.

    Attributes:
        file: name of the archive.
        sha256: of the archive, by which Nix knows the tree.
        size: bytes of the archive.
        content: what is in the tree, in words.
    """

    file: str
    sha256: Sha256
    size: int
    content: str


class NixOptions(Struct, frozen=True, kw_only=True):
    """What the expression for Nix holds beside the files of locks.

    Attributes:
        trees: archives of each platform: attribute (`env`, `image`) -> archive.
        folder: `file:` address of the folder with the archives.
        store: folder of the Nix store that paths are told of.
        flake: write a flake.
    """

    trees: Mapping[Platform, Mapping[str, NixTree]] = field(default_factory=dict)
    folder: str = ""
    store: str = "/nix/store"
    flake: bool = False


class ExportInput(Struct, frozen=True, kw_only=True):
    """A lock, and what it cannot say itself. Formats that need none of the rest leave it empty.

    Attributes:
        locks: of one environment, one for each platform.
        names: the name table with the spec's own names on top.
        debian: the Debian locks beside them.
        urls: sha256 of a wheel or archive -> its address, for all whose address in the lock is a placeholder or a path.
        channels: channel as the spec has it -> its address.
        channel: address of the channel that `${ENVGEN_CHANNEL}` stands for.
        index: address of the default wheel index.
        indexes: of the spec, by name.
        archives: sha256 of a wheel -> the conda archive that it was converted to, where a channel has one.
        licenses: sha256 of a wheel or archive -> licence.
        created: when a document is said to be made; never the clock.
        tool: name and version of this program.
        nix: for the format `nix` alone.
    """

    locks: tuple[Lock, ...]
    names: NameTable
    debian: Mapping[Platform, DebianLock] = field(default_factory=dict)
    urls: Mapping[Sha256, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    channel: str | None = None
    index: str | None = None
    indexes: Mapping[str, NamedIndex] = field(default_factory=dict)
    archives: Mapping[Sha256, PublishedArchive] = field(default_factory=dict)
    licenses: Mapping[Sha256, License] = field(default_factory=dict)
    created: dt.datetime
    tool: tuple[str, str]
    nix: NixOptions = field(default_factory=NixOptions)

    @property
    def lock(self) -> Lock:
        """Return the one lock, for formats that hold one platform."""
        (lock,) = self.locks
        return lock

    def channel_name(self, channel: str) -> str:
        """Return the name of a channel for other tools: a path in the project means nothing to them."""
        return self.channels.get(channel, channel) if channel.startswith(".") else channel

    def indexes_of(self, lock: Lock) -> tuple[NamedIndex, ...]:
        """Return the indexes of the spec that wheels of a lock come from, by name."""
        used = {wheel.index for wheel in lock.wheels}
        return tuple(index for name, index in sorted(self.indexes.items()) if name in used)

    def repository(self, package: Package) -> str | None:
        """Return the public address of the index of a wheel; None for the default one, and where it is not public."""
        index = self.indexes.get(package.index) if isinstance(package, Wheel) else None
        return index.public_url if index else None

    def url(self, package: Package) -> str:
        """Return the URL of a package.

        Raises:
            EnvgenError: it is not known, which is a bug of the caller.
        """
        found = self.urls.get(package.sha256, package.url)
        if found.startswith("${") or "://" not in found:
            raise EnvgenError(f"no URL of `{package.name}` is known for an export")
        return found


class Exported(Struct, frozen=True, kw_only=True):
    """A document, and what its reader should be told about it.

    Attributes:
        text: the same for the same inputs.
        notes: what the format could not hold.
    """

    text: str
    notes: tuple[str, ...] = ()


def pip_options(indexes: Iterable[NamedIndex]) -> list[str]:
    """Return the options that make pip and uv look into indexes, with the variables of the spec, which both expand."""
    return [f"--{'extra-index-url' if index.is_simple else 'find-links'} {index.url}" for index in indexes]


def not_confined(inputs: ExportInput, lock: Lock) -> tuple[str, ...]:
    """Return a note on what a format cannot say of indexes: which projects come from which."""
    named = ", ".join(f"`{index.name}`" for index in inputs.indexes_of(lock))
    what = f"it cannot confine projects to index {named}: only the hashes keep files of other indexes out"
    return (what,) if named else ()


def condas(lock: Lock) -> tuple[ChannelPackage | BuiltPackage, ...]:
    """List the packages that are conda's, each after those that it depends on; ties and cycles go by name."""
    by_name = {str(package.name): package for package in lock.packages if not isinstance(package, Wheel)}
    found: dict[str, ChannelPackage | BuiltPackage] = {}
    entered: set[str] = set()

    def visit(name: str) -> None:
        package = by_name.get(name)
        if package is None or name in entered:
            return
        entered.add(name)
        for depend in sorted(package.dependencies):
            visit(depend)
        found[name] = package

    for name in sorted(by_name):
        visit(name)
    return tuple(found.values())


def not_wheels(lock: Lock) -> tuple[str, ...]:
    """Return a note on what a format for wheels leaves out."""
    left = [f"{package.name} {package.version}" for package in condas(lock)]
    return (f"left out, as the format holds wheels only: {', '.join(left)}",) if left else ()
