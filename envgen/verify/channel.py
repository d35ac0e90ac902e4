"""A channel against a lock: it has the archive of every package that `publish` puts there, with its digest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.errors import GoneError, IntegrityError
from envgen.packages import BuiltPackage, ChannelPackage
from envgen.prepare.packages import recipe_inputs
from envgen.prepare.plan import items_of
from envgen.publish.archives import PackedPackage, packed_package
from envgen.publish.publish import described_archive
from envgen.verify.findings import Deviation, Kind, LockComparison, ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.publish.folder import FolderChannel


_REPODATA = "repodata.json"
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """A channel as it is read.

    Attributes:
        listed: returns file name -> sha256 of a subdir, as its index states; None for kinds whose index is not asked.
        find: returns the sha256 of an archive's bytes, None where there is no archive; None where none are read.
    """

    listed: Callable[[str], Mapping[str, str]] | None
    find: Callable[[PackedPackage], Sha256 | None] | None


def folder_view(channel: FolderChannel, *, quick: bool) -> ChannelView:
    """Read a channel in a folder."""

    def listed(subdir: str) -> Mapping[str, str]:
        try:
            return _digests((channel.root / subdir / _REPODATA).read_bytes())
        except OSError:
            return {}

    return ChannelView(listed=cache(listed), find=None if quick else channel.find)


def web_view(context: Context, address: str, *, quick: bool) -> ChannelView:
    """Read a channel on a server: its `repodata.json`, and its archives unless `quick`."""
    base = address.rstrip("/")

    def listed(subdir: str) -> Mapping[str, str]:
        answer = context.http.get(f"{base}/{subdir}/{_REPODATA}", optional=True)
        return _digests(answer.body) if answer.status == _OK else {}

    def find(package: PackedPackage) -> Sha256 | None:
        with context.store.view() as folder, (folder / "archive").open("w+b") as out:
            try:
                context.http.download_unproven(f"{base}/{package.subdir}/{package.filename}", out)
            except GoneError:
                return None
            out.seek(0)
            return Sha256.of_stream(out)

    return ChannelView(listed=cache(listed), find=None if quick else find)


def _digests(repodata: bytes) -> dict[str, str]:
    """Return file name -> sha256, as `repodata.json` states; raises where that is none.

    Raises:
        IntegrityError: it is not repodata.
    """
    try:
        document = read_json(repodata)
        every = {**document.get("packages", {}), **document.get("packages.conda", {})}
        return {str(name): str(entry.get("sha256")) for name, entry in every.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise IntegrityError(f"`{_REPODATA}` of the channel cannot be read: {error}") from error


def compare_channel(context: Context, view: ChannelView, pair: LockPair) -> LockComparison:
    """Compare a channel with the packages of a lock: wheels and what recipes make, which `publish` puts there.

    Packages of other channels are compared where this one has them, too.

    Raises:
        NetworkError, UserError: the channel cannot be read.
    """
    items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    findings: list[Deviation] = []
    unknown: list[str] = []
    with context.reporter.progress("comparing packages", total=len(items), unit="packages") as bar:
        for item in items:
            package, expected = _expected(context, item)
            if expected is None:
                unknown.append(str(item.wanted.name))
            else:
                findings += _differences(view, item, package, expected)
            bar.advance(1)
    return LockComparison(
        lock=context.relative(pair.path),
        compared=f"{len(items) - len(unknown)} packages, "
        + ("by the index (archives were not read)" if view.find is None else "every byte of their archives"),
        findings=ordered(findings),
        unproven=(_unproven(unknown),) if unknown else (),
    )


def _expected(context: Context, item: PlannedPackage) -> tuple[PackedPackage, Sha256 | None]:
    """Return the archive of a package, and its sha256; None of what is converted and not in the store."""
    package, want = item.package, item.wanted
    index = {"name": str(want.name), "version": want.version, "build": want.build}
    if isinstance(package, BuiltPackage | ChannelPackage):
        return PackedPackage(key=want.key, index={**index, "subdir": package.subdir}), package.sha256
    if context.store.package(want.key) is None:
        return PackedPackage(key=want.key, index=index), None
    packed = packed_package(context.store, want.key)
    return packed, described_archive(context.store, packed).sha256


def _differences(
    view: ChannelView, item: PlannedPackage, package: PackedPackage, expected: Sha256
) -> Iterator[Deviation]:
    name, where = str(item.wanted.name), f"{package.subdir}/{package.filename}"
    stated = view.listed(package.subdir).get(package.filename) if view.listed else expected
    found = view.find(package) if view.find and stated else stated
    if isinstance(item.package, ChannelPackage) and not found:
        return  # another channel has it
    if not found or not stated:
        what = "missing" if not found else "not in the index of the channel"
        yield Deviation(kind=Kind.MISSING, where=where, package=name, what=what)
    if stated and stated != expected:
        what = f"the index says sha256 {stated}, expected {expected}"
        yield Deviation(kind=Kind.CHANGED, where=where, package=name, what=what)
    elif found and found != expected:
        what = f"expected sha256 {expected}, got {found}"
        yield Deviation(kind=Kind.CHANGED, where=where, package=name, what=what)


def _unproven(names: list[str]) -> str:
    return (
        f"{len(names)} wheels are not in the cache as packages, such as `{names[0]}`: the digests of their "
        "archives are not known; `envgen create` brings them there"
    )
