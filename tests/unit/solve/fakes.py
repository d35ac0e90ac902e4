"""Sources of candidates made in memory: an index, a channel, Python from a recipe."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import random
from typing import TYPE_CHECKING

from msgspec import Struct, field
from packaging.requirements import Requirement
from rattler import BuildString, PackageRecord, RepoDataRecord

from envgen.digest import Sha256
from envgen.meant import Asked
from envgen.metadata import parse_metadata
from envgen.names import CondaName, NameTable, ProjectName, project_name
from envgen.packages import BuiltArchive, Wheel
from envgen.platforms import Platform, PythonMinor, Target
from envgen.project import shipped
from envgen.records import Record, Solution
from envgen.solve.engine import solve
from envgen.solve.task import SolveTask
from envgen.structs import replace
from tests.builders.wheels import make_metadata, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envgen.metadata import WheelMetadata
    from envgen.solve.task import IndexFile, Preference

UPLOADED = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


class FakeFile(Struct, frozen=True, kw_only=True):
    """A listed wheel."""

    filename: str
    raw: bytes
    requires_python: str | None = None
    uploaded: dt.datetime | None = UPLOADED
    yanked: bool = False
    sha256: Sha256 | None = None
    size: int | None = 1


class FakePage(Struct):
    """A project's page."""

    wheels: dict[str, list[FakeFile]] = field(default_factory=dict)
    sdists: frozenset[str] = frozenset()
    sources: dict[str, FakeFile] = field(default_factory=dict)
    measurable: bool = False
    undated: bool = False

    @property
    def versions(self) -> Sequence[str]:
        return tuple(self.wheels)

    def files(self, version: str) -> Sequence[FakeFile]:
        return self.wheels[version]

    def archives(self, version: str) -> Sequence[FakeFile]:
        return [self.sources.get(version) or FakeFile(filename=f"{version}.tar.gz", raw=b"")]


class FakeIndex(Struct):
    """An index in memory; `seed` shuffles how long answers take."""

    pages: dict[str, FakePage] = field(default_factory=dict)
    seed: int | None = None
    read: list[str] = field(default_factory=list)

    def add(
        self,
        project: str,
        version: str = "1.0",
        *requires: str,
        tag: str = "py3-none-any",
        extras: Iterable[str] = (),
        requires_python: str | None = None,
        uploaded: dt.datetime | None = UPLOADED,
        yanked: bool = False,
        digest: bool = True,
    ) -> FakeFile:
        """Offer a wheel."""
        filename = wheel_filename(project, version, tag)
        raw = make_metadata(project, version, requires=requires, extras=extras, requires_python=requires_python)
        found = FakeFile(
            filename=filename,
            raw=raw,
            requires_python=requires_python,
            uploaded=uploaded,
            yanked=yanked,
            sha256=Sha256(hashlib.sha256(filename.encode()).hexdigest()) if digest else None,
        )
        page = self.pages.setdefault(project, FakePage())
        page.wheels.setdefault(version, []).append(found)
        return found

    async def page(self, project: ProjectName) -> FakePage | None:
        await self._wait(project)
        return self.pages.get(project)

    async def measured(self, file: IndexFile) -> IndexFile:
        assert isinstance(file, FakeFile)
        return replace(file, sha256=Sha256.of(file.raw))

    async def metadata(self, file: IndexFile) -> WheelMetadata:
        assert isinstance(file, FakeFile)
        self.read.append(file.filename)
        await self._wait(file.filename)
        return parse_metadata(file.raw)

    async def _wait(self, what: str) -> None:
        if self.seed is not None:
            delay = random.Random(f"{self.seed}{what}").random() / 200  # noqa: S311  # no secret, but repeatable
            await asyncio.sleep(delay)


