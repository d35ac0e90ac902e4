"""What is locked although a newer release could be wanted: told, or refused where a limit of envgen is the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import UnsatisfiableError
from envgen.solve.hints import accept_line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from envgen.names import ProjectName
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.records import Older


def tell(
    context: Context,
    platform: Platform,
    found: Sequence[Older],
    *,
    accepted: Collection[ProjectName],
    told: set[str],
) -> None:
    """Report each package that is not the newest.

    Args:
        context: the world.
        platform: of the lock.
        found: packages that are not the newest.
        accepted: those that the spec accepts by name.
        told: texts that were told already, of another platform.

    Raises:
        UnsatisfiableError: a limit of envgen is the reason, and the spec names the package or the newer release is
            more than two years newer; all of these are in the message.
    """
    refused = [older for older in found if older.is_refused and older.project not in accepted]
    if refused:
        raise _error(platform, refused)
    for older in found:
        text = _text(older) + (" (accepted by `allow-older`)" if older.project in accepted else "")
        if text not in told:
            told.add(text)
            loud = older.limit and older.project not in accepted
            (context.reporter.warn if loud else context.reporter.note)(text)


def _text(older: Older) -> str:
    newest = f"{older.newest} is the newest that `{older.line}` allows" if older.line else f"not {older.newest}"
    return f"`{older.project}` is locked at {older.chosen}, {newest}: {older.why}"


def _error(platform: Platform, refused: Sequence[Older]) -> UnsatisfiableError:
    lines = [f"  {_text(older).replace(' is locked at ', ' would be locked at ', 1)}" for older in refused]
    return UnsatisfiableError(
        "\n".join([f"a newer release cannot be used on {platform}:", *lines]),
        hint=accept_line([(older.project, older.chosen) for older in refused]),
    )
