"""A package is what the lock says, and writes and reads nothing outside the environment, whatever it says of itself."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from envgen.structs import replace
from tests.builders import debian
from tests.builders.channel import CondaPackage
from tests.builders.stubs import conda_python, python_script
from tests.builders.system import base_debs
from tests.builders.tree import File, Link
from tests.functional.test_lock import packages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Outcome, Project

SECRET = b"PRIVATE KEY OF THE USER\n"


@dataclass(kw_only=True)
class Machine:
    """A user's machine: a project with a channel that somebody else writes, and files that are nobody's business."""

    project: Project
    cli: Command
    registries: Registries
    before: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.cli.directory.parent / "home"

    @property
    def prefix(self) -> Path:
        return self.home / "envs/demo"

    def lock(self, *offered: CondaPackage, image: bool = False) -> None:
        """Offer packages, `evil` among them, and lock it."""
        (self.home / ".ssh").mkdir(parents=True)
        (self.home / ".ssh/id_rsa").write_bytes(SECRET)
        self.registries.debian.add(*base_debs("amd64"))
        self.registries.channel.add(*offered)
        self.registries.publish()
        self.project.spec(
            "demo",
            'python: "3.11"\nplatforms: {linux-64: {glibc: "2.36"}}\n'
            f"channels: [{self.registries.channel_url}]\ndependencies: [python, evil]\n"
            + ("image: {base: {suites: [bookworm, bookworm-security]}}\n" if image else ""),
        )
        self.cli("lock").succeeded()
        self.before = self._files()

    def refuses(self, *expected: str, command: str = "create") -> Outcome:
        """Run a command that must refuse, in words that hold each of `expected`, and change nothing of the user's."""
        outcome = self.cli(command)
        assert outcome.code == 5, outcome.err
        for text in expected:
            assert text in outcome.err
        assert not list(self.prefix.glob("conda-meta/*.json"))
        assert self._files() == self.before
        return outcome

    def _files(self) -> dict[str, str]:
        """List what there is outside the environment, the store and the project, links with their targets."""
        root, found = self.cli.directory.parent, {}
        for path in root.rglob("*"):
            if path.is_symlink():
                found[str(path)] = str(path.readlink())
            elif path.is_file() and not {"project", "cache", "envs"} & set(path.relative_to(root).parts):
                found[str(path)] = str(path.stat().st_nlink)
        return {path: told for path, told in found.items() if "/cache/" not in path}


@pytest.fixture
def machine(project: Project, cli: Command, registries: Registries) -> Machine:
    return Machine(project=project, cli=cli, registries=registries)


def evil(*listed: Mapping[str, Any], files: Mapping[str, File | Link] | None = None, **more: Any) -> CondaPackage:
    return CondaPackage(name="evil", files=files or {"share/evil": File(b"evil")}, listed=listed, **more)


def entry(path: str, data: bytes = b"evil", **more: object) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    return {"_path": path, "path_type": "hardlink", "sha256": digest, "size_in_bytes": len(data), **more}


def unlisted(path: str) -> dict[str, Any]:
    return {"_path": path, "path_type": "hardlink"}


def test_a_package_that_tells_the_truth_is_taken(machine: Machine) -> None:
    machine.lock(evil())
    machine.cli("create").succeeded()
    assert (machine.prefix / "share/evil").read_bytes() == b"evil"


@pytest.mark.parametrize(
    "claims",
    [
        {"name": "numpy", "version": "9.9"},
        {"version": "9.9"},
        {"build": "1"},
        {"subdir": "linux-aarch64"},
        {"name": "../../.local/lib/python3.11/site-packages/evil"},
        {"version": "0/../../../../.local/lib/python3.11/site", "build": "packages"},
        {"subdir": "../../noarch"},
    ],
)
def test_a_package_that_names_another_is_refused(machine: Machine, claims: dict[str, str]) -> None:
    (machine.home / ".local/lib/python3.11").mkdir(parents=True)
    machine.lock(evil(claims=claims))
    machine.refuses("`evil-1.0-0.conda`", "`info/index.json`", "expected", next(iter(claims.values())))


def test_dependencies_come_from_the_lock(machine: Machine) -> None:
    machine.lock(evil(claims={"depends": ["other ==9"]}))
    machine.cli("create").succeeded()
    record = json.loads((machine.prefix / "conda-meta/evil-1.0-0.json").read_text())
    assert record["depends"] == []
    assert packages(machine.project)["evil"]["dependencies"] == {}


@pytest.mark.parametrize("command", ["create", "image"])
@pytest.mark.parametrize("claim", [entry("share/x/id_rsa", SECRET), unlisted("share/x/id_rsa")])
def test_no_file_comes_from_behind_a_link(machine: Machine, command: str, claim: dict[str, Any]) -> None:
    files: dict[str, File | Link] = {"share/x": Link(str(machine.home / ".ssh")), "share/evil": File(b"evil")}
    machine.lock(evil(claim, files=files), image=True)
    machine.refuses("`evil-1.0-0.conda`: `share/x/id_rsa` lies below `share/x`", "got a link", command=command)
    assert (machine.home / ".ssh/id_rsa").stat().st_nlink == 1


@pytest.mark.parametrize("command", ["create", "image"])
def test_no_link_passes_for_a_file(machine: Machine, command: str) -> None:
    files = {"share/key": Link(str(machine.home / ".ssh/id_rsa"))}
    machine.lock(evil(unlisted("share/key"), files=files), image=True)
    machine.refuses("`evil-1.0-0.conda`: `share/key`: expected a file", "got a link", command=command)


