"""The adjustments of a lock in words: what changed since it was made, and what they mean for a package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.manifest.adjust import ADJUSTMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.lock.model import Lock
    from envgen.manifest.adjust import Adjustments


def differences(now: Adjustments, then: Adjustments) -> Iterator[str]:
    """Return one line for each entry that a spec has otherwise than its lock, in the order of the spec's keys.

    Args:
        now: of the spec, on the lock's platform.
        then: of the lock.
    """
    new, old = now.by_key(), then.by_key()
    for key in ADJUSTMENTS:
        mine, its = new.get(key, {}), old.get(key, {})
        for entry in sorted(mine.keys() | its.keys()):
            if mine.get(entry) != its.get(entry):
                yield f"`{key}.{entry}` is {_words(mine.get(entry))}, in the lock {_words(its.get(entry))}"


def remarks(lock: Lock) -> dict[str, tuple[str, ...]]:
    """Return what the spec adjusts of each package that it names: name as the spec has it -> lines."""
    found: dict[str, tuple[str, ...]] = {}
    for name, line in _remarks(lock):
        found[name] = (*found.get(name, ()), line)
    return found


def _remarks(lock: Lock) -> Iterator[tuple[str, str]]:
    made = lock.adjustments
    for project, texts in made.overrides.items():
        yield project, f"`overrides`: every requirement on it is {_words(texts)}"
    for project, text in made.constraints.items():
        yield project, f"`constraints`: `{project}{text}`"
    for project, needs in made.exclude.items():
        yield project, f"`exclude`: it is treated as not requiring {_words(needs)}"
        yield from ((need, f"`exclude`: `{project}` is treated as not requiring it") for need in needs)
    for project, other in lock.stand_ins.items():
        yield other, f"it is used in place of `{project}`"
    for path, package in made.conflicts.items():
        yield package, f"`conflicts`: its file is kept at `{path}`"
    for project, reason in made.trust_record.items():
        yield project, f"`trust-record`: {reason}"
    for project, reason in made.allow_older.items():
        yield project, f"`allow-older`: {reason}"


def _words(value: str | tuple[str, ...] | None) -> str:
    if value is None:
        return "not set"
    if isinstance(value, str):
        return f"`{value}`"
    return ", ".join(f"`{one}`" for one in value) or "for other platforms only"
