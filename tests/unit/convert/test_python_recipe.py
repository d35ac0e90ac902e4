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
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection

from envgen.convert.deb import build_debian_recipe, build_empty, describe
from envgen.convert.deb_unpack import Unpacking
from envgen.convert.package import record_of
from envgen.digest import Sha256
from envgen.manifest.debian_recipe import for_python
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
    from collections.abc import Sequence

    from envgen.debs import Deb
    from envgen.manifest.debian_recipe import DebianRecipe

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[3]

IMPORTS = """\
import bz2, ctypes, curses, dbm.ndbm, hashlib, lzma, os, readline, sqlite3, ssl, sys, sysconfig, uuid, warnings, zlib
warnings.simplefilter("ignore")
import ensurepip, venv
if sys.version_info < (3, 12):
    import distutils.core, lib2to3.pgen2
prefix = sys.argv[1]
assert sys.prefix == prefix, sys.prefix
assert all(path.startswith(prefix) for path in sysconfig.get_paths().values()), sysconfig.get_paths()
assert os.path.exists(sysconfig.get_path("include") + "/Python.h")
assert os.path.exists(sysconfig.get_path("include") + "/pyconfig.h")
assert os.path.isdir(sysconfig.get_config_var("LIBDIR")), sysconfig.get_config_var("LIBDIR")
assert not os.path.exists(sysconfig.get_path("stdlib") + "/EXTERNALLY-MANAGED")
assert ssl.create_default_context(cafile=prefix + "/ssl/cacert.pem").cert_store_stats()["x509_ca"] > 100
loaded = {line.split(None, 5)[-1].strip() for line in open("/proc/self/maps") if ".so" in line}
host = sorted(os.path.basename(path) for path in loaded if not path.startswith(prefix + "/"))
assert all(name.startswith(("ld-linux", "libc.", "libc-", "libm.", "libm-")) for name in host), host
os.environ["TERMINFO_DIRS"] = prefix + "/opt/debian/usr/lib/terminfo"
curses.setupterm("xterm", 1)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


def open_archive(store: Store, suites: Sequence[str]) -> tuple[DebianArchive, Http]:
    http = Http(environment=os.environ)
    found = DebianSuites(
        http=http,
        store=store,
        mirrors=Mirrors(environment=os.environ, home=Path.home()),
        keys=lambda: [path.read_bytes() for path in sorted((ROOT / "envgen/data/debian").glob("*.asc"))],
        now=dt.datetime.now(dt.UTC),
    )
    return DebianArchive(found, suites), http


def fetch(
    store: Store, platform: Platform, suites: Sequence[str], packages: Sequence[str], exclude: Sequence[str]
) -> dict[Deb, Path]:
    archive, http = open_archive(store, suites)
    closure = archive.closure(packages, architecture=platform.debian_arch, exclude=exclude)

    def one(deb: Deb) -> Path:
        return store.ensure_artifact(
            deb.sha256, lambda out: http.download(archive.locate(deb), out, expected=deb.sha256, size=deb.size)
        )

    return {deb: one(deb) for deb in closure.debs}


def resolve(store: Store, platform: Platform, python: str) -> tuple[DebianRecipe, dict[Deb, Path]]:
    debian = for_python(read_debian_recipe(find_recipes([ROOT / "recipes"])["python"]), python)
    assert debian is not None
    return debian, fetch(store, platform, debian.suites, debian.packages, debian.exclude)


def make(store: Store, platform: Platform, folder: Path, python: str = "3.11") -> tuple[Path, ...]:
    debian, debs = resolve(store, platform, python)
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


def c_library(store: Store, folder: Path, suite: str) -> Path:
    """Unpack the C library of a release, and return the folder that it is in."""
    unpacking = Unpacking(root=folder, licenses=folder / "licenses", drop=())
    for deb, file in fetch(store, probe_host().platform, [suite], ["libc6"], ["libgcc-s1", "libidn2-0"]).items():
        with file.open("rb") as stream:
            unpacking.add(deb, stream)
    (libc,) = folder.rglob("libc.so.6")
    return libc.parent


def started(libraries: Path, program: Path) -> list[str | Path]:
    """Return the command by which the loader of a C library starts a program under its own name."""
    (loader,) = libraries.glob("ld-linux-*")
    return [loader, "--inhibit-cache", "--library-path", libraries, "--argv0", program, program.resolve()]


def without_versions(library: Path, *names: str) -> None:
    """Remove symbol versions from a library: the loader compares their hashes first."""
    raw = bytearray(library.read_bytes())
    with library.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".gnu.version_d")
        assert isinstance(section, GNUVerDefSection)
        position = section["sh_offset"]
        for definition, entries in section.iter_versions():
            if next(iter(entries)).name in names:
                raw[position + 8 : position + 12] = bytes(4)
            position += definition["vd_next"]
    library.write_bytes(raw)


def test_python_3_13_under_the_c_library_of_its_release(store: Store, tmp_path: Path) -> None:
    platform = probe_host().platform
    prefix = tmp_path / "an environment"
    install(store, make(store, platform, tmp_path / "packages", "3.13"), prefix, platform)
    python = started(c_library(store, tmp_path / "glibc", "trixie"), prefix / "bin/python")
    run(*python, "-c", IMPORTS, str(prefix))


OLDER = """\
import cmath, crypt, errno, math, pyexpat, sys
inf, nan, big, tiny = math.inf, math.nan, sys.float_info.max, 5e-324
assert abs(3 + 4j) == 5 and abs(complex(inf, nan)) == inf and abs(complex(tiny, 0)) == tiny
assert math.isnan(abs(complex(1, nan)))
try:
    abs(complex(big, big))
