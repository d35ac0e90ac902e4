"""A case of wheels alone: locked with everything cached, beside uv, which has to choose the same versions.

Python comes from a channel in the project, which has it for every platform, so that the wheels make the difference.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tests.benchmarks.measuring import Case, Goal, added
from tests.builders.channel import Channel
from tests.builders.stubs import conda_python

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.benchmarks.bench_create import Timing
    from tests.benchmarks.measuring import Bench

_DAY = "2026-11-22"
_PYTHON = "3.11"

_PLATFORMS = {
    "linux-64": ('{glibc: "2.36", cuda: "14.0"}', "x86_64-manylinux_2_36"),
    "linux-aarch64": ('{glibc: "2.36"}', "aarch64-manylinux_2_36"),
    "osx-arm64": ('{macos: "15.0"}', "aarch64-apple-darwin"),
    "win-64": ("{}", "x86_64-pc-windows-msvc"),
}
"""Platform -> what its machines have, and uv's name of it."""


def case(job: str, requirements: Sequence[str], count: int) -> Case:
    """Return a case that locks requirements for the first `count` platforms."""
    work = _Work(job=job, requirements=tuple(requirements), platforms=tuple(_PLATFORMS)[:count])
    return Case(job=job, envgen=work.envgen, uv=work.uv, goal=Goal(most=2.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    job: str
    requirements: tuple[str, ...]
    platforms: tuple[str, ...]

    def envgen(self, bench: Bench) -> Timing:
        """Lock without a lock, with all pages and METADATA cached."""
        project = bench.project(self._folder)
        bench.once(f"envgen, {self.job}", lambda: self._prepare(bench, project))
        for lock in (project / "locks").glob("*"):
            lock.unlink()
        return bench.envgen("lock", project=project, cache="scale-store")

    def uv(self, bench: Bench) -> Timing:
        """Run `pip compile` for each platform in turn, and tell where it chose other versions."""
        project = bench.project(f"{self._folder}-uv")
        (project / "requirements.in").write_text("\n".join(self.requirements) + "\n", encoding="utf-8")
        bench.once(f"uv, {self.job}", lambda: self._compare(bench, project))
        return self._compile(bench, project)

    @property
    def _folder(self) -> str:
        return "".join(letter if letter.isalnum() else "-" for letter in self.job)

    def _prepare(self, bench: Bench, project: Path) -> None:
        self._write(project)
        bench.envgen("lock", project=project, cache="scale-store")

    def _write(self, project: Path) -> None:
        """Write the spec and the channel."""
        channel = Channel()
        for at, platform in enumerate(self.platforms):
            packages = conda_python(subdir=platform)
            channel.add(*(packages if at == 0 else packages[:1]))
        for path, data in channel.site().items():
            file = project / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        targets = "".join(f"  {platform}: {_PLATFORMS[platform][0]}\n" for platform in self.platforms)
        wanted = "".join(f"  - {requirement}\n" for requirement in self.requirements)
        head = f'name: scale\npython: "{_PYTHON}"\nplatforms:\n{targets}'
        rest = f"channels: [.{channel.prefix}]\ndependencies: [python]\npypi:\n{wanted}exclude-newer: {_DAY}\n"
        (project / "environments").mkdir(exist_ok=True)
        (project / "environments/scale.yaml").write_text(head + rest, encoding="utf-8")

    def _compile(self, bench: Bench, project: Path) -> Timing:
        peers = [_PLATFORMS[platform][1] for platform in self.platforms]
        for peer in peers:
            (project / f"{peer}.txt").unlink(missing_ok=True)  # its versions would be preferred
        return added([bench.compile(project, peer, _PYTHON, _DAY, "scale-uv") for peer in peers])

    def _compare(self, bench: Bench, project: Path) -> None:
        self._compile(bench, project)
        for platform in self.platforms:
            own = _locked(bench.project(self._folder) / f"locks/scale.{platform}.conda-lock.yml")
            others = _pinned(project / f"{_PLATFORMS[platform][1]}.txt")
            names = sorted(name for name in own.keys() | others.keys() if own.get(name) != others.get(name))
            odd = ", ".join(f"{name} {own.get(name, '-')} (uv {others.get(name, '-')})" for name in names)
            print(f"{self.job}, {platform}: {len(own)} packages, {odd or 'the versions of uv'}", file=sys.stderr)  # noqa: T201


def _locked(lock: Path) -> Mapping[str, str]:
    """Read the versions of the wheels of a lock."""
    packages = yaml.load(lock.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["package"]  # noqa: S506  a safe one
    return {canonicalize_name(one["name"]): one["version"] for one in packages if one["manager"] == "pip"}


def _pinned(requirements: Path) -> Mapping[str, str]:
    """Read the versions that `uv pip compile` wrote."""
    found: dict[str, str] = {}
    for line in requirements.read_text(encoding="utf-8").splitlines():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:  # a comment
            continue
        found[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return found
