"""Every export of the committed locks of pt28-accel, read back by the tool that it is for: the same packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
import rattler
from conda_lock.lockfile import parse_conda_lock_file
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.pylock import Pylock
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from envgen.export.formats import FORMATS
from envgen.lock.read import read_lock
from tests.command import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.lock.model import Lock

pytestmark = pytest.mark.real

TIMEOUT = 300.0
PLATFORMS = ("linux-64", "linux-aarch64")
UV = shutil.which("uv", path=f"{sys.prefix}/bin")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


def lock(platform: str) -> Lock:
    return read_lock((REPOSITORY / f"locks/pt28-accel.{platform}.conda-lock.yml").read_text())


def expected(platform: str) -> dict[str, tuple[str, str]]:
    return {str(p.name): (p.version, str(p.sha256)) for p in lock(platform).packages}


def wheels() -> dict[str, tuple[str, str]]:
    return {str(w.project): (w.version, str(w.sha256)) for w in lock("linux-64").wheels}


def export(form: str, place: Path) -> Path:
    """Run the export; the channel of built packages is a name only, for nobody fetches from it here."""
    one = FORMATS[form]
    platform = [] if one.joint else ["--platform", "linux-64"]
    variables = {"ENVGEN_CACHE": str(place / "cache"), "ENVGEN_CHANNEL": str(place / "channel")}
    done = subprocess.run(
        [sys.executable, "-m", "envgen", "export", form, "pt28-accel", *platform, "--output", str(place / one.file)],
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return place / one.file


def test_conda_lock(place: Path) -> None:
    content = parse_conda_lock_file(export("conda-lock", place))
    for platform in PLATFORMS:
        found = {p.name: (p.version, p.hash.sha256) for p in content.package if p.platform == platform}
        assert found == expected(platform)


def test_pixi(place: Path) -> None:
    file = rattler.LockFile.from_path(export("pixi", place))
    environment = file.default_environment()
    assert environment is not None
    for platform in file.platforms():
        packages = environment.packages(platform) or []
        digests = {p.name: p.hashes.sha256.hex() for p in packages if p.hashes and p.hashes.sha256}
        assert digests == {name: digest for name, (_, digest) in expected(str(platform)).items()}


def test_pylock(place: Path) -> None:
    pylock = Pylock.from_dict(tomllib.loads(export("pylock", place).read_text()))
    target = lock("linux-64").target
    chosen = pylock.select(environment=target.marker_environment(), tags=target.wheel_tags())  # type: ignore[arg-type]  # a TypedDict of the same keys
    assert {str(p.name): (str(p.version), getattr(f, "hashes", {})["sha256"]) for p, f in chosen} == wheels()


@pytest.mark.skipif(UV is None, reason="uv is not installed")
def test_requirements(place: Path) -> None:
    file = export("requirements", place)
    subprocess.run([str(UV), "venv", "--quiet", "--python", sys.executable, str(place / "venv")], check=True)
    command = [str(UV), "pip", "sync", "--dry-run", "--python-version", "3.11", "--python-platform", "linux"]
    options = ["--python", str(place / "venv"), "--cache-dir", str(place / "uv"), str(file)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr
    lines = (line.removeprefix(" + ").partition("==") for line in done.stderr.splitlines() if line.startswith(" + "))
    assert {name: version for name, _, version in lines} == {name: version for name, (version, _) in wheels().items()}


def test_sboms(place: Path) -> None:
    text = export("cyclonedx", place).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    licensed = [c for c in json.loads(text)["components"] if c["purl"].startswith("pkg:pypi/") and "licenses" in c]
    assert len(licensed) == len(wheels())
    assert validate_full_spdx_document(parse_file(str(export("spdx", place)))) == []
