"""Every parser of foreign bytes as a function of bytes alone, with a sample of what it is made for."""

from __future__ import annotations

import functools
import io
import json
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import yaml

from envgen.bundle.write import write_tar
from envgen.convert.conda_archive import extract_conda
from envgen.convert.deb_unpack import Unpacking
from envgen.convert.extracted import check_extracted
from envgen.convert.wheel import check_format
from envgen.convert.wheel_directory import read_wheel_directory
from envgen.convert.wheel_layout import entry_point_scripts
from envgen.convert.wheel_record import parse_record
from envgen.debs import Deb, DebianArea
from envgen.digest import Sha256
from envgen.lock.cep37 import content_hash, document
from envgen.lock.debian_lock import read_debian_lock, render_debian_lock
from envgen.lock.read import read_lock
from envgen.lock.satisfy import stale
from envgen.manifest.debian_parse import parse_debian_recipe
from envgen.manifest.parse import parse_spec
from envgen.metadata import parse_metadata
from envgen.names import CondaName, ProjectName
from envgen.oci.read import open_layout
from envgen.oci.verify import Limits, check_layout
from envgen.prefix import conda_meta
from envgen.prefix.conda_meta import META
from envgen.prefix.contents import LinkPackage, PythonLayout, read_contents
from envgen.prefix.transaction import UNFINISHED, unfinished
from envgen.records import Record
from envgen.sign.keys import open_signer
from envgen.sign.locks import check_lock, sign_lock
from envgen.sign.packages import PackageClaim, appended, attest, read_sidecar, reasons_against
from envgen.sign.statements import StatementError
from envgen.sources.debian_index import PackageIndex, condense
from envgen.sources.debian_release import parse_release, verify_release
from envgen.sources.pypi_page import parse_page
from envgen.system.mirrors import parse_config
from envgen.system.store import Store
from tests.builders import debian, wheels
from tests.builders.channel import CondaPackage, make_conda
from tests.builders.extracted import wheel
from tests.builders.images import make_layout
from tests.builders.keys import write_keys
from tests.builders.tree import MOMENT, File, Link
from tests.unit.lock import samples, test_debian_lock
from tests.unit.manifest.test_debian_recipe import HEAD
from tests.unit.oci import test_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.sign.keys import Signer

T = TypeVar("T")

URL = "https://index.test/simple/spam/"
SPAM = ProjectName("spam")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A parser.

    Attributes:
        read: takes bytes; raises an `EnvgenError` where it refuses them.
        sample: what it is made for.
        json: whether values are replaced in the sample, instead of bytes.
    """

    read: Callable[[bytes], object]
    sample: bytes
    json: bool = False


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Make a parser of text one of bytes, as files are read."""

    def decoded(raw: bytes) -> object:
        return read(raw.decode("utf-8", "replace"))

    return decoded


def _in_folder(read: Callable[[bytes, Path], T]) -> Callable[[bytes], T]:
    def in_folder(raw: bytes) -> T:
        with tempfile.TemporaryDirectory() as folder:
            return read(raw, Path(folder))

    return in_folder


def _lock(raw: bytes) -> object:
    """Read a lock whose digest fits whatever was done to its packages, and hold it against its spec."""
    found = json.loads(raw)
    with suppress(TypeError, KeyError, ValueError, RecursionError, AttributeError):
        found["metadata"]["content_hash"]["linux-64"] = content_hash(found["package"])
    lock = read_lock(json.dumps(found))
    return stale(
        samples.spec(),
        lock,
        recipe_digests=samples.RECIPES,
        debian_digest=samples.DEBIAN,
        converter=samples.CONVERTER,
        names=samples.NAMES,
    )


def _page(raw: bytes, content_type: str) -> object:
    page = parse_page(raw, content_type=content_type, url=URL, project=SPAM)
    return [page.files(version) for version in page.versions], list(page.all_files()), page.sdists


def _packages(raw: bytes) -> object:
    index = PackageIndex(condense(io.BytesIO(raw)), archive=DebianArea.DEBIAN)
    return [(list(index.find(name)), list(index.providers(name))) for name in (*index.names(), "spam", "virtual")]


