from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.debs import Deb as Locked
from envgen.debs import DebianArea
from envgen.digest import Sha256
from envgen.errors import ArtifactError, UserError
from envgen.image.base import base_digest, base_entries
from envgen.image.entries import Directory, Entry, File, Link, Literal, OnDisk
from envgen.manifest import image_spec
from envgen.manifest.image_spec import DROP
from envgen.platforms import Platform
from tests.builders.debian import Deb, make_deb
from tests.builders.system import base_debs
from tests.builders.tree import File as Content

if TYPE_CHECKING:
    from collections.abc import Sequence

ON = Platform.LINUX_64


def locked(deb: Deb, data: bytes) -> Locked:
    return Locked(
        name=deb.name,
        version=deb.version,
        architecture=deb.architecture,
        archive=DebianArea.DEBIAN,
        path=f"pool/main/x/{deb.filename}",
        sha256=Sha256.of(data),
        size=len(data),
    )


def files(folder: Path, debs: Sequence[Deb]) -> dict[Locked, Path]:
    """Write `.deb`s."""
    folder.mkdir()
    found = {}
    for deb in debs:
        data = make_deb(deb)
        (folder / deb.filename).write_bytes(data)
        found[locked(deb, data)] = folder / deb.filename
    return found


def build(folder: Path, debs: Sequence[Deb], *, platform: Platform = ON) -> dict[str, Entry]:
    taken = files(folder / "debs", debs)
    (folder / "tree").mkdir()
    entries = base_entries(taken, drop=DROP, platform=platform, folder=folder / "tree")
    assert [entry.path for entry in entries] == sorted({entry.path for entry in entries})
    return {entry.path: entry for entry in entries}


def content(entry: Entry) -> bytes:
    assert isinstance(entry, File)
    if isinstance(entry.source, Literal):
        return entry.source.data
    assert isinstance(entry.source, OnDisk)  # the base has no files of wheels
    return Path(entry.source.on_disk).read_bytes()


@pytest.fixture
def base(tmp_path: Path) -> dict[str, Entry]:
    return build(tmp_path, base_debs("amd64"))


def test_files_of_packages_come_through_without_special_rights(base: dict[str, Entry]) -> None:
    env, text = base["usr/bin/env"], base["etc/debian_version"]
    assert isinstance(env, File)
    assert isinstance(text, File)
    assert (env.mode, env.uid, env.gid, content(env)) == (0o755, 0, 0, b"#!env\n")
    assert text.mode == 0o644
    assert env.source.sha256 == Sha256.of(b"#!env\n")


def test_top_folders_are_links_into_usr(base: dict[str, Entry]) -> None:
    assert base["bin"] == Link(path="bin", target="usr/bin")
    assert base["lib"] == Link(path="lib", target="usr/lib")
    assert "usr/bin/bash" in base
    assert "lib64" not in base  # no package here has it, as on arm64
    assert not [path for path in base if path.startswith(("bin/", "lib/"))]


def test_filters_leave_licences(base: dict[str, Entry]) -> None:
    assert content(base["usr/share/doc/ca-certificates/copyright"]) == b"free\n"
    assert "usr/share/doc/ca-certificates/changelog" not in base
    assert "usr/share/locale/de/bash.mo" not in base


def test_a_file_that_would_remove_another_is_refused(tmp_path: Path) -> None:
    bad = Deb(name="bad", version="1", files={"usr/share/.wh.base-files": Content(b"")})
    with pytest.raises(UserError, match=r"`bad` contains `usr/share/\.wh\.base-files`: in an image"):
        build(tmp_path, [*base_debs("amd64"), bad])


def test_certificates_are_joined_in_order(base: dict[str, Entry]) -> None:
    assert content(base["etc/ssl/certs/ca-certificates.crt"]) == b"first\nsecond\n"


def test_what_scripts_would_have_done(base: dict[str, Entry]) -> None:
    assert base["usr/bin/c++"] == Link(path="usr/bin/c++", target="g++")
    assert base["usr/bin/cc"] == Link(path="usr/bin/cc", target="gcc")
    assert base["usr/bin/which"] == Link(path="usr/bin/which", target="which.debianutils")
    assert "usr/bin/vi" not in base
    assert base["etc/localtime"] == Link(path="etc/localtime", target="../usr/share/zoneinfo/Etc/UTC")
    assert content(base["etc/nsswitch.conf"]) == b"passwd: files\n"
    assert content(base["etc/profile"]) == b"PATH=/usr/bin:/bin\n"
    assert base["tmp"] == Directory(path="tmp", mode=0o1777)
    assert content(base["etc/ld.so.cache"]).startswith(b"glibc-ld.so.cache1.1")


