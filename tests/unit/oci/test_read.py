"""Bundles that were damaged, cut, swapped or made to do harm: refused before anything is taken from them."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from envgen.bundle.parts import LOCK, BundleArtifact, text_part
from envgen.bundle.write import Bundle, write_folder, write_tar
from envgen.digest import Sha256
from envgen.errors import ArtifactError, DigestMismatchError, IntegrityError, UserError
from envgen.oci.layout import MARK_TEXT, REF_NAME, canonical
from envgen.oci.read import open_layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = b"the bytes of a wheel"
SHA = Sha256.of(DATA)


def whole(*extra: bytes) -> Bundle:
    parts = tuple(text_part(f"wheels/{number}", data) for number, data in enumerate((DATA, *extra)))
    artifact = BundleArtifact(kind=LOCK, name="demo", parts=parts)
    return Bundle(entries=[{**artifact.entry, "annotations": {REF_NAME: "demo"}}], blobs=artifact.blobs)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    file = tmp_path / "demo.tar"
    write_tar(whole(), file, advance=lambda _: None)
    return file


def members(bundle: Path) -> dict[str, bytes]:
    with tarfile.open(bundle) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def packed(bundle: Path, change: Callable[[tarfile.TarFile], None], files: dict[str, bytes] | None = None) -> Path:
    """Write the tar again, with something more in it."""
    files = members(bundle) if files is None else files
    with tarfile.open(bundle, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files.items():
            add(tar, name, data)
        change(tar)
    return bundle


def add(tar: tarfile.TarFile, name: str, data: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    tar.addfile(info, io.BytesIO(data))


def test_a_sound_one_is_read(bundle: Path, tmp_path: Path) -> None:
    layout = open_layout(bundle)
    out = io.BytesIO()
    layout.copy(SHA, out)
    assert out.getvalue() == DATA
    assert [entry.digest for entry in layout.manifests] == [Sha256(whole().entries[0]["digest"][7:])]
    write_folder(whole(), tmp_path / "folder", advance=lambda _: None)
    assert open_layout(tmp_path / "folder").digest == layout.digest


def test_tar_of_another_program(bundle: Path, tmp_path: Path) -> None:
    """`tar -cf` of a folder has entries of folders, and names that begin with `./`."""
    write_folder(whole(), tmp_path / "folder", advance=lambda _: None)
    with tarfile.open(bundle, "w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(tmp_path / "folder", "./")
    assert open_layout(bundle).has(SHA)


EVIL: dict[str, Callable[[tarfile.TarFile], None]] = {
    "out of the folder": lambda tar: add(tar, "../../etc/cron.d/x", b"evil"),
    "absolute": lambda tar: add(tar, "/etc/passwd", b"evil"),
    "not of a layout": lambda tar: add(tar, "setup.sh", b"evil"),
    "symbolic link": lambda tar: add(tar, f"blobs/sha256/{'0' * 64}", kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "hard link": lambda tar: add(tar, f"blobs/sha256/{'0' * 64}", kind=tarfile.LNKTYPE, link="index.json"),
    "device": lambda tar: add(tar, "index.json", kind=tarfile.CHRTYPE),
    "pipe": lambda tar: add(tar, f"blobs/sha256/{'0' * 64}", kind=tarfile.FIFOTYPE),
    "sparse": lambda tar: add(tar, f"blobs/sha256/{'0' * 64}", kind=tarfile.GNUTYPE_SPARSE),
    "twice": lambda tar: add(tar, "index.json", b"{}"),
    "unlisted": lambda tar: add(tar, f"blobs/sha256/{Sha256.of(b'more')}", b"more"),
    "another digest in the name": lambda tar: add(tar, f"blobs/sha512/{'0' * 128}", b"more"),
    "script that is not listed": lambda tar: add(tar, "start.py", b"print('evil')"),
}


@pytest.mark.parametrize("change", EVIL.values(), ids=EVIL.keys())
def test_what_a_layout_does_not_have(bundle: Path, change: Callable[[tarfile.TarFile], None]) -> None:
    packed(bundle, change)
    with pytest.raises(ArtifactError, match="cannot be used as a bundle"):
        open_layout(bundle)


def test_every_cut_is_noticed(bundle: Path) -> None:
    data = bundle.read_bytes()
    for length in range(0, len(data), 256):
        bundle.write_bytes(data[:length])
        with pytest.raises(IntegrityError):
            open_layout(bundle)
    bundle.write_bytes(data + b"more")
    with pytest.raises(ArtifactError, match="behind its end"):
        open_layout(bundle)


def test_a_size_beyond_the_file(bundle: Path) -> None:
    info = tarfile.TarInfo(f"blobs/sha256/{'0' * 64}")
    info.size = 1 << 40
    bundle.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(ArtifactError, match="truncated"):
        open_layout(bundle)


def test_other_bytes_under_a_digest(bundle: Path) -> None:
    """A changed manifest is found on opening, a changed wheel when it is read; the size is right in both."""
    files = members(bundle)
    packed(bundle, lambda _: None, files | {f"blobs/sha256/{SHA}": DATA[::-1]})
    with pytest.raises(DigestMismatchError):
        open_layout(bundle).copy(SHA, io.BytesIO())
    manifest = next(name for name, data in files.items() if b"artifactType" in data and "blobs" in name)
    packed(bundle, lambda _: None, files | {manifest: files[manifest].replace(b"wheels", b"Wheels")})
    with pytest.raises(DigestMismatchError):
        open_layout(bundle)


INDEXES: dict[str, Any] = {
    "no object": [],
    "no list": {"manifests": {}},
    "no descriptor": {"manifests": ["x"]},
    "no digest": {"manifests": [{"mediaType": "x", "size": 1, "digest": "sha256:../../etc/passwd"}]},
    "md5": {"manifests": [{"mediaType": "x", "size": 1, "digest": "md5:" + "0" * 32}]},
    "negative": {"manifests": [{"mediaType": "x", "size": -1, "digest": f"sha256:{SHA}"}]},
    "truth for a size": {"manifests": [{"mediaType": "x", "size": True, "digest": f"sha256:{SHA}"}]},
    "annotations": {"manifests": [{"mediaType": "x", "size": 1, "digest": f"sha256:{SHA}", "annotations": [1]}]},
    "another size": {"manifests": [{"mediaType": "x", "size": 1, "digest": f"sha256:{SHA}"}]},
    "not there": {"manifests": [{"mediaType": "x", "size": 1, "digest": "sha256:" + "0" * 64}]},
}


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES.keys())
def test_an_index_that_is_none(bundle: Path, index: Any) -> None:
    packed(bundle, lambda _: None, members(bundle) | {"index.json": json.dumps(index).encode()})
    with pytest.raises(ArtifactError, match="cannot be used as a bundle"):
        open_layout(bundle)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b" " * (5 << 20)])
def test_an_index_that_is_not_json(bundle: Path, text: bytes) -> None:
    packed(bundle, lambda _: None, members(bundle) | {"index.json": text})
    with pytest.raises(ArtifactError):
        open_layout(bundle)


def test_an_index_that_lists_itself_in_turns(bundle: Path) -> None:
    """Manifests that list one another end: each is read once. None can list itself, for it would hold its digest."""
    inner: list[dict[str, Any]] = []
    files = {"oci-layout": MARK_TEXT.encode()}
    for _ in range(300):
        data = canonical({"manifests": inner * 2})
        inner = [{"mediaType": "application/vnd.oci.image.index.v1+json", "digest": f"sha256:{Sha256.of(data)}"}]
        inner[0]["size"] = len(data)
        files[f"blobs/sha256/{Sha256.of(data)}"] = data
    packed(bundle, lambda _: None, files | {"index.json": canonical({"manifests": inner})})
    assert len(open_layout(bundle).manifests) <= 2


def test_links_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write_folder(whole(), folder, advance=lambda _: None)
    blob = folder / "blobs/sha256" / SHA
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="not a regular file"):
        open_layout(folder)


def test_what_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        open_layout(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError):
        open_layout(tmp_path / "empty")
    (tmp_path / "zip").write_bytes(b"PK\3\4" + bytes(2000))
    with pytest.raises(ArtifactError, match="not a tar"):
        open_layout(tmp_path / "zip")