def _deb(raw: bytes, folder: Path) -> object:
    locked = Deb(
        name="spam",
        version="1.0-1",
        architecture="amd64",
        archive=DebianArea.DEBIAN,
        path="pool/main/s/spam/spam_1.0-1_amd64.deb",
        sha256=Sha256.of(raw),
        size=len(raw),
    )
    unpacking = Unpacking(root=folder / "root", licenses=folder / "licenses", drop=["usr/share/man/**"])
    unpacking.add(locked, io.BytesIO(raw))
    return unpacking.drop_dangling()


def _extracted(member: str, raw: bytes, folder: Path) -> object:
    """Read a package one file of whose `info/` is foreign, as linking reads it."""
    root = folder / "spam-1.0-0-0123"
    (root / "info").mkdir(parents=True)
    (root / "code.py").write_bytes(b"x = 1")
    for name, sample in INFO.items():
        (root / "info" / name).write_bytes(sample)
    (root / "info" / member).write_bytes(raw)
    check_extracted(root, what="spam.conda")
    record = Record(
        name=CondaName("spam"), version="1.0", build="0", build_number=0, subdir="noarch", depends=(),
        noarch="python", origin=wheel("spam"),
    )  # fmt: skip
    layout = PythonLayout(site_packages="lib/python3.11/site-packages", scripts="bin", program="bin/python3.11")
    return read_contents(LinkPackage(record=record, directory=root), layout)


def _record(raw: bytes, folder: Path) -> object:
    path = folder / "spam-1.0-0.json"
    path.write_bytes(raw)
    return conda_meta.render(conda_meta.load(path))


def _unfinished(raw: bytes, folder: Path) -> object:
    (folder / META).mkdir()
    (folder / META / UNFINISHED).write_bytes(raw)
    return unfinished(folder)


def _conda(raw: bytes, folder: Path) -> object:
    (folder / "spam-1.0-0.conda").write_bytes(raw)
    extract_conda(folder / "spam-1.0-0.conda", folder / "out")
    return sorted((folder / "out").rglob("*"))


@functools.cache
def _layout_files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        layout = Path(folder, "layout")
        make_layout(Store(Path(folder, "store")), layout)
        return {str(path.relative_to(layout)): path.read_bytes() for path in layout.rglob("*") if path.is_file()}


def _layout(raw: bytes, folder: Path) -> object:
    """Verify a layout that has another index."""
    found = json.loads(raw)
    for name, data in _layout_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "index.json").write_text(json.dumps(found))
    faults = check_layout(folder, limits=Limits(layers=127, size=1 << 40))
    return faults, open_layout(folder)


def _manifest(raw: bytes, folder: Path) -> object:
    """Verify a layout with another manifest, under its own digest."""
    index = json.loads(_layout_files()["index.json"])
    digest = str(Sha256.of(raw))
    index["manifests"][0] |= {"digest": f"sha256:{digest}", "size": len(raw)}
    (folder / "blobs/sha256").mkdir(parents=True)
    (folder / f"blobs/sha256/{digest}").write_bytes(raw)
    return _layout(json.dumps(index).encode(), folder)


def _tar(raw: bytes, folder: Path) -> object:
    (folder / "bundle.tar").write_bytes(raw)
    return open_layout(folder / "bundle.tar")


INFO = {
    "index.json": b'{"name": "spam", "version": "1.0", "build": "0", "build_number": 0, "depends": ["python"],'
    b' "subdir": "noarch", "noarch": "python", "python_site_packages_path": "lib/x"}',
    "paths.json": json.dumps(
        {
            "paths_version": 1,
            "paths": [
                {"_path": "code.py", "path_type": "hardlink", "sha256": str(Sha256.of(b"x = 1")), "size_in_bytes": 5}
            ],
        }
    ).encode(),
    "link.json": b'{"noarch": {"type": "python", "entry_points": ["spam = spam:main"]}, "package_metadata_version": 1}',
}

