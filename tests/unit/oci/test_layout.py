"""A layout on disk: whole, deterministic, and never half of one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envgen.errors import UserError
from envgen.image.entries import file
from envgen.oci.archive import write_archive
from envgen.oci.compress import Compression
from envgen.oci.layout import INDEX, MANIFEST
from envgen.oci.verify import Limits, check_layout
from envgen.platforms import Platform
from tests.builders.images import LAYERS, make_image, make_layout

if TYPE_CHECKING:
    from envgen.system.store import Store

LIMITS = Limits(layers=60, size=10**9)
ROOT = Path(__file__).parents[3]


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def index(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "index.json").read_bytes())
    return found


@pytest.mark.parametrize("compression", Compression)
def test_a_layout_is_what_it_says(store: Store, tmp_path: Path, compression: Compression) -> None:
    layout = make_layout(store, tmp_path / "out", make_image(store, compression=compression))
    assert check_layout(layout.directory, limits=LIMITS) == ()
    (entry,) = index(layout.directory)["manifests"]
    assert (entry["mediaType"], entry["digest"]) == (MANIFEST, f"sha256:{layout.digest}")
    assert entry["annotations"] == {
        "org.opencontainers.image.ref.name": "latest",  # what `umoci` takes where it is given no name
        "org.opencontainers.image.title": "demo",
    }


def test_several_platforms_have_an_index_of_their_own(store: Store, tmp_path: Path) -> None:
    images = [make_image(store, platform=platform) for platform in (Platform.LINUX_64, Platform.LINUX_AARCH64)]
    layout = make_layout(store, tmp_path / "out", *images)
    assert check_layout(layout.directory, limits=LIMITS) == ()
    assert index(layout.directory)["manifests"][0]["mediaType"] == layout.media_type == INDEX
    inner = json.loads((layout.directory / "blobs/sha256" / layout.digest).read_bytes())
    assert [entry["platform"] for entry in inner["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux"},
    ]


def test_the_same_image_has_the_same_bytes_anywhere(store: Store, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        make_layout(store, tmp_path / "one")
    finally:
        os.umask(before)
    make_layout(store, tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert {oct(p.stat().st_mode & 0o777) for p in (tmp_path / "one/blobs/sha256").iterdir()} == {"0o444"}


def test_writing_again_replaces_the_image(store: Store, tmp_path: Path) -> None:
    make_layout(store, tmp_path / "out", make_image(store, layers=[*LAYERS, [file("more", "1")]]))
    layout = make_layout(store, tmp_path / "out")
    assert check_layout(layout.directory, limits=LIMITS) == ()  # and nothing is left that nothing leads to


def test_blobs_are_links_into_the_store(store: Store, tmp_path: Path) -> None:
    image = make_image(store)
    make_layout(store, tmp_path / "out", image)
    for layer in image.layers:
        assert (tmp_path / "out/blobs/sha256" / layer.digest).samefile(store.need_blob(layer.digest))


def test_a_damaged_blob_is_replaced(store: Store, tmp_path: Path) -> None:
    image = make_image(store)
    make_layout(store, tmp_path / "out", image)
    blob = tmp_path / "out/blobs/sha256" / image.layers[0].digest
    size = blob.stat().st_size
    blob.unlink()
    blob.write_bytes(b"x" * size)
    make_layout(store, tmp_path / "out", image)
    assert check_layout(tmp_path / "out", limits=LIMITS) == ()


def test_the_layout_of_another_tool_is_left_alone(store: Store, tmp_path: Path) -> None:
    layout = make_layout(store, tmp_path / "mine.oci")
    (layout.directory / ".envgen-lock").unlink()  # as `skopeo copy` and others leave layouts
    before = {path: path.read_bytes() for path in layout.directory.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="of another tool"):
        make_layout(store, tmp_path / "mine.oci")
    assert {path: path.read_bytes() for path in layout.directory.rglob("*") if path.is_file()} == before


def test_a_folder_of_other_things_is_left_alone(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("")
    with pytest.raises(UserError, match="is neither empty nor an OCI layout"):
        make_layout(store, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]
    with pytest.raises(UserError, match="is not a folder"):
        make_layout(store, tmp_path / "out/thesis.tex")


KILLED = """
import os, signal, sys
from pathlib import Path
from envgen.oci import layout
from envgen.image.entries import file
from envgen.system.store import Store
from tests.builders.images import LAYERS, make_image, make_layout
left = int(sys.argv[2])
def trace(frame, event, argument):
    global left
    if frame.f_code.co_filename.endswith(("layout.py", "fs.py")):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return trace
folder = Path(sys.argv[1])
store = Store(folder / "store")
new = make_image(store, layers=[*LAYERS, [file("more", "1")]])
sys.settrace(trace)
make_layout(store, folder / "out", new)
"""


@pytest.mark.parametrize("step", [5, 40, 80, 120, 160, 200, 240, 280, 320])
def test_killed_at_any_moment_the_layout_is_the_old_or_the_new(store: Store, tmp_path: Path, step: int) -> None:
    old = make_layout(store, tmp_path / "out")
    new = make_layout(store, tmp_path / "new", make_image(store, layers=[*LAYERS, [file("more", "1")]]))
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(step)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert done.returncode in (-signal.SIGKILL, 0), done.stderr
    (entry,) = index(tmp_path / "out")["manifests"]
    assert entry["digest"] in {f"sha256:{old.digest}", f"sha256:{new.digest}"}
    faults = check_layout(tmp_path / "out", limits=LIMITS)
    assert [fault for fault in faults if "not referenced" not in fault] == []
    make_layout(store, tmp_path / "out", make_image(store))
    assert check_layout(tmp_path / "out", limits=LIMITS) == ()


def test_an_archive_holds_the_layout_and_dockers_list(store: Store, tmp_path: Path) -> None:
    layout = make_layout(store, tmp_path / "out")
    told: list[int] = []
    write_archive(layout, tmp_path / "image.tar", advance=told.append)
    with tarfile.open(tmp_path / "image.tar") as archive:
        names = archive.getnames()
        found = {name: _read(archive, name) for name in names}
        assert {member.mtime for member in archive} == {315532800}
    assert names[:3] == ["oci-layout", "index.json", "manifest.json"]
    listed = json.loads(found.pop("manifest.json"))
    (entry,) = json.loads(found.pop("index.json"))["manifests"]
    assert (entry["digest"], entry["annotations"]) == (
        f"sha256:{layout.digest}",
        {"org.opencontainers.image.ref.name": "demo"},  # `podman load` names the image by it
    )
    kept = {name: data for name, data in tree(layout.directory).items() if not name.startswith(".")}
    assert found == {name: data for name, data in kept.items() if name != "index.json"}
    assert [image["RepoTags"] for image in listed] == [["demo:latest"]]
    assert {listed[0]["Config"], *listed[0]["Layers"]} <= found.keys()
    assert sum(told) == sum(len(data) for name, data in found.items() if name.startswith("blobs/"))


def test_an_archive_of_several_platforms_has_a_tag_for_each(store: Store, tmp_path: Path) -> None:
    images = [make_image(store, platform=platform) for platform in (Platform.LINUX_64, Platform.LINUX_AARCH64)]
    write_archive(make_layout(store, tmp_path / "out", *images), tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        listed = json.loads(_read(archive, "manifest.json"))
    assert [image["RepoTags"] for image in listed] == [["demo:amd64"], ["demo:arm64"]]


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    assert stream
    return stream.read()
