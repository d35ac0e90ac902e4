from __future__ import annotations

import bz2
import contextlib
import hashlib
import io
import json
import os
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from rattler.exceptions import ExtractError

from envgen.convert.conda_archive import CondaArchive, content_digest, extract_conda, write_conda, write_described
from envgen.convert.package import seal
from envgen.errors import ArtifactError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

STEM = "spam-1.0-h1_0"
INDEX = {"name": "spam", "version": "1.0", "build": "h1_0", "build_number": 0, "subdir": "noarch", "depends": []}


def make_package(root: Path) -> Path:
    """Make a small sealed package with a script, a link and a long name."""
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "spam").write_text("#!/bin/sh\n")
    (root / "bin" / "spam").chmod(0o755)
    (root / "bin" / "ham").symlink_to("spam")
    deep = root / "share" / ("x" * 90) / ("ü" * 90)
    deep.mkdir(parents=True)
    (deep / "data").write_bytes(bytes(100_000))
    seal(root, index=INDEX, placeholders={})
    return root


def _write(package: Path, out: Path, stem: str = STEM) -> CondaArchive:
    with out.open("w+b") as archive:
        return write_conda(package, archive, stem=stem)


def test_digests_are_those_of_the_file(tmp_path: Path) -> None:
    out = tmp_path / "a.conda"
    archive = _write(make_package(tmp_path / "p"), out)
    data = out.read_bytes()
    assert archive == CondaArchive(
        sha256=archive.sha256, md5=hashlib.md5(data, usedforsecurity=False).hexdigest(), size=len(data)
    )
    assert archive.sha256 == hashlib.sha256(data).hexdigest()


def test_content_is_digested_while_an_archive_is_written(tmp_path: Path) -> None:
    package = make_package(tmp_path / "p")
    (package / "large").write_bytes(os.urandom(3_000_000))
    alone = _write(package, tmp_path / "a.conda")
    with (tmp_path / "b.conda").open("w+b") as out:
        assert write_described(package, out, stem=STEM) == (alone, content_digest(package))
    assert (tmp_path / "b.conda").read_bytes() == (tmp_path / "a.conda").read_bytes()


def test_the_same_package_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _write(make_package(tmp_path / "p"), tmp_path / "a.conda")
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    old = os.umask(0o077)
    try:
        second_tree = make_package(tmp_path / "q")
    finally:
        os.umask(old)
    for path in second_tree.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    assert _write(second_tree, tmp_path / "b.conda") == first


def test_is_what_cep_35_says(tmp_path: Path) -> None:
    out = tmp_path / "a.conda"
    _write(make_package(tmp_path / "p"), out)
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == ["metadata.json", f"pkg-{STEM}.tar.zst", f"info-{STEM}.tar.zst"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert not any(info.flag_bits & 0x8 for info in archive.infolist()), "sizes must stand in front"
        assert json.loads(archive.read("metadata.json")) == {"conda_pkg_format_version": 2}
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(archive.read(f"pkg-{STEM}.tar.zst"))
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        members = tar.getmembers()
    assert [m.name for m in members] == sorted(m.name for m in members)
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}
    assert len({m.mtime for m in members}) == 1


def test_another_version_has_another_time(tmp_path: Path) -> None:
    package = make_package(tmp_path / "p")
    times = set()
    for stem in ("spam-1.0-h1_0", "spam-1.1-h1_0"):
        _write(package, tmp_path / f"{stem}.conda", stem)
        extract_conda(tmp_path / f"{stem}.conda", tmp_path / stem)
        times.add((tmp_path / stem / "bin" / "spam").stat().st_mtime)
    assert len(times) == 2


def test_extracts_what_was_written(tmp_path: Path) -> None:
    package = make_package(tmp_path / "p")
    _write(package, tmp_path / f"{STEM}.conda")
    extract_conda(tmp_path / f"{STEM}.conda", tmp_path / "out")
    assert content_digest(tmp_path / "out") == content_digest(package)


@pytest.mark.parametrize("change", ["mode", "bytes", "link", "name", "info"])
def test_content_digest_sees_a_change(tmp_path: Path, change: str) -> None:
    package = make_package(tmp_path / "p")
    before = content_digest(package)
    script = package / "bin" / "spam"
    if change == "mode":
        script.chmod(0o644)
    elif change == "bytes":
        script.write_text("#!/bin/bash\n")
    elif change == "link":
        (package / "bin" / "ham").unlink()
        (package / "bin" / "ham").symlink_to("spam2")
    elif change == "name":
        script.rename(package / "bin" / "spam2")
    else:
        (package / "info" / "about.json").write_text("{ }\n")
    assert content_digest(package) != before


