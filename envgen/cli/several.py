"""Values about the locks of one environment or of several, in JSON and in headings; `asked` are the arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from envgen.platforms import Platform

T = TypeVar("T")


def is_several(asked: Sequence[str]) -> bool:
    """Return whether more than one environment was asked for."""
    return len(set(asked)) > 1


def by_environment(
    found: Mapping[tuple[str, Platform], T], asked: Sequence[str]
) -> dict[str, T] | dict[str, dict[str, T]]:
    """Return platform -> value where one environment was asked for, else environment -> platform -> value."""
    nested: dict[str, dict[str, T]] = {}
    for (environment, platform), value in found.items():
        nested.setdefault(environment, {})[str(platform)] = value
    return nested if is_several(asked) else next(iter(nested.values()), {})


def titles(keys: Collection[tuple[str, Platform]], asked: Sequence[str]) -> dict[tuple[str, Platform], str]:
    """Return the shortest text that tells each lock from the others: platform, environment, or both."""
    if not is_several(asked):
        return {key: str(key[1]) for key in keys}
    platforms = {platform for _, platform in keys}
    return {key: key[0] if len(platforms) == 1 else f"{key[0]} {key[1]}" for key in keys}