def test_ssh_lets_nobody_in_by_password_and_root_never(base: dict[str, Entry]) -> None:
    lines = content(base["etc/ssh/sshd_config"]).decode().splitlines()
    assert {"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin no"} <= set(lines)
    assert not [path for path in base if "host_" in path and path.endswith("key")]


def test_scanners_see_the_packages(base: dict[str, Entry]) -> None:
    stanza = content(base["var/lib/dpkg/status.d/tini"]).decode()
    assert stanza.startswith("Package: tini\nStatus: install ok installed\nVersion: 1.0-1\n")
    assert {path.rpartition("/")[2] for path in base if path.startswith("var/lib/dpkg/status.d/")} == {
        deb.name for deb in base_debs("amd64")
    }


def test_nobody_has_a_password(base: dict[str, Entry]) -> None:
    assert not {"etc/passwd", "etc/shadow", "etc/gshadow"} & base.keys()


def test_bases_of_other_machines_are_built_here(tmp_path: Path) -> None:
    found = build(tmp_path, base_debs("arm64"), platform=Platform.LINUX_AARCH64)
    assert "usr/lib/aarch64-linux-gnu/crt1.o" in found


def test_files_of_packages_win_over_ours(tmp_path: Path) -> None:
    own = Deb(name="own", files={"etc/hosts": Content(b"mine\n"), "etc/nsswitch.conf": Content(b"mine too\n")})
    found = build(tmp_path, [*base_debs("amd64"), own])
    assert content(found["etc/hosts"]) == b"mine\n"
    assert content(found["etc/nsswitch.conf"]) == b"mine too\n"


def test_a_base_without_certificates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="certificates"):
        build(tmp_path, [Deb(name="bash", files={"bin/bash": Content(b"x", 0o755)})])


def test_a_broken_package_is_refused(tmp_path: Path) -> None:
    taken = files(tmp_path / "debs", base_debs("amd64")[:1])
    for path in taken.values():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ArtifactError, match="base-files"):
        base_entries(taken, drop=(), platform=ON, folder=tmp_path / "tree")


def test_the_digest_is_that_of_the_inputs() -> None:
    debs = [locked(deb, deb.name.encode()) for deb in base_debs("amd64")]
    digest = base_digest(debs, drop=DROP, platform=ON)
    assert base_digest(debs[::-1], drop=DROP[::-1], platform=ON) == digest
    assert base_digest(debs[1:], drop=DROP, platform=ON) != digest
    assert base_digest(debs, drop=DROP[1:], platform=ON) != digest
    assert base_digest(debs, drop=DROP, platform=Platform.LINUX_AARCH64) != digest


def test_own_certificates_join_the_bundle_and_change_the_key(tmp_path: Path) -> None:
    debs = base_debs("amd64")
    taken = files(tmp_path / "debs", debs)
    (tmp_path / "tree").mkdir()
    own = {"b.crt": b"own b", "a.crt": b"own a\n"}
    entries = base_entries(taken, drop=DROP, platform=ON, folder=tmp_path / "tree", certificates=own)
    found = {entry.path: entry for entry in entries}
    bundle = content(found["etc/ssl/certs/ca-certificates.crt"])
    assert bundle.endswith(b"own a\nown b\n")
    assert content(found["usr/local/share/ca-certificates/b.crt"]) == b"own b"
    plain = base_digest(taken, drop=DROP, platform=ON)
    assert base_digest(taken, drop=DROP, platform=ON, certificates={}) == plain
    assert base_digest(taken, drop=DROP, platform=ON, certificates=own) != plain


def test_a_pattern_that_matches_nothing_is_told(tmp_path: Path) -> None:
    taken = files(tmp_path / "debs", base_debs("amd64"))
    (tmp_path / "tree").mkdir()
    said: list[str] = []
    drop = (*image_spec.DROP, "usr/bin/envy", "usr/bin/g++")
    base_entries(taken, drop=drop, platform=ON, folder=tmp_path / "tree", warn=said.append)
    (text,) = said
    assert text.startswith(
        "`image.base`: the pattern `usr/bin/envy` under `drop` matches nothing, did you mean `usr/bin/env`"
    )
