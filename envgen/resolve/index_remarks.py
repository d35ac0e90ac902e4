"""What a person should hear of indexes: settings of pip that are not followed, and entries that do nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen.indexes import index_of, index_words, unused_patterns
from envgen.system.pip_config import find_extra_indexes
from envgen.urls import without_login

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.packages import Wheel
    from envgen.project.context import Context
    from envgen.records import Solution
    from envgen.resolve.upgrade import Upgrade
    from envgen.sources.indexes import WheelIndexes

_FLAVOUR = re.compile(r"\+(cpu|cu\d+|rocm[\d.]+|xpu)$")
"""Local versions of torch and its companions: what a wheel was built for."""


def tell_pip(context: Context, spec: EnvSpec) -> None:
    """Report once that further indexes in the configuration of pip and uv are not used, unless the spec has them.

    Raises:
        SpecError: a file of pip's configuration cannot be parsed.
    """
    found = find_extra_indexes(context.environment, context.home)
    if not found:
        return
    named = {_plain(context.mirrors.find_index(index, context.root).url) for index in spec.indexes.values()}
    left = sorted({source for source, urls in found if not {_plain(url) for url in urls} <= named})
    if left:
        listed = ", ".join(left)
        context.reporter.note(
            f"further indexes are not used ({listed}): list their projects under `indexes` in the spec"
        )


def tell(context: Context, spec: EnvSpec, locks: Sequence[Lock]) -> None:
    """Report what the indexes of a spec have no use for, and what is taken from them without upload times."""
    projects = {wheel.project for lock in locks for wheel in lock.wheels}
    if len(locks) == len(spec.targets):
        for text in unused_patterns(spec.indexes.values(), projects):
            context.reporter.note(text)
    for text in dict.fromkeys(text for lock in locks for text in _mixed(lock)):
        context.reporter.warn(text)
    for index in spec.indexes.values():
        if index.undated and spec.exclude_newer:
            what = f"`exclude-newer` is not applied to files of index `{index.name}` without an upload time"
            context.reporter.note(f"{what}: {index.undated}")
        elif index.undated:
            context.reporter.note(f"`indexes.{index.name}.undated` has no effect: the spec has no `exclude-newer`")


def _mixed(lock: Lock) -> Iterator[str]:
    """Name the wheels of one index that were built for different accelerators: their versions alone do fit."""
    for name in sorted({wheel.index for wheel in lock.wheels if wheel.index}):
        found = [(wheel, flavour[1]) for wheel in lock.wheels if wheel.index == name if (flavour := _flavour(wheel))]
        if len({flavour for _, flavour in found}) > 1:
            listed = ", ".join(f"{wheel.project} {wheel.version}" for wheel, _ in found)
            yield f"index `{name}`: the locked wheels are of different flavours: {listed}"


def _flavour(wheel: Wheel) -> re.Match[str] | None:
    return _FLAVOUR.search(wheel.version)


def _plain(url: str) -> str:
    return without_login(url.strip()).rstrip("/")


async def tell_vanished(
    context: Context, spec: EnvSpec, old: Lock, solution: Solution, *, index: WheelIndexes, upgrade: Upgrade
) -> None:
    """Report each locked wheel that was replaced because its index dropped it."""
    chosen = {record.origin.sha256 for record in solution.records}
    for wheel in old.wheels:
        if wheel.listed.sha256 in chosen or upgrade.covers(wheel.project):
            continue
        if not await index.offers(wheel):
            words = index_words(index_of(wheel.project, spec.indexes))
            context.reporter.note(f"{old.platform}: {words} no longer offers `{wheel.listed.filename}`, resolved again")