def conda_record(
    name: str, version: str = "1.0", *depends: str, build: str = "0", subdir: str = "linux-64"
) -> RepoDataRecord:
    """Make a channel's record."""
    digest = hashlib.sha256(f"{name}{version}{build}".encode())
    package = PackageRecord(
        name=name,
        version=version,
        build=BuildString(build),
        build_number=0,
        subdir=subdir,
        depends=list(depends),
        sha256=digest.digest(),
        md5=digest.digest()[:16],
        size=7,
    )
    url = f"https://user:secret@channel.test/t/token-1/good/{subdir}/{name}-{version}-{build}.conda"
    return RepoDataRecord(package, f"{name}-{version}-{build}.conda", url, "https://channel.test/good")


class FakeChannel(Struct):
    """A channel in memory."""

    content: list[RepoDataRecord]

    async def records(self, name: CondaName) -> Sequence[RepoDataRecord]:
        return [record for record in self.content if record.name.normalized == str(name)]


def target(platform: str = "linux-64", *, cuda: str | None = None) -> Target:
    """Describe a machine of today."""
    parsed = Platform(platform)
    glibc = (2, 36) if parsed.is_linux else None
    return Target(platform=parsed, python=PythonMinor(3, 11), glibc=glibc, cuda=cuda)


def recipe(name: str, version: str, *depends: str, build: str = "0") -> Record:
    """Make a recipe's package."""
    zeros = Sha256("0" * 64)
    origin = BuiltArchive(recipe=name, filename="x", md5="0" * 32, sha256=zeros, content=zeros, size=1)
    return Record(
        name=CondaName(name),
        version=version,
        build=build,
        build_number=0,
        subdir="linux-64",
        depends=depends,
        origin=origin,
    )


PYTHON = (
    recipe("python", "3.11.2", "python_abi 3.11.* *_cp311"),
    recipe("python_abi", "3.11", build="0_cp311"),
)


def task(
    index: FakeIndex,
    *pypi: str,
    dependencies: Sequence[str] = (),
    channel: Sequence[RepoDataRecord] | None = None,
    recipes: Sequence[Record] = PYTHON,
    names: NameTable | None = None,
    preferred: Mapping[CondaName, Preference] | None = None,
    exclude_newer: dt.datetime | None = None,
    on: Target | None = None,
) -> SolveTask:
    """Write a request down."""
    return SolveTask(
        target=on or target(),
        dependencies=dependencies,
        pypi=tuple(map(Requirement, pypi)),
        names=names or NameTable(),
        recipes=recipes,
        wheels=index,
        channels=None if channel is None else FakeChannel(list(channel)),
        preferred=preferred or {},
        exclude_newer=exclude_newer,
        asked=Asked() if channel is None else Asked(channels=("conda-forge",)),
        meant=shipped.meant_table(),
    )


def solved(request: SolveTask) -> Solution:
    """Solve a request."""
    return asyncio.run(solve(request))


def versions(solution: Solution) -> dict[str, str]:
    """Read a solution off: project -> version of its wheel; conda name -> version of anything else."""
    found: dict[str, str] = {}
    for record in solution.records:
        wheel = record.origin if isinstance(record.origin, Wheel) else None
        if record.name not in {"python", "python_abi"}:
            found[wheel.project if wheel else record.name] = wheel.version if wheel else record.version
    return found


def names_of(**same: str) -> NameTable:
    """Make a name table: project -> conda name, each pair the same project in both worlds."""
    renamed = {project_name(p): CondaName(c) for p, c in same.items()}
    return NameTable(renamed={p: c for p, c in renamed.items() if str(p) != str(c)}, same=frozenset(renamed))


def archive(index: FakeIndex, project: str, version: str, *, uploaded: dt.datetime = UPLOADED) -> None:
    """Offer a source archive besides what the index has."""
    file = index.add(project, version, uploaded=uploaded)
    page = index.pages[project]
    del page.wheels[version]
    page.sdists |= {version}
    page.sources[version] = replace(file, filename=f"{project}-{version}.tar.gz")
