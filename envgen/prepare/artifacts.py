"""Artifacts of locks in the store: from a bundle or a mirror of blobs where one has them, else from their source."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from envgen.errors import OfflineError
from envgen.lock.debian_lock import IMAGE
from envgen.packages import BuiltPackage, Wheel
from envgen.prepare.packages import artifact_of, recipe_inputs
from envgen.prepare.plan import Work, items_of
from envgen.system.file_url import is_file_url
from envgen.system.mirrors import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from envgen.digest import Sha256
    from envgen.prepare.plan import Artifact, PlannedPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair


def ensure_artifact(
    context: Context,
    sha: Sha256,
    fetch: Callable[[BinaryIO], object],
    *,
    advance: Callable[[int], None] | None = None,
) -> Path:
    """Ensure that the store has an artifact, verified.

    Args:
        context: the world.
        sha: of the artifact.
        fetch: writes it to an empty file, from its own source.
        advance: told of the bytes that a mirror gives; what a bundle has is not downloaded.

    Raises:
        IntegrityError: a bundle, the mirror or its source has other bytes.
        NetworkError: as `fetch` says.
    """

    def write(out: BinaryIO) -> None:
        told = None if context.supply.has(sha) else advance
        if not context.supply.copy(sha, out, advance=told):
            fetch(out)

    return context.store.ensure_artifact(sha, write)


def is_at_hand(context: Context, sha: Sha256) -> bool:
    """Return whether the store or a bundle has an artifact."""
    return context.store.artifact(sha) is not None or context.supply.has(sha)


def needed(context: Context, items: Iterable[PlannedPackage]) -> Iterator[Artifact]:
    """Yield the artifacts that preparing packages takes.

    None where the package is copied, or comes from a channel on this machine; none of a recipe's where its package is
    at hand, or where such a channel may have it.
    """
    for item in items:
        package = item.package
        from_channel = item.work is Work.EXTRACT and isinstance(package, Wheel) and _channel_here(context)
        if item.work is Work.COPY or from_channel:
            continue
        if not (isinstance(package, BuiltPackage) and (is_at_hand(context, package.sha256) or _channel_here(context))):
            yield from item.artifacts


def artifacts_of(context: Context, pair: LockPair) -> tuple[Artifact, ...]:
    """List every file that the environment and the image of a lock are made from, each once, sorted by name."""
    items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    debs = map(artifact_of, pair.debian.used_by(IMAGE) if pair.debian else ())
    found = {artifact.sha256: artifact for artifact in (*needed(context, items), *debs)}
    return tuple(sorted(found.values(), key=lambda artifact: (artifact.filename, artifact.sha256)))


def refuse_missing(context: Context, artifacts: Iterable[Artifact]) -> None:
    """Raise where the network must not be used and artifacts are not on this machine: all of them at once.

    Raises:
        OfflineError: some are neither in the store nor in a bundle.
    """
    if not context.offline:
        return
    wanted = {artifact.sha256: artifact for artifact in artifacts}
    missing = [artifact for sha, artifact in wanted.items() if not is_at_hand(context, sha)]
    if missing:
        listed = "\n".join(f"  - {one.filename} (sha256 {one.sha256})" for one in missing)
        files = "1 file is" if len(missing) == 1 else f"{len(missing)} files are"
        raise OfflineError(
            f"{files} neither in the store nor in a bundle:\n{listed}",
            hint="run `envgen bundle` on a machine with a network, and add what it writes with `--bundle`",
        )


def _channel_here(context: Context) -> bool:
    found = context.mirrors.find(CHANNEL)
    return found is not None and is_file_url(found.url)
