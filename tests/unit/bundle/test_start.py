"""The script that stands in bundles: from one file to envgen and the project, or nothing changed."""

from __future__ import annotations

import functools
import io
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.bundle.contents import ENVIRONMENT
from envgen.bundle.contents import PLATFORM as LOCK_PLATFORM
from envgen.bundle.own_wheel import own_metadata, own_wheel
from envgen.bundle.parts import LOCK, TOOLS, WHEEL, BundleArtifact, BundledFile, text_part
from envgen.bundle.tools import PLATFORM, PYTHON
from envgen.bundle.write import Bundle, write_folder, write_tar
from envgen.digest import Sha256
from envgen.errors import IntegrityError
from envgen.oci.layout import REF_NAME
from envgen.oci.read import START, open_layout
from envgen.project.shipped import bundle_start

if TYPE_CHECKING:
    from collections.abc import Callable

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
SUBDIR = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}.get(platform.machine(), "linux-64")

FAKE_PIP = """
import pathlib, sys
wheels = [pathlib.Path(word).name for word in sys.argv if word.endswith(".whl")]
pathlib.Path(sys.prefix, "installed").write_text("\\n".join([*sys.argv[1:4], *wheels]))
"""


@functools.cache
def fake_pip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("pip/__main__.py", FAKE_PIP)
    return out.getvalue()


def wheel(name: str, data: bytes) -> BundledFile:
    return BundledFile(title=f"tools/{name}", media_type=WHEEL, sha256=Sha256.of(data), size=len(data), source=data)


def whole(
    *, spec: str = "environments/demo.yaml", python: str = MINOR, tools: tuple[BundledFile, ...] | None = None
) -> Bundle:
    lock = BundleArtifact(
        kind=LOCK,
        name="demo.linux-64",
        annotations={ENVIRONMENT: "demo", LOCK_PLATFORM: "linux-64"},
        parts=(text_part(spec, b"name: demo\n"), text_part("wheels/x.whl", b"wheel")),
    )
    own = (wheel("pip-1.0-py3-none-any.whl", fake_pip()), wheel("samebytes-0.1.0-py3-none-any.whl", b"envgen"))
    parts = (text_part(START, bundle_start()), *(own if tools is None else tools))
    made = BundleArtifact(kind=TOOLS, name="tools", annotations={PYTHON: python, PLATFORM: SUBDIR}, parts=parts)
    return Bundle(
        entries=[{**one.entry, "annotations": {REF_NAME: one.name}} for one in (lock, made)],
        blobs={**lock.blobs, **made.blobs},
        start=bundle_start(),
    )


def start(bundle: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    script = folder.parent / "start.py"
    script.write_bytes(bundle_start())
    command: list[str | Path] = [sys.executable, "-I", script, bundle, "--folder", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder.parent)


@pytest.mark.parametrize("as_folder", [False, True])
def test_envgen_and_project_come_out(as_folder: bool, tmp_path: Path) -> None:
    bundle = tmp_path / "demo"
    write = write_folder if as_folder else write_tar
    write(whole(), bundle, advance=lambda _: None)
    assert open_layout(bundle).digest == whole().digest
    done = start(bundle, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert f"sha256:{whole().digest}" in done.stderr
    assert "envgen create demo" in done.stdout
    assert "envgen image demo --platform linux-64" in done.stdout
    assert (tmp_path / "out/project/environments/demo.yaml").read_text() == "name: demo\n"
    installed = (tmp_path / "out/envgen/installed").read_text().split("\n")
    assert installed[-2:] == ["pip-1.0-py3-none-any.whl", "samebytes-0.1.0-py3-none-any.whl"]
    again = start(bundle, tmp_path / "out")
    assert (again.returncode, "exists" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("bundle", "said"),
    [
        (whole(spec="environments/../../evil"), "not a path of a project"),
        (whole(spec="environments/.hidden"), "not a path of a project"),
        (whole(spec="project/../../evil"), "not a path of a project"),
        (whole(spec="project/libs/.git/config"), "not a path of a project"),
        (whole(spec="project//etc/evil"), "not a path of a project"),
        (whole(spec="project/a\\\\b"), "not a path of a project"),
        (whole(python="2.7"), "no envgen for Python"),
        (whole(tools=(text_part("tools/../../evil.whl", b"x"),)), "not the name of a wheel"),
        (whole(tools=()), "has no pip"),
    ],
)
def test_what_is_refused_changes_nothing(bundle: Bundle, said: str, tmp_path: Path) -> None:
    write_tar(bundle, tmp_path / "demo.tar", advance=lambda _: None)
    done = start(tmp_path / "demo.tar", tmp_path / "out")
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.tar", "start.py"]


def test_damage_is_found_before_anything_changes(tmp_path: Path) -> None:
    file = tmp_path / "demo.tar"
    write_tar(whole(), file, advance=lambda _: None)
    data = file.read_bytes()
    for changed in (data.replace(b"name: demo", b"name: evil"), data[: len(data) // 2], b"", b"x" * 2000):
        file.write_bytes(changed)
        done = start(file, tmp_path / "out")
        assert (done.returncode, "error:" in done.stderr) == (1, True), done.stderr
        assert "Traceback" not in done.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.tar", "start.py"]


def other_files(folder: Path) -> None:
    """Add a blob that no manifest lists."""
    (folder / f"blobs/sha256/{Sha256.of(b'evil')}").write_bytes(b"evil")


@pytest.mark.parametrize("as_folder", [False, True])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_files, "1 blobs that no manifest lists"),
        (lambda folder: (folder / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}'), "expected '1.0.0', got"),
        (lambda folder: (folder / "oci-layout").unlink(), "oci-layout"),
        (lambda folder: (folder / "index.json").write_text('{"manifests":' + "[" * 10**5), "RecursionError"),
        (lambda folder: next((folder / "blobs/sha256").iterdir()).unlink(), "blobs/sha256/"),
    ],
)
def test_what_a_bundle_does_not_have(
    change: Callable[[Path], object], said: str, as_folder: bool, tmp_path: Path
) -> None:
    bundle = tmp_path / "demo"
    write_folder(whole(), bundle, advance=lambda _: None)
    change(bundle)
    if not as_folder:
        packed = shutil.make_archive(str(tmp_path / "packed"), "tar", bundle)
        shutil.rmtree(bundle)
        Path(packed).rename(bundle)
    with pytest.raises(IntegrityError):
        open_layout(bundle)
    done = start(bundle, tmp_path / "out")
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo", "start.py"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = start(tmp_path / "pipe", tmp_path / "out")
    assert (done.returncode, "neither a folder nor a regular file" in done.stderr) == (1, True)
    with pytest.raises(IntegrityError, match="neither a folder nor a regular file"):
        open_layout(tmp_path / "pipe")


def test_a_wheel_of_this_envgen() -> None:
    """It has what imports need and what the machine of a bundle runs, and the same bytes each time."""
    name, data = own_wheel()
    assert own_wheel() == (name, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        info = name.rpartition("-py3")[0] + ".dist-info"
        assert archive.testzip() is None
        record = archive.read(f"{info}/RECORD").decode()
    assert {"envgen/__init__.py", "envgen/data/bundle/start.py", "envgen/data/recipes/python/debian.yaml"} <= names
    assert {line.split(",")[0] for line in record.splitlines()} == names
    assert f"{info}/licenses/envgen/LICENSE" in names
    assert own_metadata().name == "samebytes"
