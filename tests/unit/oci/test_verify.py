"""The checker of layouts finds what is wrong; that it finds nothing in what is right, the tests of layouts show."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from envgen.image.entries import file
from envgen.oci.verify import Limits, check_layout
from envgen.system.store import Store
from tests.builders.images import make_image, make_layout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

LIMITS = Limits(layers=60, size=10**9)
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return make_layout(Store(tmp_path / "store"), tmp_path / "out").directory


def put(layout: Path, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def rewrite(layout: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change manifest and configuration, and make everything lead to the new ones."""
    blobs = layout / "blobs/sha256"
    index = json.loads((layout / "index.json").read_bytes())
    entry = index["manifests"][0]
    manifest = json.loads((blobs / entry["digest"][7:]).read_bytes())
    config = json.loads((blobs / manifest["config"]["digest"][7:]).read_bytes())
    for old in (entry["digest"], manifest["config"]["digest"]):
        (blobs / old[7:]).unlink()
    change(manifest, config)
    manifest["config"] |= put(layout, json.dumps(config).encode())
    entry |= put(layout, json.dumps(manifest).encode())
    (layout / "index.json").write_text(json.dumps(index))


def layer(*members: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            member.mtime = member.mtime or 315532800
            archive.addfile(member)
    return out.getvalue()


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(found, key, value)
    return found


def check_tar(layout: Path, tar: bytes) -> tuple[str, ...]:
    """Add a layer on top."""

    def change(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        manifest["layers"].append({"mediaType": GZIP, **put(layout, gzip.compress(tar))})
        config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(tar).hexdigest()}")

    rewrite(layout, change)
    return check_layout(layout, limits=LIMITS)


def test_a_changed_blob_is_found(layout: Path) -> None:
    blob = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(data + b"x")
    assert any(f"{len(data) + 1} bytes, expected {len(data)}" in fault for fault in check_layout(layout, limits=LIMITS))


def test_missing_and_foreign_blobs_are_found(layout: Path) -> None:
    blobs = sorted((layout / "blobs/sha256").iterdir())
    (layout / "blobs/sha256/stray").write_text("")
    blobs[0].unlink()
    faults = check_layout(layout, limits=LIMITS)
    assert any("stray: not referenced" in fault for fault in faults)
    assert any(": missing" in fault for fault in faults)


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        (Limits(layers=1, size=10**9), "2 layers, expected 1 at most"),
        (Limits(layers=9, size=100), "expected 100 at most"),
    ],
)
def test_limits_are_held(layout: Path, limits: Limits, fault: str) -> None:
    assert any(fault in found for found in check_layout(layout, limits=limits))


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("architecture", "", "architecture is ''"),
        ("os", None, "os is None"),
        ("rootfs", {"type": "other", "diff_ids": []}, "`rootfs.type` is not `layers`"),
        ("rootfs", {"type": "layers", "diff_ids": []}, "config: 0 DiffIDs, expected 2"),
        ("rootfs", {"type": "layers", "diff_ids": ["sha256:1", "sha256:2"]}, "DiffID is sha256:"),
        ("history", [{}], "config: history of 1 layers, expected 2"),
    ],
)
def test_a_configuration_that_does_not_fit_is_found(layout: Path, key: str, value: object, fault: str) -> None:
    rewrite(layout, lambda _manifest, config: config.update({key: value}))
    assert any(fault in found for found in check_layout(layout, limits=LIMITS))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda manifest: manifest["layers"][0].update(mediaType="application/x-tar"), "unknown media type"),
        (lambda manifest: manifest["layers"][0].update(mediaType=f"{GZIP[:-5]}"), "different media types"),
        (lambda manifest: manifest["config"].update(mediaType="text/plain"), "config: expected media type"),
        (lambda manifest: manifest.update(schemaVersion=1), "expected schemaVersion 2"),
        (lambda manifest: manifest["layers"][0].update(digest="sha256:12"), "is not a sha256 digest"),
        (lambda manifest: manifest["layers"].reverse(), "DiffID is sha256:"),
    ],
)
def test_a_manifest_that_does_not_fit_is_found(
    layout: Path, change: Callable[[dict[str, Any]], None], fault: str
) -> None:
    rewrite(layout, lambda manifest, _config: change(manifest))
    assert any(fault in found for found in check_layout(layout, limits=LIMITS))


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ([member("a"), member("a")], "duplicate entry"),
        ([member("a/b")], "precedes the entry of its directory"),
        ([member("x", type=tarfile.DIRTYPE, mode=0o755), member("x/../b")], "not a relative path"),
        ([member("a", type=tarfile.LNKTYPE, linkname="b")], "not a regular file, symbolic link or directory"),
        ([member("a", type=tarfile.CHRTYPE)], "not a regular file, symbolic link or directory"),
        ([member("a", uname="alice")], "owner names 'alice'"),
        ([member("a", pax_headers={"SCHILY.xattr.user.x": "1"})], "SCHILY.xattr.user.x"),
        ([member("etc", type=tarfile.DIRTYPE, mode=0o700)], "different owner or permissions"),
        ([member("etc")], "a directory in a lower layer"),
        (
            [member("etc", type=tarfile.DIRTYPE, mode=0o755), member("etc/passwd")],
            "also in sha256:",
        ),
        ([member(".wh.a")], "is a whiteout"),
        ([member("a", type=tarfile.DIRTYPE, mode=0o755), member("a/.wh..wh..opq")], "is a whiteout"),
        ([member(".wh.a", type=tarfile.DIRTYPE, mode=0o755)], "is a whiteout"),
        ([member("a", mtime=12)], "different modification times"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_layer_that_no_runtime_should_meet_is_found(
    layout: Path, members: Sequence[tarfile.TarInfo], fault: str
) -> None:
    faults = check_tar(layout, layer(*members))
    assert any(fault in found for found in faults), faults


def test_a_layer_that_is_cut_short_is_found(layout: Path) -> None:
    def change(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        manifest["layers"].append({"mediaType": GZIP, **put(layout, gzip.compress(layer(member("a")))[:-9])})
        config["rootfs"]["diff_ids"].append("sha256:" + "0" * 64)

    rewrite(layout, change)
    assert any("failed to read" in fault for fault in check_layout(layout, limits=LIMITS))


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
def test_files_of_the_layout_that_are_no_json_are_found(layout: Path, name: str) -> None:
    (layout / name).write_text("{")
    assert any(fault.startswith(f"{name}: failed to read") for fault in check_layout(layout, limits=LIMITS))


def test_nothing_is_wrong_with_what_is_right(layout: Path, tmp_path: Path) -> None:
    assert check_layout(layout, limits=LIMITS) == ()
    store = Store(tmp_path / "other")
    image = make_image(store, layers=[[file("a", "1")]])
    assert check_layout(make_layout(store, tmp_path / "more", image).directory, limits=LIMITS) == ()
