"""A layer's bytes: readable by others, and the same for the same entries."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import zipfile
import zlib
from pathlib import Path
from typing import cast

import pytest

from envgen.digest import Sha256
from envgen.errors import ArtifactError, DigestMismatchError, EnvgenError, IntegrityError
from envgen.image.entries import Directory, File, InWheel, Link, OnDisk, file
from envgen.image.layer import write_layer
from envgen.oci.compress import Compression
from envgen.oci.tar_blocks import MTIME
from tests.unit.image.samples import LONG, entries, listing, unpacked, wheel_entries, write

GOLDEN = Path(__file__).parents[2] / "golden/image/layer.json"
"""`UPDATE_GOLDEN=1` writes its digests, which change with another release of a compressor; its tree stays by hand."""

"""What the layer of `samples.entries` holds, and its digests. These change with `layer.FORMAT`, or with another
release of a compressor, and with nothing else."""


@pytest.mark.parametrize("compression", Compression)
def test_others_read_what_was_written(tmp_path: Path, compression: Compression) -> None:
    some = entries(tmp_path)
    layer, blob = write(some, compression)
    tar = unpacked(blob, compression)
    found = listing(tar)
    for entry in some:
        kind, _mode, uid, gid, time, held = found[entry.path]
        assert time == MTIME
        if isinstance(entry, File):
            assert (kind, uid, gid, held) == ("file", entry.uid, entry.gid, entry.source.sha256[:16])
    assert found["opt/env/bin/again"][-1] == "run"
    assert (layer.size, layer.unpacked) == (len(blob), len(tar))
    assert layer.digest == hashlib.sha256(blob).hexdigest()
    assert layer.diff_id == hashlib.sha256(tar).hexdigest()


def test_folders_come_once_before_what_is_in_them(tmp_path: Path) -> None:
    found = listing(unpacked(write(entries(tmp_path))[1], Compression.GZIP))
    assert list(found) == sorted(found)
    assert found["opt"] == ("folder", "0o755", 0, 0, MTIME, "")
    assert found["home/user"] == ("folder", "0o1777", 1000, 1000, MTIME, "")
    assert found["tmp"] == ("folder", "0o1777", 0, 0, MTIME, "")
    assert LONG.rpartition("/")[0] in found


@pytest.mark.parametrize("compression", Compression)
def test_the_order_of_entries_makes_no_difference(tmp_path: Path, compression: Compression) -> None:
    some = entries(tmp_path)
    before = write(some, compression)
    random.Random(1).shuffle(some)  # noqa: S311  a test
    assert write(some, compression) == before


def test_a_layer_from_another_folder_is_the_same(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    first, second = (write(entries(folder)) for folder in folders)
    assert first == second


def test_the_golden_layer(tmp_path: Path) -> None:
    expected = json.loads(GOLDEN.read_text())
    some = entries(tmp_path)
    tree = {path: list(facts) for path, facts in listing(write(some, Compression.NONE)[1]).items()}
    digests = {str(compression): str(write(some, compression)[0].digest) for compression in Compression}
    assert tree == expected["tree"]
    if "UPDATE_GOLDEN" in os.environ:
        for compression, digest in expected["digests"].items():
            GOLDEN.write_text(GOLDEN.read_text().replace(digest, digests[compression]))
        return
    assert digests == expected["digests"]


def test_deflated_members_of_wheels_are_copied(tmp_path: Path) -> None:
    some = wheel_entries(tmp_path)
    _layer, blob = write(some)
    with zipfile.ZipFile(tmp_path / "spam.whl") as archive:
        packed = archive.getinfo("spam/code.py").compress_size
    source = cast("File", some[0]).source
    assert isinstance(source, InWheel)
    wheel = source.wheel.read_bytes()
    assert packed > 1000
    assert wheel[source.member.start : source.member.start + source.member.packed] in blob


def test_the_diff_id_does_not_depend_on_compression(tmp_path: Path) -> None:
    some = entries(tmp_path)
    assert len({write(some, compression)[0].diff_id for compression in Compression}) == 1


def test_a_large_file_is_cut_into_pieces(tmp_path: Path) -> None:
    data = random.Random(2).randbytes(3 << 20) * 4  # noqa: S311  a test
    some = [file("large", data), file("small", "after it")]
    for compression in Compression:
        assert (
            listing(unpacked(write(some, compression)[1], compression))["large"][-1]
            == (hashlib.sha256(data).hexdigest()[:16])
        )


def test_an_extracted_file_that_somebody_changed_does_no_harm(tmp_path: Path) -> None:
    some = wheel_entries(tmp_path)
    before = write(some)
    copy = tmp_path / "extracted/spam/code.py"
    copy.write_bytes(copy.read_bytes().replace(b"1", b"2"))
    assert write(some) == before


def test_a_file_that_somebody_changed_is_refused(tmp_path: Path) -> None:
    some = entries(tmp_path)
    (tmp_path / "text").write_bytes(b"from a FILE\n" * 1000)
    with pytest.raises(IntegrityError, match="the source of `/opt/env/text`"):
        write(some)


def test_a_file_whose_crc_is_known_is_proven_by_it(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"12345")
    source = OnDisk(on_disk=str(text), sha256=Sha256.of(b"not looked at"), size=5, crc=zlib.crc32(b"12345"))
    write([File(path="text", source=source)])
    text.write_bytes(b"12354")
    with pytest.raises(IntegrityError, match="has CRC-32 a5e93bcb and 5 bytes, expected cbf53a1c and 5 bytes"):
        write([File(path="text", source=source)])


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    some = entries(tmp_path)
    (tmp_path / "text").unlink()
    with pytest.raises(IntegrityError, match="text` was removed while it was in use"):
        write(some)


def test_a_damaged_wheel_is_refused(tmp_path: Path) -> None:
    some = wheel_entries(tmp_path)
    wheel = tmp_path / "spam.whl"
    data = bytearray(wheel.read_bytes())
    data[200] ^= 1
    wheel.write_bytes(data)
    with pytest.raises((DigestMismatchError, ArtifactError)):
        write(some)


@pytest.mark.parametrize(
    ("some", "message"),
    [
        ([file("a", "1"), file("a", "1")], "duplicate path `a`"),
        ([file("a", "1"), file("a/b", "1")], "`a` is both a directory and a file"),
        ([Link(path="a", target="c"), file("a/b", "1")], "`a` is both a directory and a file"),
        ([Directory(path="a"), file("a", "1")], "duplicate path `a`"),
    ],
    ids=["twice", "file and folder", "link and folder", "folder and file"],
)
def test_contradictions_are_refused(some: list[File], message: str) -> None:
    with pytest.raises(EnvgenError, match=message):
        write(some)


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[int] = []
    some = [file("a", "123"), file("b", "45")]
    write_layer(some, io.BytesIO(), compression=Compression.NONE, special={}, advance=told.append)
    assert told == [3, 2]


def test_sizes_that_are_not_true_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"12345")
    source = OnDisk(on_disk=str(text), sha256=Sha256.of(b"12345"), size=4)
    with pytest.raises(IntegrityError):
        write([File(path="a", source=source), file("b", "1")])
