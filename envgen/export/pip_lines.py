"""Wheels in pip's words: by version and digest, or by the address that the spec gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.builds import GitSource, LocalSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.lock.model import Lock
    from envgen.packages import Wheel


def pip_lines(lock: Lock, *, before_hash: str = " ") -> Iterator[str]:
    """Yield a requirement for each wheel but those of projects of the repository.

    Args:
        lock: whose wheels.
        before_hash: what stands before `--hash`.
    """
    for wheel in lock.wheels:
        source = wheel.made.source if wheel.made else None
        if isinstance(source, GitSource):
            yield f"{wheel.project} @ {source.address}"
        elif not isinstance(source, LocalSource):
            what = f"{wheel.project} @ {_fetched(wheel)}" if wheel.direct else f"{wheel.project}=={wheel.version}"
            yield f"{what}{before_hash}--hash=sha256:{wheel.listed.sha256}"


def unpinned(lock: Lock) -> tuple[str, ...]:
    """Return notes on the wheels that pip's words leave out or cannot pin by digest."""
    sources = [(wheel.project, wheel.made.source) for wheel in lock.wheels if wheel.made]
    local = [f"{project} (`{source.path}`)" for project, source in sources if isinstance(source, LocalSource)]
    git = [str(project) for project, source in sources if isinstance(source, GitSource)]
    notes = [f"left out, as other machines do not have the folder: {', '.join(local)}"] if local else []
    notes += [f"pinned by commit, which `pip --require-hashes` refuses: {', '.join(git)}"] if git else []
    return tuple(notes)


def _fetched(wheel: Wheel) -> str:
    """Return the address of a wheel or archive, with the folder that an archive holds the project in."""
    folder = getattr(wheel.made.source, "subdirectory", "") if wheel.made else ""
    return f"{wheel.direct}#subdirectory={folder}" if folder else wheel.direct
