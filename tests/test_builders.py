"""The builders of registries make what the readers of those formats, none of them envgen's, understand."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pypi_simple
import pysequoia
import pytest
import rattler
from debian.deb822 import Packages, Release
from debian.debfile import DebFile
from rattler.package_streaming import extract

from tests.builders.channel import Channel, CondaPackage, make_conda
from tests.builders.debian import Archive, Compression, Deb, Flaws, make_deb, new_key
from tests.builders.index import Index, Style
from tests.builders.server import serve
from tests.builders.stubs import conda_python
from tests.builders.tree import File, Link
from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("style", ["json", "html"])
def test_index_page_is_what_a_client_of_the_simple_api_reads(style: Style) -> None:
    index = Index(style=style)
    offer = index.add(wheel_filename("spam"), make_wheel("spam", requires_python=">=3.9"), yanked="broken")
    page = index.site()["/pypi/simple/spam/"].decode()
    if style == "json":
        read = pypi_simple.ProjectPage.from_json_data(json.loads(page), "http://h/pypi/simple/spam/")
    else:
        read = pypi_simple.ProjectPage.from_html("spam", page, "http://h/pypi/simple/spam/")
    (package,) = read.packages
    assert package.digests == {"sha256": offer.sha256}
    assert package.requires_python == ">=3.9"
    assert package.is_yanked
    assert package.yanked_reason == "broken"
    assert package.has_metadata
    assert package.metadata_digests
    assert package.url == f"http://h{index.path(offer.filename)}"
    assert index.site()[f"{index.path(offer.filename)}.metadata"] == offer.core_metadata


@pytest.mark.parametrize("compression", ["xz", "gz", "zst", "none"])
def test_deb_opens_and_holds_its_files(compression: Compression) -> None:
    files: dict[str, File | Link] = {"usr/bin/spam": File(b"spam", 0o755), "usr/bin/egg": Link("spam")}
    made = make_deb(Deb(name="spam", version="1:2-3", files=files), compression=compression)
    opened = DebFile(fileobj=io.BytesIO(made))
    assert opened.debcontrol()["Version"] == "1:2-3"
    names = [str(name) for name in opened.data.tgz().getnames()]
    assert [name for name in names if name.endswith(("spam", "egg"))] == ["./usr/bin/egg", "./usr/bin/spam"]
    assert make_deb(Deb(name="spam", version="1:2-3", files=files), compression=compression) == made


def test_archive_is_signed_and_its_digests_hold() -> None:
    key = new_key()
    archive = Archive(key=key)
    archive.add(Deb(name="libspam1", fields={"Source": "spam"}), Deb(name="spam-data", architecture="all"))
    site = archive.site()
    signed = pysequoia.verify(site["/debian/dists/bookworm/InRelease"], store=lambda _: [key.extract_certificate()])
    listed = {entry["name"]: entry["sha256"] for entry in Release(signed.bytes)["SHA256"]}
    digest = listed["main/binary-amd64/Packages.gz"]
    assert site[f"/debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/{digest}"]
    packages = list(Packages.iter_paragraphs(archive._packages("amd64"), use_apt_pkg=False))
    assert [p["Package"] for p in packages] == ["libspam1", "spam-data"]
    assert packages[0]["Filename"] == "pool/main/s/spam/libspam1_1.0-1_amd64.deb"
    assert all(int(p["Size"]) == len(site[f"/debian/{p['Filename']}"]) for p in packages)


@pytest.mark.parametrize("flaws", [Flaws(unsigned=True), Flaws(edited=True), Flaws(signed_by=new_key())])
def test_flawed_archive_does_not_verify(flaws: Flaws) -> None:
    key = new_key()
    bad = Archive(key=key, flaws=flaws).site()["/debian/dists/bookworm/InRelease"]
    with pytest.raises(RuntimeError):
        pysequoia.verify(bad, store=lambda _: [key.extract_certificate()])


def test_channel_is_what_a_conda_client_reads(tmp_path: Path) -> None:
    channel = Channel()
    package = CondaPackage(name="spam", depends=("python >=3.11",), files={"bin/spam": File(b"x", 0o755)})
    channel.add(package)
    with serve(channel.site()) as server:
        gateway = rattler.Gateway(cache_dir=tmp_path / "cache")
        asked = gateway.query([rattler.Channel(f"{server.url}/channel")], ["linux-64", "noarch"], ["spam"])
        ((record,), *_) = asyncio.run(asked)
    assert (record.name.source, record.depends) == ("spam", ["python >=3.11"])
    (tmp_path / "spam.conda").write_bytes(make_conda(package))
    extract(tmp_path / "spam.conda", tmp_path / "out")
    assert (tmp_path / "out" / "bin" / "spam").read_bytes() == b"x"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the stand-in is Python 3.11 where the tests run on it")
def test_stand_in_for_python_takes_the_environment_for_its_own(tmp_path: Path) -> None:
    python, _ = conda_python()
    for path, entry in python.files.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, Link):
            file.symlink_to(entry.target)
        else:
            file.write_bytes(entry.data)
            file.chmod(entry.mode)
    said = subprocess.run(
        [tmp_path / "bin/python", "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str(tmp_path)
