"""What is checked, put together from a lock, the store and the spec."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envgen.check.subject import Base, Part, PathClaims, Subject
from envgen.digest import Sha256
from envgen.errors import EnvgenError
from envgen.lock.debian_lock import IMAGE
from envgen.packages import ChannelPackage
from envgen.prefix.contents import python_layout, read_contents
from envgen.prefix.link_scripts import link_scripts
from envgen.prepare.package_files import files_of, lacking_symbols
from envgen.prepare.packages import link_packages
from envgen.sources.debian_contents import kept_libraries
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec
    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair

_KIND = "path-claims-1"
"""Where decisions about paths are kept; the number is that of their format."""


def subject_of(context: Context, spec: EnvSpec, pair: LockPair, items: Sequence[PlannedPackage]) -> Subject:
    """Read of every package of a lock what rules look at, as far as the store has it."""
    target = pair.lock.target
    files = files_of(context, items, target)
    folders = {str(item.wanted.name): place for item in items if (place := context.store.package(item.wanted.key))}
    claims, lost = _claims(context, pair, [item for item in items if item.wanted.name in folders])
    parts = {
        str(item.wanted.name): Part(
            name=item.wanted.name,
            package=item.package,
            files=files[item.wanted.name],
            lost=frozenset(lost.get(item.wanted.name, ())),
        )
        for item in items
    }
    subject = Subject(
        target=target,
        parts=parts,
        base=base_of(context, spec, pair),
        scripts=_scripts(items, folders),
        claims=claims,
    )
    return replace(subject, lacking=lacking_symbols(context, subject, folders))


def base_of(context: Context, spec: EnvSpec, pair: LockPair) -> Base | None:
    """Return the base of the image, with what the store knows of the suites; None where there is to be no image."""
    if spec.image is None or pair.debian is None:
        return None
    suites = pair.debian.base.suites if pair.debian.base else ()
    return Base(
        versions={deb.name: deb.version for deb in pair.debian.used_by(IMAGE)},
        libraries=kept_libraries(context.store, suites, pair.lock.platform.debian_arch),
    )


def _scripts(items: Sequence[PlannedPackage], folders: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    there = (i.wanted.name for i in items if isinstance(i.package, ChannelPackage) and i.wanted.name in folders)
    return {name: found for name in there if (found := link_scripts(name, folders[name]))}


def _claims(
    context: Context, pair: LockPair, items: Sequence[PlannedPackage]
) -> tuple[PathClaims, dict[str, list[str]]]:
    """Decide who owns paths that several packages have; kept in the store, for 30,000 paths take a second."""
    conflicts = dict(pair.lock.adjustments.conflicts)
    key = Sha256.of(json.dumps([sorted(item.wanted.key for item in items), conflicts]).encode())
    raw = context.store.cached(_KIND, key)
    if raw is None:
        raw = json.dumps(_decided(context, pair, items, conflicts)).encode()
        context.store.put(_KIND, key, raw)
    found = json.loads(raw)
    kept = {path: tuple(names) for path, names in found["kept"].items()}
    return PathClaims(clash=found["clash"], way_out=found["way_out"], kept=kept), found["lost"]


def _decided(
    context: Context, pair: LockPair, items: Sequence[PlannedPackage], conflicts: Mapping[str, str]
) -> dict[str, object]:
    # rattler takes 100 ms to import, and later runs read what is kept
    from envgen.prefix.owners import owners  # noqa: PLC0415

    try:
        packages = link_packages(context, items, pair)
        layout = python_layout(packages, pair.lock.platform)
        placed = [package for package in packages if layout or package.record.noarch != "python"]
        contents = [read_contents(package, layout) for package in placed]
        ownership = owners(contents, platform=pair.lock.platform, conflicts=conflicts)
    except EnvgenError as error:
        return {"clash": str(error), "way_out": error.hint, "kept": {}, "lost": {}}
    return {
        "clash": None,
        "way_out": None,
        "kept": {one.path: [one.owner, *one.others] for one in ownership.kept},
        "lost": {name: sorted(paths) for name, paths in ownership.clobbered.items()},
    }
