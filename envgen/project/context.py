"""What every verb works with: one frozen value, made once from what the process was given."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import UserError
from envgen.events import NullReporter
from envgen.manifest.select import find_root
from envgen.project import shipped
from envgen.system.cache_settings import CacheSettings, read_cache_settings
from envgen.system.home import expand, find_home
from envgen.system.mirrors import BLOBS, Mirrors, config_path
from envgen.system.signature_settings import required_keys
from envgen.system.store import Store, store_root
from envgen.system.switches import is_on

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from envgen.events import Reporter
    from envgen.names import NameTable
    from envgen.oci.supply import Supply
    from envgen.system.http import Http


class Context(Struct, frozen=True, kw_only=True):
    """The world as the verbs see it.

    Attributes:
        root: the project: the nearest folder at or above the working directory that has `environments/`.
        directory: the working directory; paths that a person gives count from here.
        environment: the process's environment variables.
        home: the user's home directory; nothing is there and nothing can be made there where the user has none.
        now: the moment the process started, aware.
        reporter: receives progress and remarks.
        open_store: opens artifacts, packages and small facts on this machine, once.
        connect: opens the network, once.
        mirrors: what the placeholders of locks stand for on this machine.
        names: the shipped name table.
        read_cache: reads what the user's settings say of the cache, once.
        open_supply: opens bundles and the mirror of blobs, once; they come before the sources of artifacts.
        read_required: reads which public keys are required, once.
        no_build: run no script of a recipe and no build of a source; what was built before is taken from the store.
        offline: use what is on this machine alone.
        current_pages: keys of pages of wheel indexes that are current, as their server said since this set was made;
            they are not asked for again. Without a set, each who opens an index asks.
    """

    root: Path
    directory: Path
    environment: Mapping[str, str]
    home: Path
    now: dt.datetime
    reporter: Reporter
    open_store: Callable[[], Store]
    connect: Callable[[], Http]
    read_cache: Callable[[], CacheSettings]
    open_supply: Callable[[], Supply]
    read_required: Callable[[], tuple[Path, ...]]
    mirrors: Mirrors
    names: NameTable
    no_build: bool = False
    offline: bool = False
    current_pages: set[str] | None = None

    @property
    def store(self) -> Store:
        """Return the store of this machine.

        Raises:
            UserError: it belongs to another user, or there is no place for it.
        """
        return self.open_store()

    @property
    def http(self) -> Http:
        """Return the network."""
        return self.connect()

    @property
    def supply(self) -> Supply:
        """Return bundles and the mirror of blobs.

        Raises:
            UserError: a bundle cannot be read.
            IntegrityError: a bundle is damaged.
        """
        return self.open_supply()

    @property
    def cache(self) -> CacheSettings:
        """Return the user's settings of the cache.

        Raises:
            UserError: they have faults.
        """
        return self.read_cache()

    @property
    def required_keys(self) -> tuple[Path, ...]:
        """Public keys of which one must have signed a lock before it is used; empty where locks need no signature.

        Raises:
            UserError: the user's settings have faults.
        """
        return self.read_required()

    @property
    def locks(self) -> Path:
        """Return the folder of the project's locks."""
        return self.root / "locks"

    @property
    def local_channel(self) -> Path:
        """Return the channel that `build` writes by default, and that `export` uses without `ENVGEN_CHANNEL`."""
        return self.store.root / "channel"

    def relative(self, path: Path) -> str:
        """Write a path of the project as people know it: from the project's root, with forward slashes."""
        return path.relative_to(self.root).as_posix()


def open_context(
    *,
    directory: Path,
    environment: Mapping[str, str],
    now: dt.datetime,
    reporter: Reporter | None = None,
    anywhere: bool = False,
    no_build: bool = False,
    offline: bool = False,
    bundles: Sequence[Path] = (),
    required: Sequence[Path] = (),
) -> Context:
    """Open the world for a process that was started in `directory`.

    Args:
        directory: where.
        environment: the process's variables.
        now: the time, aware.
        reporter: receives progress and remarks.
        anywhere: be content outside a project, whose root is then taken to be `directory`.
        no_build: run no script of a recipe and no build of a source.
        offline: use what is on this machine alone; `ENVGEN_OFFLINE` says the same.
        bundles: to take artifacts from, those that `ENVGEN_BUNDLE` names after them.
        required: public keys of which one must have signed a lock before it is used.

    Raises:
        UserError: no project at or above `directory`.
    """
    told = reporter or NullReporter()
    home = find_home(environment, os.getuid())
    mirrors = Mirrors(environment=environment, home=home, tell=told.detail)
    offline = offline or is_on(environment, "ENVGEN_OFFLINE")
    named = [expand(text, home) for text in environment.get("ENVGEN_BUNDLE", "").split(os.pathsep) if text]
    paths = [directory / path for path in (*bundles, *named)]
    connect = functools.cache(lambda: _connect(environment, told, offline=offline))
    config = config_path(environment, home)
    read_cache = functools.cache(lambda: read_cache_settings(config, home))
    root = _root(directory, anywhere=anywhere)
    told.detail(f"the project is `{root}`{', and the network is not used' if offline else ''}")
    return Context(
        root=root,
        directory=directory,
        environment=environment,
        home=home,
        now=now,
        reporter=told,
        open_store=functools.cache(lambda: _open_store(store_root(environment, home), told)),
        connect=connect,
        read_cache=read_cache,
        open_supply=functools.cache(
            lambda: _open_supply(paths, read_cache(), mirrors, None if offline else connect, told)
        ),
        read_required=functools.cache(
            lambda: required_keys(required, environment, config, directory=directory, home=home)
        ),
        mirrors=mirrors,
        names=shipped.name_table(),
        no_build=no_build,
        offline=offline,
    )


def _root(directory: Path, *, anywhere: bool) -> Path:
    try:
        return find_root(directory)
    except UserError:
        if anywhere:
            return directory
        raise


def _open_store(root: Path, reporter: Reporter) -> Store:
    reporter.detail(f"the cache is `{root}`")
    store = Store(root, reporter=reporter, prove=_prove)
    store.sweep()
    return store


def _prove(package: Path) -> None:
    from envgen.convert.extracted import check_stored  # noqa: PLC0415  only after a change of envgen's version

    check_stored(package)


def _connect(environment: Mapping[str, str], reporter: Reporter, *, offline: bool) -> Http:
    from envgen.system.connection import refuse_network  # noqa: PLC0415
    from envgen.system.http import Http  # noqa: PLC0415  its library takes 80 ms, and many verbs never use it

    if offline:
        return Http(environment=environment, reporter=reporter, check=refuse_network)
    return Http(environment=environment, reporter=reporter)


def _open_supply(
    bundles: Sequence[Path],
    cache: CacheSettings,
    mirrors: Mirrors,
    connect: Callable[[], Http] | None,
    reporter: Reporter,
) -> Supply:
    from envgen.oci.supply import Supply  # noqa: PLC0415

    found = mirrors.find(BLOBS) if connect else None
    layouts, shared, mirror = [], None, None  # most runs have none of them, and import none
    if bundles:
        from envgen.oci.read import open_layout  # noqa: PLC0415

        layouts = [open_layout(path) for path in bundles]
    if cache.shared:
        from envgen.system.shared_store import SharedStore  # noqa: PLC0415

        shared = SharedStore(root=cache.shared, owners=cache.owners, reporter=reporter)
        shared.check()
    if found and connect:
        from envgen.oci.registry import BlobRepository  # noqa: PLC0415

        mirror = BlobRepository(found.url, http=connect())
    return Supply(bundles=layouts, shared=shared, mirror=mirror, reporter=reporter)
