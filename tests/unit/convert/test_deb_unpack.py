from __future__ import annotations

import io
import stat
import tarfile
from typing import TYPE_CHECKING

import pytest

from envgen import limits
from envgen.convert.deb_unpack import Unpacking
from envgen.debs import Deb as Locked
from envgen.debs import DebianArea
from envgen.digest import Sha256
from envgen.errors import ArtifactError
from envgen.structs import replace
from tests.builders.debian import Deb, _ar_member, make_deb
from tests.builders.tree import File, Link

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.builders.debian import Compression

Files = dict[str, File | Link]


def locked(name: str) -> Locked:
    return Locked(
        name=name,
        version="1.0-1",
        architecture="amd64",
        archive=DebianArea.DEBIAN,
        path=f"pool/main/x/{name}.deb",
        sha256=Sha256.of(b""),
        size=0,
    )


def unpack(folder: Path, *debs: Files, drop: tuple[str, ...] = (), compression: Compression = "xz") -> Unpacking:
    unpacking = Unpacking(root=folder / "root", licenses=folder / "licenses", drop=drop)
    for number, files in enumerate(debs, 1):
        data = make_deb(Deb(name=f"p{number}", files=files), compression=compression)
        unpacking.add(locked(f"p{number}"), io.BytesIO(data))
    return unpacking


def tree(folder: Path) -> Mapping[str, str]:
    """Show files by content and links by target."""
    found = (folder / "root").rglob("*")
    return {
        path.relative_to(folder / "root").as_posix(): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in sorted(found)
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("compression", ["xz", "gz", "zst", "none"])
def test_files_and_links_come_through(tmp_path: Path, compression: Compression) -> None:
    files: Files = {"usr/bin/x": File(b"x", 0o750), "usr/bin/y": Link("x"), "usr/share/z": File(b"z", 0o600)}
    unpacking = unpack(tmp_path, files, compression=compression)
    assert tree(tmp_path) == {"usr/bin/x": "x", "usr/bin/y": "-> x", "usr/share/z": "z"}
    assert list(unpacking.paths()) == ["usr/bin/x", "usr/bin/y", "usr/share/z"]
    modes = [stat.S_IMODE((tmp_path / "root" / path).stat().st_mode) for path in ("usr/bin/x", "usr/share/z")]
    assert modes == [0o755, 0o644]


@pytest.mark.parametrize("size", [0, 3, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_digests_of_files_are_known(tmp_path: Path, size: int) -> None:
    data = b"\x7fELF".ljust(size, b"x")[:size]
    files: Files = {"usr/a": File(data), "usr/b": Link("usr/a", hard=True), "usr/c": Link("a"), "usr/d": File(b"d")}
    unpacking = unpack(tmp_path, files, compression="none")
    same = (Sha256.of(data), size)
    assert dict(unpacking.digests()) == {"usr/a": same, "usr/b": same, "usr/d": (Sha256.of(b"d"), 1)}
    assert list(unpacking.elves()) == (["usr/a", "usr/b"] if size > 3 else [])
    assert (tmp_path / "root/usr/a").read_bytes() == (tmp_path / "root/usr/b").read_bytes() == data


def test_top_folders_are_merged_into_usr(tmp_path: Path) -> None:
    unpack(
        tmp_path,
        {
            "lib/x/libz.so.1.2": File(b"z"),
            "lib/x/libz.so.1": Link("libz.so.1.2"),
            "lib/x/up": Link("../../usr/share/u"),
            "usr/share/u": File(b"u"),
            "usr/share/absolute": Link("/lib/x/libz.so.1"),
            "etc/kept": File(b"e"),
        },
    )
    assert tree(tmp_path) == {
        "etc/kept": "e",
        "usr/lib/x/libz.so.1": "-> libz.so.1.2",
        "usr/lib/x/libz.so.1.2": "z",
        "usr/lib/x/up": "-> ../../share/u",
        "usr/share/absolute": "-> ../lib/x/libz.so.1",
        "usr/share/u": "u",
    }
    assert (tmp_path / "root/usr/lib/x/up").read_text() == "u"


def test_links_of_the_merge_are_left_out(tmp_path: Path) -> None:
    unpack(
        tmp_path, {"bin": Link("usr/bin"), "usr/bin/x": File(b"x")}, {"lib": Link("/usr/lib"), "usr/lib/y": File(b"y")}
    )
    assert tree(tmp_path) == {"usr/bin/x": "x", "usr/lib/y": "y"}


def test_hard_link_becomes_a_file(tmp_path: Path) -> None:
    unpack(tmp_path, {"usr/bin/a": File(b"a", 0o755), "usr/bin/b": Link("usr/bin/a", hard=True)})
    assert tree(tmp_path) == {"usr/bin/a": "a", "usr/bin/b": "a"}
    assert (tmp_path / "root/usr/bin/b").stat().st_mode & 0o100


def test_copyright_goes_to_the_licences_and_filters_count(tmp_path: Path) -> None:
    unpacking = unpack(
        tmp_path,
        {"usr/share/doc/p1/copyright": File(b"free"), "usr/share/doc/p1/NEWS": File(b"12345"), "usr/bin/x": File(b"")},
        drop=("usr/share/doc/**", "usr/share/man/**"),
    )
    assert tree(tmp_path) == {"usr/bin/x": ""}
    assert (tmp_path / "licenses/p1/copyright").read_text() == "free"
    assert {pattern: (left.files, left.size) for pattern, left in unpacking.left.items()} == {
        "usr/share/doc/**": (1, 5),
        "usr/share/man/**": (0, 0),
    }


def test_links_that_lead_nowhere_go_with_those_that_lead_to_them(tmp_path: Path) -> None:
    unpacking = unpack(
        tmp_path,
        {"usr/a": Link("b"), "usr/b": Link("gone"), "usr/c": Link("/etc/host"), "usr/d": Link("e"), "usr/e": File(b"")},
    )
    assert sorted(unpacking.drop_dangling()) == ["usr/a", "usr/b", "usr/c"]
    assert list(unpacking.paths()) == ["usr/d", "usr/e"]


def test_same_file_of_two_packages(tmp_path: Path) -> None:
    same: Files = {"usr/share/x": File(b"x"), "usr/share/l": Link("x"), "usr/share/z": Link("usr/share/x", hard=True)}
    unpack(tmp_path, same, same)
    assert tree(tmp_path) == {"usr/share/l": "-> x", "usr/share/x": "x", "usr/share/z": "x"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"usr/x": File(b"1")}, {"usr/x": File(b"2")}),
        ({"usr/x": File(b"1")}, {"usr/x": Link("y")}),
        ({"usr/x": Link("y")}, {"usr/x": Link("z")}),
        ({"lib/x": File(b"1")}, {"usr/lib/x": File(b"2")}),
    ],
)
def test_different_content_for_one_path_is_refused(tmp_path: Path, first: Files, second: Files) -> None:
    with pytest.raises(ArtifactError, match=r"`p1` and `p2` both contain .*, with different content"):
        unpack(tmp_path, first, second)


