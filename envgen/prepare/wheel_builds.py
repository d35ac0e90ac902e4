"""Wheels that are built: each into the store once, in its canonical form, and never other than a lock says."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.builds import GitSource, LocalSource, listed_files
from envgen.convert.canonical_wheel import check_built_name, write_canonical
from envgen.convert.editable import editable_wheel
from envgen.convert.lfs import lfs_pointers
from envgen.digest import Sha256
from envgen.errors import NoBuildError
from envgen.prepare.build_rooms import build_room
from envgen.prepare.built_files import FACTS
from envgen.sources import metadata_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from envgen.builds import BuildTerms, Source
    from envgen.convert.build_backend import SourceName
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair

_BUILDER = 1
"""Counts changes of how sources are built that change what comes out."""


class BuiltWheel(Struct, frozen=True, kw_only=True):
    """A wheel that was built, in the store under its sha256.

    Attributes:
        filename: that the backend gave it.
        sha256: of its canonical form.
        size: bytes of that.
        files: what a lock lists of it.
        unconfined: why the build was not kept from the network and paths; empty where it was.
    """

    filename: str
    sha256: Sha256
    size: int
    files: Mapping[str, str]
    unconfined: str = ""


class BuildOrder(Struct, frozen=True, kw_only=True):
    """What is to be built.

    Attributes:
        name: of the source, for messages.
        source: what is built.
        environment: packages that the build runs in.
        allowed: what the spec allows it.
        unpack: fetches and unpacks the source, see `source_trees.unpacker`.
        linked: folder whose modules the environment is to have instead of copies; None without.
    """

    name: SourceName
    source: Source
    environment: LockPair
    allowed: BuildTerms
    unpack: Callable[[Path], Path]
    linked: Path | None = None

    @property
    def key(self) -> Sha256:
        """Return a key of everything that determines the wheel."""
        packages = sorted((str(p.name), str(p.content)) for p in self.environment.lock.packages)
        target = self.environment.lock.target
        facts = [_BUILDER, self.source.sha256, packages, target.platform, sorted(self.allowed.variables.items())]
        facts.append(bool(self.allowed.network))
        if self.linked:
            facts.append(["linked", str(self.linked)])
        return Sha256.of(json.dumps(facts).encode())


def build_wheel(context: Context, order: BuildOrder) -> BuiltWheel:
    """Build a wheel, or take the one that was built before from the same.

    Raises:
        NoBuildError: it was not built before, and no code may run.
        BuildError: the build fails.
        ArtifactError: the source cannot be unpacked, or what comes out is not a wheel of it.
        NetworkError, IntegrityError: as sources say.
    """
    store, name = context.store, order.name
    if found := built_before(context, order):
        return found
    if context.no_build:
        raise NoBuildError.of_source(name.project, name.version, name.origin)
    with store.making(f"wheel-{order.key}"):
        if found := built_before(context, order):
            return found
        label = f"building {name.project} {name.version}"
        with context.reporter.progress(label, total=None, unit="wheels"):
            return _build(context, order)


def built_before(context: Context, order: BuildOrder) -> BuiltWheel | None:
    """Find a wheel that was built from the same and is still in the store."""
    raw = context.store.cached(FACTS, order.key)
    if raw is None:
        return None
    facts: dict[str, Any] = json.loads(raw)
    found = BuiltWheel(**{**facts, "sha256": Sha256(facts["sha256"])})
    return found if context.store.sound_artifact(found.sha256) else None


def _build(context: Context, order: BuildOrder) -> BuiltWheel:
    store, name = context.store, order.name
    context.reporter.running(f"running the build of {name} for {order.environment.lock.platform}")
    with build_room(context, name, order.unpack, order.environment, allowed=order.allowed) as backend:
        wheel = editable_wheel(backend, order.linked) if order.linked else backend.wheel()
        check_built_name(wheel.name, project=name.project, version=name.version)
        canonical = backend.sandbox.work / "canonical.whl"
        with canonical.open("w+b") as out:
            content = write_canonical(wheel, out)
        pointers = lfs_pointers(canonical)
        with canonical.open("rb") as stream:
            sha = Sha256.of_stream(stream)
        with canonical.open("rb") as stream:
            store.ensure_artifact(sha, lambda out: shutil.copyfileobj(stream, out))
        found = BuiltWheel(
            filename=wheel.name,
            sha256=sha,
            size=canonical.stat().st_size,
            files=listed_files(content.digests),
            unconfined=backend.sandbox.refused,
        )
    metadata_cache.keep_read(store, sha, content.metadata)
    if pointers:
        context.reporter.warn(_pointers_words(order, pointers))
        if isinstance(order.source, GitSource):  # not remembered: with git-lfs the same commit gives another wheel
            return found
    facts = {"filename": found.filename, "sha256": sha, "size": found.size, "files": dict(found.files)}
    store.put(FACTS, order.key, json.dumps({**facts, "unconfined": found.unconfined}).encode())
    return found


def _pointers_words(order: BuildOrder, pointers: Sequence[str]) -> str:
    more = f" and {len(pointers) - 1} more" if len(pointers) > 1 else ""
    what = f"the wheel of {order.name} has Git LFS pointers instead of files: `{pointers[0]}`{more}"
    match order.source:
        case GitSource():
            return f"{what}; install git-lfs, run `git lfs install`, then `envgen lock --upgrade {order.name.project}`"
        case LocalSource():
            return f"{what}; run `git lfs pull` in `{order.source.path}`"
    return what