except OverflowError:
    print("overflow")
assert cmath.polar(3 + 4j)[0] == 5 and abs(complex(0.0, -0.0)) == 0
parser = pyexpat.ParserCreate()
parser.Parse("<a b='c'>d</a>", True)
assert crypt.crypt("word", crypt.mksalt(crypt.METHOD_SHA512)).startswith("$6$")
import ctypes
gensalt, buffer, salts = ctypes.CDLL(sys.argv[1]).crypt_gensalt_rn, ctypes.create_string_buffer(192), set()
for _ in range(9):
    gensalt(b"$6$", ctypes.c_ulong(0), None, 0, buffer, 192)
    salts.add(buffer.value)
assert len(salts) == 9 and all(len(salt) > 10 for salt in salts), salts
"""


def test_python_3_11_runs_on_a_glibc_without_two_versions(store: Store, tmp_path: Path) -> None:
    platform = probe_host().platform
    (package, _) = make(store, platform, tmp_path / "packages")
    libraries = c_library(store, tmp_path / "glibc", "bookworm")
    for name in ("libc.so.6", "libm.so.6"):
        without_versions(libraries / name, "GLIBC_2.35", "GLIBC_2.36")
    python = started(libraries, package / "bin/python")
    (crypt,) = package.rglob("libcrypt.so.1")
    assert run(*python, "-c", OLDER, crypt) == "overflow\n"
    (expat,) = package.rglob("libexpat.so.1")
    debian = tmp_path / "debian"
    _, debs = resolve(store, platform, "3.11")
    with next(file for deb, file in debs.items() if deb.name == "libexpat1").open("rb") as stream:
        Unpacking(root=debian, licenses=debian, drop=()).add(next(d for d in debs if d.name == "libexpat1"), stream)
    asked = [*python, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])"]
    run(*asked, expat)
    done = subprocess.run([*asked, *debian.rglob("libexpat.so.1")], capture_output=True, text=True, check=False)
    assert "version `GLIBC_2.36' not found" in done.stderr


@pytest.mark.skipif((probe_host().glibc or (0, 0)) < (2, 34), reason="the recipe needs glibc 2.34")
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
@pytest.mark.parametrize(("python", "glibc"), [("3.11", "2.34"), ("3.13", "2.38")])
def test_two_builds_have_the_same_bytes(
    store: Store, tmp_path: Path, platform: Platform, python: str, glibc: str
) -> None:
    first, second = (make(store, platform, tmp_path / name, python) for name in "ab")
    assert [digest_of(package) for package in first] == [digest_of(package) for package in second]
    report = json.loads((first[0] / "info/debian.json").read_text())
    assert report["dangling_links"] == []
    assert report["glibc"] == glibc
    assert [pattern for pattern, left in report["dropped"].items() if not left["files"]] == []


def digest_of(package: Path) -> str:
    state = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        state.update(f"{path.relative_to(package)} {path.lstat().st_mode} {len(content)}\n".encode() + content)
    return state.hexdigest()
