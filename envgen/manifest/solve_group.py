"""`solve-group: NAME`: environments that are solved together, as one spec that asks for what each of them asks for.

What decides which packages there are, and what they require, has to be the same in all of them. What only asks for
packages, or narrows them, is united.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from envgen.manifest.env_spec import EnvSpec
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from envgen.platforms import Platform

T = TypeVar("T")

_EQUAL: Mapping[str, Callable[[EnvSpec], object]] = {
    "python": lambda spec: spec.python,
    "channels": lambda spec: spec.channels,
    "indexes": lambda spec: spec.indexes,
    "names": lambda spec: spec.names,
    "overrides": lambda spec: sorted(map(str, spec.overrides)),
    "exclude": lambda spec: spec.exclude,
    "substitutes": lambda spec: spec.substitutes,
    "builds": lambda spec: spec.builds,
    "build-constraints": lambda spec: sorted(map(str, spec.build_constraints)),
    "exclude-newer": lambda spec: (spec.exclude_newer, spec.cooldown),
}
"""Keys that have to be equal -> what is compared."""


def differing(specs: Sequence[EnvSpec]) -> Iterator[tuple[tuple[str, ...], EnvSpec, EnvSpec]]:
    """Yield each key that has to be equal in a group and is not, as a path, with two specs that differ in it."""
    first, *others = specs
    for other in others:
        for key, value in _EQUAL.items():
            if value(first) != value(other):
                yield (key,), first, other
    for platform, ones in by_platform(specs).items():
        for other in ones[1:]:
            if ones[0].targets[platform] != other.targets[platform] and ones[0].python == other.python:
                yield ("platforms", str(platform)), ones[0], other


def united(specs: Sequence[EnvSpec], platforms: Collection[Platform]) -> EnvSpec:
    """Return the spec that asks for what each of a group asks for on platforms; `differing` has found nothing."""
    first = specs[0]
    targets = {platform: first.targets[platform] for platform in platforms}
    return replace(
        EnvSpec(name=first.solve_group or first.name, python=first.python, targets=targets, source=first.source),
        channels=first.channels,
        indexes=first.indexes,
        names=first.names,
        overrides=first.overrides,
        exclude=first.exclude,
        substitutes=first.substitutes,
        builds=first.builds,
        build_constraints=first.build_constraints,
        exclude_newer=first.exclude_newer,
        cooldown=first.cooldown,
        dependencies=_once(text for spec in specs for text in spec.dependencies),
        pypi=_once((line for spec in specs for line in spec.pypi), key=str),
        constraints=_once((line for spec in specs for line in spec.constraints), key=str),
        trust_record={key: why for spec in specs for key, why in spec.trust_record.items()},
        allow_older={key: why for spec in specs for key, why in spec.allow_older.items()},
    )


def by_platform(specs: Sequence[EnvSpec]) -> dict[Platform, list[EnvSpec]]:
    """Return the specs of each platform, in the same order."""
    found: dict[Platform, list[EnvSpec]] = {}
    for spec in specs:
        for platform in spec.targets:
            found.setdefault(platform, []).append(spec)
    return found


def _once(values: Iterable[T], key: Callable[[T], object] = lambda value: value) -> tuple[T, ...]:
    return tuple({key(value): value for value in values}.values())