WHEEL = wheels.make_wheel("spam", requires=["eggs >=1 ; extra == 'x'"], files={"spam.py": "x = 1\n"})
METADATA = b"""\
Metadata-Version: 2.4
Name: spam
Version: 1.0
License-Expression: MIT
Requires-Python: >=3.9, !=3.9.0
Requires-Dist: eggs[more] (>=1,<2) ; python_version >= "3.9" and extra == "all"
Requires-Dist: spam[ham] ; extra == "all"
Provides-Extra: all

Words.
"""
PAGE = {
    "meta": {"api-version": "1.1"},
    "name": "spam",
    "versions": ["1.0"],
    "files": [
        {
            "filename": "spam-1.0-py3-none-any.whl",
            "url": "../../files/spam-1.0-py3-none-any.whl",
            "hashes": {"sha256": "0" * 64},
            "requires-python": ">=3.9",
            "size": 100,
            "upload-time": "2026-01-01T00:00:00Z",
            "yanked": False,
            "core-metadata": {"sha256": "1" * 64},
        },
        {"filename": "spam-1.0.tar.gz", "url": "spam-1.0.tar.gz", "hashes": {}},
    ],
}
HTML = f"""<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.1"></head><body>
<a href="/f/spam-1.0-py3-none-any.whl#sha256={"0" * 64}" data-requires-python="&gt;=3.9" data-yanked="no">spam</a>
</body></html>"""
PACKAGES = f"""\
Package: spam
Version: 1:1.0-1
Architecture: amd64
Filename: pool/main/s/spam/spam_1.0-1_amd64.deb
SHA256: {"0" * 64}
Size: 100
Depends: eggs (>= 1.0) | ham:any, libc6 (<< 3~) [amd64]
Provides: virtual (= 1.0), other

Package: eggs
Version: 2.0
Architecture: all
Filename: pool/main/e/eggs/eggs_2.0_all.deb
SHA256: {"1" * 64}
Size: 7
"""
RELEASE = f"""\
Origin: Debian
Suite: stable
Codename: bookworm
Date: Sat, 28 Nov 2026 00:53:02 UTC
Valid-Until: Sat, 05 Dec 2026 00:53:02 UTC
Acquire-By-Hash: yes
SHA256:
 {"0" * 64} 100 main/binary-amd64/Packages.xz
"""
RECORD_ROWS = "spam.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nspam-1.0.dist-info/RECORD,,\n"
META_RECORD = {
    "name": "spam",
    "version": "1.0",
    "build": "0",
    "build_number": 0,
    "depends": [],
    "files": ["code.py"],
    "paths_data": {"paths_version": 1, "paths": [{"_path": "code.py", "path_type": "hardlink", "sha256": "0" * 64}]},
}
KEY = debian.new_key()
IN_RELEASE = debian.Archive(key=KEY).site()["/debian/dists/bookworm/InRelease"]
DEB = debian.make_deb(
    debian.Deb(name="spam", files={"usr/bin/spam": File(b"x" * 100), "usr/lib/spam": Link("../bin/spam")}),
    compression="gz",
)
RECIPE = (
    HEAD + 'drop: ["usr/share/doc/**"]\nlinks: {bin/tool: usr/bin/tool}\ndepends: ["__glibc >=2.17"]\n'
    "outputs: [{name: other, version: '1', build: '0', depends: ['tool ==${{ version }}']}]\n"
)
CONFIG = b'[mirrors]\npypi = "https://index.test/simple"\ndebian = "https://debian.test"\n'


def _manifest_sample() -> bytes:
    index = json.loads(_layout_files()["index.json"])
    return _layout_files()[f"blobs/sha256/{index['manifests'][0]['digest'].removeprefix('sha256:')}"]


@_in_folder
def _bundle(_: bytes, folder: Path) -> bytes:
    write_tar(test_read.whole(), folder / "bundle.tar", advance=lambda _: None)
    return (folder / "bundle.tar").read_bytes()


@functools.cache
def _signer() -> Signer:
    with tempfile.TemporaryDirectory() as folder:
        return open_signer(str(write_keys(Path(folder))[0]), directory=Path(folder), environment={})


_LOCKED = {"locks/demo.linux-64.conda-lock.yml": Sha256.of(b"lock")}
_CLAIM = PackageClaim(filename="spam-1.0-0.conda", sha256=Sha256.of(b"spam"))