@pytest.mark.parametrize("second", [File(b"2"), Link("y"), Link("usr/bin/a", hard=True)])
def test_a_folder_of_another_package_is_refused(tmp_path: Path, second: File | Link) -> None:
    with pytest.raises(ArtifactError, match="`p2` contains `usr/share/x`, which is a folder in `p1`"):
        unpack(tmp_path, {"usr/share/x/f": File(b"1")}, {"usr/bin/a": File(b""), "usr/share/x": second})


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"../x": File(b"")}, "outside the package"),
        ({"usr/../../x": File(b"")}, "outside the package"),
        ({"usr/x": Link("../../y")}, "outside the package"),
        ({"usr/x": Link("/../y")}, "outside the package"),
        ({"usr/x": Link("../y", hard=True)}, "outside the package"),
        ({"usr/x": Link("usr/missing", hard=True)}, "not an earlier file"),
        ({"usr/d": Link("e"), "usr/d/x": File(b"")}, "`usr/d` is not a folder"),
    ],
)
def test_unsafe_content_is_refused(tmp_path: Path, files: Files, says: str) -> None:
    with pytest.raises(ArtifactError, match=says):
        unpack(tmp_path, files)


@pytest.mark.parametrize("data", [b"", b"!<arch>\n", b"not an archive at all", make_deb(Deb(name="x"))[:-60]])
def test_broken_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ArtifactError, match="failed to unpack `x`"):
        Unpacking(root=tmp_path, licenses=tmp_path).add(locked("x"), io.BytesIO(data))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device_is_refused(tmp_path: Path, kind: bytes) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo("./dev/x")
        member.type = kind
        tar.addfile(member)
    whole = make_deb(Deb(name="x"), compression="none")
    data = whole[: whole.index(b"data.tar")] + _ar_member("data.tar", out.getvalue())
    with pytest.raises(ArtifactError, match="`x` contains `dev/x`, which is neither a file nor a link"):
        Unpacking(root=tmp_path, licenses=tmp_path).add(locked("x"), io.BytesIO(data))


@pytest.mark.parametrize(
    "other", [Deb(name="other"), Deb(name="p1", version="1.0-2"), Deb(name="p1", architecture="arm64")]
)
def test_another_package_than_the_locked_one_is_refused(tmp_path: Path, other: Deb) -> None:
    data = make_deb(replace(other, files={"usr/bin/x": File(b"x")}))
    unpacking = Unpacking(root=tmp_path / "root", licenses=tmp_path / "licenses")
    with pytest.raises(ArtifactError, match=r"`p1.deb`.*expected p1 1.0-1 amd64, got ") as refused:
        unpacking.add(locked("p1"), io.BytesIO(data))
    assert f"got {other.name} {other.version} {other.architecture}" in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["usr/../../x", "usr//x", "usr/./x", "usr/a\nb", "usr/\x1b[2J"])
def test_a_path_that_is_not_plain_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ArtifactError, match=r"`p1` contains .*, a path outside the package"):
        unpack(tmp_path, {path: File(b"x")})
    assert not list(tmp_path.rglob("x"))


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    """A few hundred bytes that would become a terabyte of zeros."""
    info = tarfile.TarInfo("./usr/share/zeros")
    info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.realsize": str(1 << 40)}
    info.size = 1
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(b"x"))
    raw = make_deb(Deb(name="p1"), compression="none")
    begin = raw.index(b"data.tar")
    data = raw[:begin] + _ar_member("data.tar", out.getvalue())
    with pytest.raises(ArtifactError, match=r"`\./usr/share/zeros` is a sparse file"):
        Unpacking(root=tmp_path / "root", licenses=tmp_path / "licenses").add(locked("p1"), io.BytesIO(data))


def test_control_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DEB_CONTROL", 1000)
    with pytest.raises(ArtifactError, match="it unpacks to more than 1000 bytes"):
        unpack(tmp_path, {"usr/bin/x": File(b"x")})
