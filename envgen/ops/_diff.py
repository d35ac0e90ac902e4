"""`diff`: two states of the project's environments, each a git revision, a file, or an environment on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.diff.comparison import Comparison, compare_parts, compare_sides
from envgen.diff.known_licenses import known_licenses
from envgen.diff.sides import find_side, working_tree
from envgen.manifest.select import select, spec_files
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.diff.sides import Side
    from envgen.platforms import Platform
    from envgen.project.context import Context

_HEAD = "HEAD"


class DiffOptions(Struct, frozen=True, kw_only=True):
    """What to compare.

    Attributes:
        old: git revision, lock file, folder of locks, name or folder of an environment, or a range `main..topic`;
            the last commit without.
        new: likewise, but no range; the working tree without.
        env: this environment only.
        platforms: these platforms only; all without.
    """

    old: str | None = None
    new: str | None = None
    env: str | None = None
    platforms: Sequence[Platform] = ()


def diff(context: Context, options: DiffOptions) -> Comparison:
    """Compare two states of the project's environments.

    Raises:
        UserError: one of them is none of these, or there is no repository.
        LockError: a lock that differs cannot be read.
    """
    env, platforms = options.env, options.platforms
    before, after = _sides(context, options)
    if before.is_whole or after.is_whole:
        before, after = _named(context, before, env), _named(context, after, env)
        found = compare_sides(context.store, before, after, env=env, platforms=platforms)
    else:
        found = compare_parts(context.store, before, after, platforms=platforms)
    touched = (entry for difference in found.differences for entry in difference.delta.touched())
    return replace(found, licenses=known_licenses(context.store, touched))


def _sides(context: Context, options: DiffOptions) -> tuple[Side, Side]:
    old, new = options.old, options.new
    if old and new is None and ".." in old and not (context.directory / old).exists():
        old, _, new = (part or _HEAD for part in old.replace("...", "..").partition(".."))
    before = find_side(context, old or _HEAD)
    return before, working_tree(context) if new is None else find_side(context, new)


def _own_spec(context: Context, side: Side) -> str | None:
    """Return the spec of this project that an environment on disk was made from."""
    origin = side.origin
    if origin is None or origin.project != context.root:
        return None
    return origin.environment if origin.environment in {path.stem for path in spec_files(context.root)} else None


def _named(context: Context, side: Side, env: str | None) -> Side:
    """Rename what is installed to the environment that it is compared with."""
    if all(name for name, _ in side.states):
        return side
    name = env or _own_spec(context, side) or select(context.root, None).name
    return replace(side, states={(found or name, p): state for (found, p), state in side.states.items()})