def _signature(raw: bytes) -> object:
    with suppress(StatementError):
        check_lock(raw, _signer().public, _LOCKED)
    return None


def _sidecar(raw: bytes) -> object:
    with suppress(StatementError):
        return reasons_against(_CLAIM, read_sidecar(raw), _signer().public), appended(raw, b"{}")
    return None


READERS: dict[str, Reader] = {
    "spec": Reader(
        read=_text(lambda t: parse_spec(t, source="environments/sample.yaml")), sample=samples.SPEC.encode()
    ),
    "recipe": Reader(
        read=_text(
            lambda t: parse_debian_recipe(
                t, source="recipes/tool/debian.yaml", recipe="tool", digest=Sha256.of(b""), templates={}
            )
        ),
        sample=RECIPE.encode(),
    ),
    "lock": Reader(read=_text(read_lock), sample=yaml.safe_dump(document(samples.lock()), sort_keys=False).encode()),
    "lock-values": Reader(read=_lock, sample=json.dumps(document(samples.lock())).encode(), json=True),
    "debian-lock": Reader(read=_text(read_debian_lock), sample=render_debian_lock(test_debian_lock.sample()).encode()),
    "debian-lock-values": Reader(
        read=_text(read_debian_lock),
        sample=json.dumps(yaml.safe_load(render_debian_lock(test_debian_lock.sample()))).encode(),
        json=True,
    ),
    "metadata": Reader(read=parse_metadata, sample=METADATA),
    "record": Reader(read=lambda raw: parse_record(raw, what="spam.whl"), sample=RECORD_ROWS.encode()),
    "wheel": Reader(
        read=lambda raw: check_format(raw, what="spam.whl"), sample=b"Wheel-Version: 1.0\nTag: py3-none-any\n"
    ),
    "entry-points": Reader(
        read=lambda raw: entry_point_scripts(raw, what="spam.whl"), sample=b"[console_scripts]\nspam = spam:main [x]\n"
    ),
    "zip": Reader(read=lambda raw: read_wheel_directory(io.BytesIO(raw), what="spam.whl", size=len(raw)), sample=WHEEL),
    "page": Reader(read=lambda raw: _page(raw, "application/json"), sample=json.dumps(PAGE).encode()),
    "page-values": Reader(
        read=lambda raw: _page(raw, "application/vnd.pypi.simple.v1+json"), sample=json.dumps(PAGE).encode(), json=True
    ),
    "html": Reader(read=lambda raw: _page(raw, "text/html"), sample=HTML.encode()),
    "packages": Reader(read=_packages, sample=PACKAGES.encode()),
    "release": Reader(read=lambda raw: parse_release(raw, suite="bookworm"), sample=RELEASE.encode()),
    "in-release": Reader(
        read=lambda raw: verify_release(raw, suite="bookworm", keys=[debian.public_key(KEY)], now=MOMENT),
        sample=IN_RELEASE,
    ),
    "deb": Reader(read=_in_folder(_deb), sample=DEB),
    "conda": Reader(read=_in_folder(_conda), sample=make_conda(CondaPackage(name="spam"))),
    **{
        f"info-{name}": Reader(read=_in_folder(functools.partial(_extracted, name)), sample=sample, json=True)
        for name, sample in INFO.items()
    },
    "conda-meta": Reader(read=_in_folder(_record), sample=json.dumps(META_RECORD).encode(), json=True),
    "unfinished": Reader(
        read=_in_folder(_unfinished), sample=b'{"format": 1, "records": ["spam-1.0-0"], "paths": ["lib/x"]}', json=True
    ),
    "oci-index": Reader(read=_in_folder(_layout), sample=_layout_files()["index.json"], json=True),
    "oci-manifest": Reader(read=_in_folder(_manifest), sample=_manifest_sample(), json=True),
    "signature": Reader(read=_signature, sample=sign_lock(_LOCKED, _signer()), json=True),
    "sidecar": Reader(read=_sidecar, sample=appended(None, attest(_CLAIM, _signer())), json=True),
    "bundle": Reader(read=_in_folder(_tar), sample=_bundle(b"")),
    "config": Reader(read=_text(lambda t: parse_config(t, "config.toml")), sample=CONFIG),
}
