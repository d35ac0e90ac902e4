"""What locks of other tools have in common: versions to keep, and roots where the file does not say what was asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.adopt.adopted import PinnedPackage
from envgen.names import project_name
from envgen.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from envgen.adopt.adopted import Adopted

_EXACT = re.compile(r"(?P<name>[\w.-]+)\s*(?:\[[^]]*\])?\s*===?\s*(?P<version>[^\s;,*]+)\s*(?:;|$)")
_EVERYWHERE = frozenset({"python", "pip", "setuptools", "wheel"})
"""What no package requires although nobody asked for it."""


class LockedPackage(Struct, frozen=True, kw_only=True):
    """A package of a lock.

    Attributes:
        where: it stands.
        pinned: its name and version.
        requires: names of what it requires, of either world.
        is_conda: whether it is a conda package.
    """

    where: str
    pinned: PinnedPackage
    requires: Collection[str]
    is_conda: bool = False


def take_packages(found: Adopted, packages: Sequence[LockedPackage]) -> None:
    """Keep all versions, and take over what no package of the lock requires: that somebody must have asked for."""
    required = {_key(name): one.pinned.name for one in packages for name in one.requires}
    seen: set[tuple[str, bool]] = set()
    for one in packages:
        pinned = one.pinned
        found.pinned.append(pinned)
        if (pinned.name, one.is_conda) in seen:
            continue
        seen.add((pinned.name, one.is_conda))
        text = f"{pinned.name} {pinned.version}"
        if one.is_conda and pinned.name == "python":
            found.requires_python(one.where, text, f"=={pinned.version}")
        elif _key(pinned.name) in required or (one.is_conda and pinned.name.startswith("_")):
            by = required.get(_key(pinned.name))
            found.left(one.where, text, f"`{by}` requires it" if by else "a package that others choose by")
        elif one.is_conda:
            found.conda(
                one.where, pinned.name, written=text, why="nothing else requires it; `--keep` keeps the version"
            )
        elif pinned.name not in _EVERYWHERE:
            found.wheel(
                one.where, pinned.name, written=text, why="nothing else requires it; `--keep` keeps the version"
            )


def required_exactly(found: Adopted) -> list[PinnedPackage]:
    """Return the versions of a file whose requirements are a lock, such as the one that pip-compile writes.

    A project that it has several versions of, for several machines, is left out.
    """
    pins: dict[str, set[str]] = {}
    for text in found.sections.get("pypi", ()):
        if pin := _EXACT.match(text):
            pins.setdefault(_key(pin["name"]), set()).add(pin["version"])
    return [PinnedPackage(name=name, version=next(iter(them))) for name, them in pins.items() if len(them) == 1]


def archive_package(where: str, url: str, requires: Collection[str], platform: Platform | None) -> LockedPackage | None:
    """Read name, version and build from the file name of a conda package; None where it is not one."""
    filename = url.rpartition("/")[2].partition("#")[0]
    stem = filename.removesuffix(".conda").removesuffix(".tar.bz2")
    parts = stem.rsplit("-", 2)
    if stem == filename or len(parts) != 3:  # noqa: PLR2004  name, version and build
        return None
    name, version, build = parts
    pinned = PinnedPackage(name=name, version=version, build=build, platform=platform)
    return LockedPackage(where=where, pinned=pinned, requires=requires, is_conda=True)


def first_words(texts: Collection[str]) -> tuple[str, ...]:
    """Return the names of MatchSpecs such as `numpy >=1.26,<3`."""
    return tuple(text.split()[0] for text in texts if text.split())


def known_platform(text: str) -> Platform | None:
    """Return a platform, or None where envgen does not serve it."""
    return Platform(text) if text in set(Platform) else None


def _key(name: str) -> str:
    return str(project_name(name))
