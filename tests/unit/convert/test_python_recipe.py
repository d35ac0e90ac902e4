"""The shipped recipe of Python against the real archive: about 20 MB a platform."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.convert.deb import build_debian_recipe, build_empty, describe
from envgen.convert.package import record_of
from envgen.digest import Sha256
from envgen.packages import BuiltArchive
from envgen.platforms import Platform
from envgen.prefix.contents import LinkPackage
from envgen.prefix.link import link
from envgen.sources.debian import DebianArchive
from envgen.sources.debian_suites import DebianSuites
from envgen.sources.recipes import find_recipes, read_debian_recipe
from envgen.system.host import probe_host
from envgen.system.http import Http
from envgen.system.mirrors import Mirrors
from envgen.system.store import Store

if TYPE_CHECKING:
    from envgen.debs import Deb
    from envgen.manifest.debian_recipe import DebianRecipe

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[3]

IMPORTS = """\
import bz2, ctypes, curses, dbm.ndbm, hashlib, lzma, os, readline, sqlite3, ssl, sys, sysconfig, uuid, warnings, zlib
warnings.simplefilter("ignore")
import distutils.core, ensurepip, lib2to3.pgen2, venv
prefix = sys.argv[1]
assert sys.prefix == prefix, sys.prefix
assert all(path.startswith(prefix) for path in sysconfig.get_paths().values()), sysconfig.get_paths()
assert os.path.exists(sysconfig.get_path("include") + "/Python.h")
assert os.path.exists(sysconfig.get_path("include") + "/pyconfig.h")
assert os.path.isdir(sysconfig.get_config_var("LIBDIR")), sysconfig.get_config_var("LIBDIR")
assert not os.path.exists(sysconfig.get_path("stdlib") + "/EXTERNALLY-MANAGED")
assert ssl.create_default_context(cafile=prefix + "/ssl/cacert.pem").cert_store_stats()["x509_ca"] > 100
loaded = {line.split(None, 5)[-1].strip() for line in open("/proc/self/maps") if ".so" in line}
host = sorted(os.path.basename(path) for path in loaded if not path.startswith(prefix))
assert all(name.startswith(("ld-linux", "libc.", "libc-", "libm.", "libm-")) for name in host), host
os.environ["TERMINFO_DIRS"] = prefix + "/opt/debian/usr/lib/terminfo"
curses.setupterm("xterm", 1)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


def resolve(store: Store, platform: Platform) -> tuple[DebianRecipe, dict[Deb, Path]]:
    debian = read_debian_recipe(find_recipes([ROOT / "recipes"])["python"])
    http = Http(environment=os.environ)
    suites = DebianSuites(
        http=http,
        store=store,
        mirrors=Mirrors(environment=os.environ, home=Path.home()),
        keys=lambda: [path.read_bytes() for path in sorted((ROOT / "envgen/data/debian").glob("*.asc"))],
        now=dt.datetime.now(dt.UTC),
    )
    archive = DebianArchive(suites, debian.suites)
    closure = archive.closure(debian.packages, architecture=platform.debian_arch, exclude=debian.exclude)

    def fetch(deb: Deb) -> Path:
        return store.ensure_artifact(
            deb.sha256, lambda out: http.download(archive.locate(deb), out, expected=deb.sha256, size=deb.size)
        )

    return debian, {deb: fetch(deb) for deb in closure.debs}


def make(store: Store, platform: Platform, folder: Path) -> tuple[Path, ...]:
    debian, debs = resolve(store, platform)
    main, *others = describe(debian, debs, platform=platform)
    for package in (main, *others):
        (folder / package.dist).mkdir(parents=True)
    build_debian_recipe(debian, debs, platform=platform, dest=folder / main.dist)
    for other in others:
        build_empty(other, debian, platform=platform, dest=folder / other.dist)
    return tuple(folder / package.dist for package in (main, *others))


def install(store: Store, packages: tuple[Path, ...], prefix: Path, platform: Platform) -> None:
    origin = BuiltArchive(
        recipe="python",
        filename="python.conda",
        md5="0" * 32,
        sha256=Sha256("0" * 64),
        content=Sha256("0" * 64),
        size=0,
    )
    link(
        [LinkPackage(record=record_of(p, origin), directory=p) for p in packages],
        prefix,
        store=store,
        platform=platform,
    )


def run(*command: str | Path, **variables: str) -> str:
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_is_whole_and_lives_in_its_prefix(store: Store, tmp_path: Path) -> None:
    platform = probe_host().platform
    packages = make(store, platform, tmp_path / "packages")
    prefix = tmp_path / "an environment"
    install(store, packages, prefix, platform)
    run(prefix / "bin/python", "-c", IMPORTS, str(prefix))
    run(prefix / "bin/python", "-m", "venv", tmp_path / "venv")
    said = run(tmp_path / "venv/bin/python", "-m", "pip", "--version")
    assert said.startswith("pip 23.0.1")
    run(prefix / "bin/python", "-m", "venv", "--system-site-packages", "--without-pip", tmp_path / "shared")
    where = run(tmp_path / "shared/bin/python", "-c", "import site; print(site.getsitepackages())")
    assert f"{prefix}/opt/debian/usr/lib/python3/dist-packages" in where


ACTIVATION = """\
test -z "$1" || export SSL_CERT_FILE="$1"
. "$CONDA_PREFIX/etc/conda/activate.d/python.sh"
echo "$SSL_CERT_FILE"
. "$CONDA_PREFIX/etc/conda/deactivate.d/python.sh"
echo "$SSL_CERT_FILE"
"""


def test_activation_leaves_what_the_user_chose(store: Store, tmp_path: Path) -> None:
    (package, _) = make(store, Platform.LINUX_64, tmp_path / "packages")
    on, off = run("/bin/sh", "-c", ACTIVATION, "sh", "/mine.pem", CONDA_PREFIX=str(package)).split("\n")[:2]
    assert (on, off) == ("/mine.pem", "/mine.pem")
    on, off = run("/bin/sh", "-euc", ACTIVATION, "sh", "", CONDA_PREFIX=str(package), SSL_CERT_FILE="").split("\n")[:2]
    host = any(Path(path).exists() for path in ("/usr/lib/ssl/cert.pem", "/usr/lib/ssl/certs/ca-certificates.crt"))
    assert on == ("" if host else f"{package}/ssl/cacert.pem")
    assert off == ""


@pytest.mark.parametrize("platform", [Platform.LINUX_64, Platform.LINUX_AARCH64])
def test_two_builds_have_the_same_bytes(store: Store, tmp_path: Path, platform: Platform) -> None:
    first, second = (make(store, platform, tmp_path / name) for name in "ab")
    assert [digest_of(package) for package in first] == [digest_of(package) for package in second]
    report = json.loads((first[0] / "info/debian.json").read_text())
    assert report["dangling_links"] == []
    assert report["glibc"] == "2.36"
    assert [pattern for pattern, left in report["dropped"].items() if not left["files"]] == []


def digest_of(package: Path) -> str:
    state = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        state.update(f"{path.relative_to(package)} {path.lstat().st_mode} {len(content)}\n".encode() + content)
    return state.hexdigest()