def test_no_vendor_file_of_an_image_is_read_through_a_link(machine: Machine) -> None:
    path = "etc/OpenCL/vendors/evil.icd"
    machine.lock(evil(files={path: Link(str(machine.home / ".ssh/id_rsa"))}), image=True)
    machine.refuses(f"`{path}` of `evil-1.0-0`", "got a link out of it", command="image")


@pytest.mark.parametrize(
    "path",
    ["../../.ssh/id_rsa", "/etc/passwd", "conda-meta/zzz-1.0-0.json", "Conda-Meta/.envgen-unfinished", "a//b", "a\\b"],
)
def test_a_path_that_no_package_may_have_is_refused(machine: Machine, path: str) -> None:
    machine.lock(evil(entry(path)))
    machine.refuses("`evil-1.0-0.conda`: `info/paths.json`: expected a", repr(path))


def test_a_record_in_a_package_removes_no_file(machine: Machine) -> None:
    victim = os.path.relpath(machine.home / ".ssh/id_rsa", machine.prefix)
    record = json.dumps({"name": "zzz", "version": "1.0", "build": "0", "files": [victim]}).encode()
    machine.lock(evil(files={"conda-meta/zzz-1.0-0.json": File(record)}))
    machine.refuses("`evil-1.0-0.conda`", "'conda-meta/zzz-1.0-0.json'")


def test_a_record_that_got_there_otherwise_removes_none_either(machine: Machine) -> None:
    machine.lock(evil())
    machine.cli("create").succeeded()
    victim = os.path.relpath(machine.home / ".ssh/id_rsa", machine.prefix)
    record = {"name": "zzz", "version": "1.0", "build": "0", "files": [victim]}
    (machine.prefix / "conda-meta/zzz-1.0-0.json").write_text(json.dumps(record))
    outcome = machine.cli("create")
    assert outcome.code == 5, outcome.err
    assert "zzz-1.0-0.json" in outcome.err
    assert repr(victim) in outcome.err
    assert (machine.home / ".ssh/id_rsa").read_bytes() == SECRET


def test_a_digest_of_other_bytes_takes_no_file_of_another_package(machine: Machine) -> None:
    own = b"#!/bin/sh\necho OWNED\n"
    machine.lock(evil(entry("bin/python3.11", python_script()), files={"bin/python3.11": File(own, 0o755)}))
    machine.refuses("`evil-1.0-0.conda`: `bin/python3.11`: `sha256`: expected", hashlib.sha256(own).hexdigest())


def test_a_digest_that_is_not_stated_is_taken_from_the_bytes(machine: Machine) -> None:
    machine.lock(evil(unlisted("share/evil")))
    machine.cli("create").succeeded()
    record = json.loads((machine.prefix / "conda-meta/evil-1.0-0.json").read_text())
    [told] = record["paths_data"]["paths"]
    assert told["sha256_in_prefix"] == hashlib.sha256(b"evil").hexdigest()
    machine.cli("create", "--verify").succeeded()


@pytest.mark.parametrize("place", ["../../victim", "/victim", "conda-meta"])
def test_site_packages_outside_the_prefix_are_refused(machine: Machine, place: str) -> None:
    python, abi = conda_python()
    lying = replace(python, claims={"python_site_packages_path": place})
    pure = CondaPackage(
        name="evil", subdir="noarch", noarch="python", files={"site-packages/evil.pth": File(b"import os\n")}
    )
    machine.lock(lying, abi, pure)
    machine.refuses("`python-3.11.9-0_cpython.conda`", "`python_site_packages_path`: expected a", repr(place))


def test_links_of_two_packages_do_not_meet(machine: Machine) -> None:
    files = {"share/evil/x": File(b"x")}
    other = CondaPackage(name="other", files={"share/evil": Link(str(machine.home / ".ssh"))})
    machine.lock(evil(files=files, depends=("other",)), other)
    machine.refuses("`other` contains `share/evil` as a file, package `evil` needs it as a folder")


class _Lying(debian.Deb, frozen=True, kw_only=True):
    """A package that the archive lists under one name, and that calls itself something else."""

    claims: Mapping[str, str]

    def control(self) -> dict[str, str]:
        return {**super().control(), **self.claims}


@pytest.mark.parametrize("claims", [{"Package": "bash"}, {"Version": "9"}, {"Architecture": "arm64"}])
def test_a_deb_that_names_another_is_refused(
    demo: Project, cli: Command, registries: Registries, claims: dict[str, str]
) -> None:
    honest = debian.Deb(name="zlib1g", version="1:1.2.13.dfsg-1", files={"usr/lib/libz.so.1": File(b"z")})
    registries.debian.remove("zlib1g")
    registries.debian.add(honest)
    path = registries.debian.path(honest)
    lying = _Lying(name=honest.name, version=honest.version, files=honest.files, claims=claims)
    registries.debian._debs[path] = (honest, debian.make_deb(lying))
    registries.publish()
    outcome = cli("lock")
    assert outcome.code == 5, outcome.err
    assert "`zlib1g_1.2.13.dfsg-1_amd64.deb`: its control file names another package: expected zlib1g" in outcome.err
    assert f"got {claims.get('Package', 'zlib1g')} " in outcome.err
    assert demo.locks() == {}