def test_content_digest_passes_over_owner_and_time(tmp_path: Path) -> None:
    package = make_package(tmp_path / "p")
    before = content_digest(package)
    os.utime(package / "bin" / "spam", (1, 1))
    (package / "bin" / "spam").chmod(0o711)
    assert content_digest(package) == before


def _tar(members: Iterable[tuple[dict[str, Any], bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for fields, data in members:
            info = tarfile.TarInfo(fields["name"])
            info.size = len(data)
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _archive(path: Path, member: dict[str, Any], data: bytes = b"evil") -> Path:
    """Write an archive that lists one member, as `.conda` or `.tar.bz2`, by the name of `path`."""
    paths = {"paths_version": 1, "paths": [{"_path": member["name"], "path_type": "hardlink"}]}
    info = [
        ({"name": "info/index.json"}, json.dumps(INDEX).encode()),
        ({"name": "info/paths.json"}, json.dumps(paths).encode()),
    ]
    body = [(member, data if member.get("type", tarfile.REGTYPE) == tarfile.REGTYPE else b"")]
    if path.suffix == ".bz2":
        path.write_bytes(bz2.compress(_tar([*info, *body])))
        return path
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"conda_pkg_format_version": 2}')
        archive.writestr(f"pkg-{STEM}.tar.zst", zstandard.compress(_tar(body)))
        archive.writestr(f"info-{STEM}.tar.zst", zstandard.compress(_tar(info)))
    return path


@pytest.fixture(params=[f"{STEM}.conda", f"{STEM}.tar.bz2"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Name an archive, in both formats, inside a folder that nothing may leave."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "inside" / str(request.param)


def test_extracts_both_formats(archive: Path, tmp_path: Path) -> None:
    extract_conda(_archive(archive, {"name": "bin/x", "mode": 0o4755}), tmp_path / "inside" / "out")
    extracted = tmp_path / "inside" / "out" / "bin" / "x"
    assert extracted.read_bytes() == b"evil"
    assert not extracted.stat().st_mode & 0o6000


@pytest.mark.parametrize(
    "member",
    [
        {"name": "../../escaped"},
        {"name": "a/../../../escaped"},
        {"name": "x", "type": tarfile.LNKTYPE, "linkname": "../../secret"},
    ],
)
def test_nothing_leaves_the_folder(archive: Path, tmp_path: Path, member: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError, match="spam-1"):
        extract_conda(_archive(archive, member), tmp_path / "inside" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside", "secret"]
    assert (tmp_path / "secret").stat().st_nlink == 1


def test_an_absolute_name_stays_inside(archive: Path, tmp_path: Path) -> None:
    outside = tmp_path / "escaped"
    with contextlib.suppress(ArtifactError):
        extract_conda(_archive(archive, {"name": str(outside)}), tmp_path / "inside" / "out")
    assert not outside.exists()


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_refuses_what_is_no_archive(archive: Path, tmp_path: Path, data: bytes) -> None:
    archive.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"failed to extract|is not a conda package"):
        extract_conda(archive, tmp_path / "inside" / "out")


def test_refuses_an_archive_that_lacks_a_listed_path(tmp_path: Path) -> None:
    package = make_package(tmp_path / "p")
    (package / "bin" / "spam").unlink()
    _write(package, tmp_path / f"{STEM}.conda")
    with pytest.raises(ArtifactError, match="lacks 1 listed paths, the first is `bin/spam`"):
        extract_conda(tmp_path / f"{STEM}.conda", tmp_path / "out")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("an io error occurred: failed to unpack `a`: No space left on device (os error 28)", UserError),
        ("an io error occurred: Input/output error (os error 5)", UserError),
        ("an io error occurred: failed to unpack `a`: Permission denied (os error 13)", ArtifactError),
        ("an io error occurred: failed to unpack `a`: No such file or directory (os error 2)", ArtifactError),
        ("could not parse", ArtifactError),
    ],
)
def test_a_full_disk_is_not_a_damaged_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, kind: type[Exception]
) -> None:
    def extract(*_: object) -> None:
        raise ExtractError(said)

    monkeypatch.setattr("rattler.package_streaming.extract", extract)
    zipfile.ZipFile(tmp_path / "a.conda", "w").close()
    with pytest.raises(kind):
        extract_conda(tmp_path / "a.conda", tmp_path / "out")
