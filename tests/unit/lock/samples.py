"""A small environment in every stage: spec, solution, lock. Each kind of package, an extra and a local version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.lock.conda_lock import from_solution
from envgen.manifest.parse import parse_spec
from envgen.names import CondaName, NameTable, ProjectName, project_name
from envgen.packages import BuiltArchive, ChannelArchive, Origin, Wheel
from envgen.platforms import Platform
from envgen.records import Record, Solution

if TYPE_CHECKING:
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec

SPEC = """\
name: sample
python: "3.11"
platforms:
  linux-64: {glibc: "2.36", cuda: "12.8", archspec: x86_64_v3}
  linux-aarch64: {glibc: "2.36"}
channels: [conda-forge, ./channel]
dependencies: [graphviz >=9]
pypi:
  - torch ==2.8.0 ; platform_machine == "x86_64"
  - jsonschema[format] >=4
names: {mine: yours}
exclude-newer: 2026-11-22
"""

ADJUSTMENTS = """\
overrides: [sympy ==1.14.0, 'six ==1 ; platform_machine == "aarch64"']
constraints: [numpy <3]
exclude: {torch: [jinja2]}
substitutes: {opencv-python: opencv-python-headless}
conflicts: {"lib/*.so": yours}
trust-record: {torch: 'built without "RECORD": ünder'}
allow-older: {torch: the newest needs a driver that is not there}
"""

NAMES = NameTable(
    renamed={ProjectName("torch"): CondaName("pytorch"), ProjectName("mine"): CondaName("yours")},
    same=frozenset({ProjectName("numpy")}),
)
RECIPES = {"python": Sha256("a" * 64), "unused": Sha256("b" * 64)}
DEBIAN = Sha256("d" * 64)
CONVERTER = 1
ROOT_URL = "file:///srv/project"


def digest(text: str) -> Sha256:
    return Sha256.of(text.encode())


def spec(text: str = SPEC) -> EnvSpec:
    return parse_spec(text, source="environments/sample.yaml")


def wheel(project: str, version: str, **requires: str) -> Record:
    filename = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
    origin = Wheel(
        project=project_name(project),
        version=version,
        filename=filename,
        sha256=digest(filename),
        size=len(filename),
        requires={project_name(name): text for name, text in requires.items()},
    )
    return record(str(NAMES.conda_name(origin.project)), version.partition("+")[0], "py311_h1_0", origin)


def built(name: str, version: str, *depends: str, build: str = "h1_0") -> Record:
    filename = f"{name}-{version}-{build}.conda"
    origin = BuiltArchive(
        recipe="python",
        filename=filename,
        md5=digest(filename)[:32],
        sha256=digest(filename),
        content=digest(name),
        size=10,
    )
    return record(name, version, build, origin, *depends)


def conda(name: str, version: str, *depends: str, channel: str, md5: str | None = None) -> Record:
    filename = f"{name}-{version}-h1_0.conda"
    origin = ChannelArchive(
        url=f"{channel}/linux-64/{filename}",
        md5=digest(filename)[:32] if md5 is None else md5,
        sha256=digest(filename),
        size=None,
    )
    return record(name, version, "h1_0", origin, *depends)


def record(name: str, version: str, build: str, origin: Origin, *depends: str) -> Record:
    return Record(
        name=CondaName(name),
        version=version,
        build=build,
        build_number=0,
        subdir="linux-64",
        depends=depends,
        origin=origin,
    )


def records() -> tuple[Record, ...]:
    return (
        built("python", "3.11.2", "__glibc >=2.36"),
        built("python_abi", "3.11", "python 3.11.*", build="3_cp311"),
        wheel("torch", "2.8.0+cu128", numpy=">=1.26", sympy="!=1.13,>=1.12"),
        wheel("sympy", "1.14.0"),
        wheel("jsonschema", "4.25.1", idna=""),
        wheel("idna", "3.11"),
        conda(
            "numpy",
            "2.3.5",
            "python >=3.11,<3.12.0a0",
            "python_abi 3.11.* *_cp311",
            "__glibc >=2.17,<3.0.a0",
            channel="https://user:secret@conda.example.org/t/tk-1/forge",
        ),
        conda("graphviz", "12.0.0", channel="file:///srv/project/channel"),
    )


def solution(*chosen: Record, wanted: EnvSpec | None = None) -> Solution:
    return Solution(
        target=(wanted or spec()).targets[Platform.LINUX_64],
        records=tuple(sorted(chosen or records(), key=lambda r: r.name)),
        extras={ProjectName("jsonschema"): ("format",), ProjectName("idna"): ()},
    )


def lock(*chosen: Record, wanted: EnvSpec | None = None) -> Lock:
    return from_solution(
        solution(*chosen, wanted=wanted),
        wanted or spec(),
        recipes=RECIPES,
        debian=DEBIAN,
        converter=CONVERTER,
        root_url=ROOT_URL,
    )
