"""`envgen export`: what is locked, installed by the tools that the formats are for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from conda_lock.lockfile import parse_conda_lock_file

from envgen.export.formats import FORMATS
from tests.builders.server import serve
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

UV = shutil.which("uv", path=f"{sys.prefix}/bin")


def lock_of(project: Project) -> dict[str, str]:
    """Read the wheels of the lock: name -> version."""
    lock = yaml.safe_load((project.root / "locks/demo.linux-64.conda-lock.yml").read_text())
    return {p["name"]: p["version"] for p in lock["package"] if p["manager"] == "pip"}


@pytest.mark.skipif(UV is None, reason="uv is not installed")
@pytest.mark.parametrize("form", ["requirements", "pylock"])
def test_uv_installs_the_same_wheels(
    form: str, locked: Project, cli: Command, registries: Registries, tmp_path: Path
) -> None:
    file = FORMATS[form].file
    cli("export", form, "--output", str(tmp_path / file)).succeeded()
    target = tmp_path / "target"
    index = registries.environment["ENVGEN_PYPI"]
    command = [str(UV), "pip", "sync", "--no-config", "--cache-dir", str(tmp_path / "uv"), "--target", str(target)]
    options = ["--python", sys.executable, "--python-version", "3.11", "--index-url", index, str(tmp_path / file)]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, env=cli.variables, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    found = (re.fullmatch(r"(.+)-(.+)\.dist-info", p.name) for p in target.iterdir())
    assert {match[1]: match[2] for match in found if match} == lock_of(locked)


def test_conda_lock_has_real_addresses(locked: Project, cli: Command, registries: Registries, tmp_path: Path) -> None:
    channel = tmp_path / "channel"
    cli("build", "--channel", str(channel)).succeeded()
    file = tmp_path / "conda-lock.yml"
    cli("export", "conda-lock", "--output", str(file), ENVGEN_CHANNEL=str(channel)).succeeded()
    urls = {p.name: p.url for p in parse_conda_lock_file(file).package}
    assert urls["spam"].startswith(registries.server.url)
    assert urls["python"].startswith(f"{channel.as_uri()}/linux-64/python-3.11.2")
    assert "${" not in file.read_text()


def test_explicit_takes_converted_wheels_from_the_channel(locked: Project, cli: Command, tmp_path: Path) -> None:
    channel = tmp_path / "channel"
    cli("build", "--channel", str(channel)).succeeded()
    outcome = cli("export", "explicit", ENVGEN_CHANNEL=str(channel)).succeeded()
    lines = [line for line in outcome.out.splitlines() if not line.startswith(("#", "@"))]
    assert len(lines) == 4
    for line in lines:
        url, _, digest = line.partition("#")
        assert (channel / url.removeprefix(f"{channel.as_uri()}/")).is_file()
        assert re.fullmatch("[0-9a-f]{32}", digest)
    assert outcome.err == ""


def test_no_secret_of_a_channel_leaves(locked: Project, cli: Command, tmp_path: Path) -> None:
    channel = tmp_path / "channel"
    cli("build", "--channel", str(channel)).succeeded()
    with serve(tmp_path) as server:
        (tmp_path / "t").mkdir()
        (tmp_path / "t/tk-123").symlink_to(tmp_path)
        secret = server.url.replace("//", "//me:hunter2@") + "/t/tk-123/channel"
        for form in FORMATS:
            outcome = cli("export", form, "--platform", "linux-64", ENVGEN_CHANNEL=secret).succeeded()
            assert "tk-123" not in outcome.out + outcome.err, form
            assert "hunter2" not in outcome.out + outcome.err, form
        explicit = cli("export", "explicit", ENVGEN_CHANNEL=secret).succeeded()
    assert f"{server.url}/channel/linux-64/spam-1.0-" in explicit.out
    assert f"credentials for {server.url}/channel are left out" in explicit.err
    assert "/t/tk-123/channel/linux-64/repodata.json" in server.paths()


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_works_without_a_channel(form: str, locked: Project, cli: Command, tmp_path: Path) -> None:
    """What a recipe makes is named where `envgen build` writes it, and the user is told."""
    outcome = cli("export", form, "--platform", "linux-64", ENVGEN_CACHE=str(tmp_path / "cache-2")).succeeded()
    channel = f"{(tmp_path / 'cache-2/channel').as_uri()}"
    assert (channel in outcome.out) == (channel in outcome.err) == FORMATS[form].channel


@pytest.mark.parametrize("form", ["requirements", "cyclonedx", "spdx", "dockerfile"])
def test_the_same_bytes_everywhere(form: str, locked: Project, cli: Command, tmp_path: Path) -> None:
    first = cli("export", form).succeeded().out
    again = cli("export", form, ENVGEN_CACHE=str(tmp_path / "fresh"), TZ="Pacific/Chatham", LC_ALL="C").succeeded().out
    assert again == first


def test_sbom_names_wheels_recipes_and_debian(locked: Project, cli: Command) -> None:
    content = json.loads(cli("export", "cyclonedx").succeeded().out)
    purls = {component["purl"].partition("?")[0] for component in content["components"]}
    assert {"pkg:pypi/spam@1.0", "pkg:pypi/eggs@1.1", "pkg:conda/python@3.11.2"} <= purls
    assert "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1" in purls


def test_one_platform_must_be_chosen(demo: Project, cli: Command) -> None:
    platforms = 'platforms: {osx-arm64: {macos: "13.0"}, linux-aarch64: {glibc: "2.36"}}'
    demo.spec("demo", SPEC.replace('platforms: {linux-64: {glibc: "2.36"}}', platforms))
    outcome = cli("export", "requirements")
    assert outcome.code == 1
    assert "--platform osx-arm64" in outcome.err


def test_unknown_format(locked: Project, cli: Command) -> None:
    outcome = cli("export", "pipfile")
    assert outcome.code == 2
    assert all(name in outcome.err for name in FORMATS)


def test_output_that_cannot_be_written(locked: Project, cli: Command) -> None:
    outcome = cli("export", "requirements", "--output", "/proc/nowhere/requirements.txt")
    assert outcome.code == 1, outcome.err
    assert "/proc/nowhere" in outcome.err


def test_missing_lock(demo: Project, cli: Command) -> None:
    outcome = cli("export", "requirements")
    assert outcome.code == 1
    assert "envgen lock" in outcome.err


def test_source_date_epoch_dates_a_document(locked: Project, cli: Command) -> None:
    content = json.loads(cli("export", "spdx", SOURCE_DATE_EPOCH="86400").succeeded().out)
    assert content["creationInfo"]["created"] == "1970-01-02T00:00:00Z"
    assert cli("export", "spdx", SOURCE_DATE_EPOCH="soon").code == 1
