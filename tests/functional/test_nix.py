"""`envgen export nix`, built by Nix in a store of the test's own: no daemon, no nixpkgs, no network."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.export.nar import nix32
from tests.builders.system import base_debs
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

NIX = shutil.which("nix-build")

pytestmark = pytest.mark.skipif(NIX is None, reason="nix is not installed")

CONF = """\
build-users-group =
substituters =
sandbox = false
experimental-features = nix-command flakes
connect-timeout = 2
download-attempts = 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nix:
    """Nix with a store below a folder."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """Return variables that keep it out of the machine's store and settings."""
        places = {
            "NIX_STORE_DIR": "store", "NIX_STATE_DIR": "state", "NIX_LOG_DIR": "log", "NIX_CONF_DIR": "conf",
            "NIX_LOCALSTATE_DIR": "local", "HOME": "home", "XDG_CACHE_HOME": "home/cache",
        }  # fmt: skip
        return {name: str(self.folder / place) for name, place in places.items()} | {"PATH": "/usr/bin:/bin"}

    def __call__(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of Nix."""
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=self.variables, cwd=self.folder, timeout=60
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """An expression, the archive that it names, and what `export` told."""

    expression: Path
    nar: Path
    told: str


@pytest.fixture
def nix(tmp_path: Path) -> Nix:
    """Make an empty store."""
    for name in ("conf", "home"):
        (tmp_path / "nix" / name).mkdir(parents=True)
    (tmp_path / "nix/conf/nix.conf").write_text(CONF)
    return Nix(folder=tmp_path / "nix")


@pytest.fixture
def expression(locked: Project, cli: Command, tmp_path: Path) -> Path:
    """Export the environment `demo`."""
    file = tmp_path / "demo.nix"
    cli("export", "nix", "--output", str(file)).succeeded()
    return file


@pytest.fixture
def blobs(locked: Project, cli: Command, tmp_path: Path) -> Path:
    """Bundle `demo` as a folder."""
    cli("bundle", "--no-tools", "--output", f"{tmp_path}/bundle/").succeeded()
    return tmp_path / "bundle/blobs"


def artifacts(expression: Path) -> list[str | Path]:
    return ["nix-build", expression, "--no-out-link", "-A", "x86_64-linux.artifacts"]


def digests(done: subprocess.CompletedProcess[str]) -> set[Sha256]:
    assert done.returncode == 0, done.stderr
    return {Sha256.of(Path(line).read_bytes()) for line in done.stdout.split()}


def test_a_bundle_serves_every_file(nix: Nix, expression: Path, blobs: Path, registries: Registries) -> None:
    registries.server.content = {}
    done = nix(*artifacts(expression), "--option", "hashed-mirrors", blobs.as_uri())
    found = digests(done)
    assert len(found) > 3
    assert {"spam-1.0-py3-none-any.whl", "eggs-1.1-py3-none-any.whl"} <= {
        line.rpartition("/")[2].partition("-")[2] for line in done.stdout.split()
    }
    assert any(line.endswith(".deb") for line in done.stdout.split())
    assert {str(digest) for digest in found} <= {path.name for path in (blobs / "sha256").iterdir()}


def test_addresses_serve_without_a_bundle(nix: Nix, expression: Path) -> None:
    assert len(digests(nix(*artifacts(expression)))) > 3


def test_offline_only_a_bundle_has_the_wheels(nix: Nix, cli: Command, blobs: Path, tmp_path: Path) -> None:
    expression = tmp_path / "offline.nix"
    command = ("export", "nix", "--offline", "--output", str(expression))
    told = cli(*command, ENVGEN_CACHE=f"{tmp_path}/empty").succeeded().err
    assert "no address that Nix can open is known of `eggs`, `spam`" in told
    assert nix("nix-build", expression, "--no-out-link", "-A", "x86_64-linux.artifacts.wheels").returncode != 0
    assert len(digests(nix(*artifacts(expression), "--option", "hashed-mirrors", blobs.as_uri()))) > 3


def test_a_bundle_that_lacks_a_file(nix: Nix, expression: Path, blobs: Path, registries: Registries) -> None:
    registries.server.content = {}
    lost = next(path for path in (blobs / "sha256").iterdir() if path.read_bytes()[:2] == b"PK")
    lost.unlink()
    done = nix(*artifacts(expression), "--option", "hashed-mirrors", blobs.as_uri())
    assert done.returncode != 0
    assert "unable to download" in done.stderr


def test_a_damaged_file_is_refused(nix: Nix, expression: Path, blobs: Path) -> None:
    for path in (blobs / "sha256").iterdir():
        if path.read_bytes()[:2] == b"PK":
            path.chmod(0o644)
            path.unlink()
            path.write_bytes(b"changed")
    done = nix(*artifacts(expression), "--option", "hashed-mirrors", blobs.as_uri())
    assert done.returncode != 0
    assert "hash mismatch in fixed-output derivation" in done.stderr


IMAGED = SPEC + "image: {base: {suites: [bookworm, bookworm-security]}}\n"


@pytest.fixture
def imaged(project: Project, registries: Registries, cli: Command) -> Project:
    """Lock `demo` with an image."""
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    project.spec("demo", IMAGED)
    cli("lock").succeeded()
    return project


@pytest.fixture
def archived(imaged: Project, cli: Command, nix: Nix, tmp_path: Path) -> Archived:
    """Export it with its environment as an archive, for the store of this test."""
    file = tmp_path / "env.nix"
    store = nix.variables["NIX_STORE_DIR"]
    done = cli("export", "nix", "--nars", str(tmp_path / "nars"), "-o", str(file), NIX_STORE_DIR=store).succeeded()
    return Archived(expression=file, nar=tmp_path / "nars/demo.linux-64.nar", told=done.err)


def build_env(nix: Nix, archived: Archived, *options: str) -> subprocess.CompletedProcess[str]:
    return nix("nix-build", archived.expression, "--no-out-link", "-A", "x86_64-linux.env", *options)


def image_files(layout: Path, tmp_path: Path) -> dict[str, str]:
    """Read what an image has below the prefix: path -> content or target, and whether it is executable."""
    found = {}
    for blob in (layout / "blobs/sha256").iterdir():
        if blob.read_bytes()[:2] != b"\x1f\x8b":
            continue
        with tarfile.open(blob) as tar:
            for member in tar:
                if member.name.startswith("opt/env/") and not member.isdir():
                    data = tar.extractfile(member) if member.isreg() else None
                    text = Sha256.of(data.read()) if data else f"-> {member.linkname}"
                    found[member.name] = f"{text} {member.isreg() and bool(member.mode & 0o100)}"
    return found


def tree_files(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): (
            f"-> {path.readlink()} False"
            if path.is_symlink()
            else f"{Sha256.of(path.read_bytes())} {bool(path.stat().st_mode & 0o100)}"
        )
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_the_environment_is_the_one_of_the_image_where_it_was_told(
    nix: Nix, archived: Archived, cli: Command, tmp_path: Path
) -> None:
    cli("image", "--output", str(tmp_path / "image")).succeeded()
    done = build_env(nix, archived)
    assert done.returncode == 0, done.stderr
    out = Path(done.stdout.strip())
    assert str(out) in archived.told.replace("\n", "")
    assert tree_files(out) == image_files(tmp_path / "image", tmp_path)
    assert "opt/env/bin/spam" in tree_files(out)
    assert "other modes, times and owners" in archived.told
    told = nix("nix-store", "--query", "--hash", out).stdout.strip()
    assert told == f"sha256:{nix32(Sha256.of(archived.nar.read_bytes()).raw)}"


def test_verify_compares_what_nix_built_with_the_image(
    nix: Nix, archived: Archived, cli: Command, tmp_path: Path
) -> None:
    prefix = Path(build_env(nix, archived).stdout.strip()) / "opt/env"
    done = cli("verify", str(prefix)).succeeded()
    assert "compared with the image, whose prefix is `/opt/env`" in done.err
    copied = tmp_path / "copied/opt/env"
    shutil.copytree(prefix, copied, symlinks=True)
    for folder in (copied, copied / "bin", copied / "conda-meta"):
        folder.chmod(0o755)
    program = copied / "bin/spam"
    program.chmod(0o644)
    (copied / "conda-meta/history").unlink()
    (copied / "conda-meta/history").write_text("changed")
    (copied / "bin/more").symlink_to("spam")
    found = cli("verify", str(copied))
    assert found.code == 5
    told = found.out + found.err
    assert "/opt/env/bin/spam (spam): expected mode 755" in told
    assert "/opt/env/conda-meta/history: sha256: expected" in told
    assert "/opt/env/bin/more: a link that no package of the lock has" in told


def test_what_envgen_needs_and_the_index_lacks_leaves_out_what_nix_would_build(archived: Archived) -> None:
    assert "`envAt` and a built `image` were left out for linux-64" in archived.told
    assert "envAt" not in archived.expression.read_text()


def test_a_changed_archive_is_refused(nix: Nix, archived: Archived) -> None:
    data = archived.nar.read_bytes()
    archived.nar.write_bytes(data.replace(b"spam with eggs", b"spam with hams"))
    done = build_env(nix, archived)
    assert done.returncode != 0
    assert "hash mismatch in fixed-output derivation" in done.stderr


def test_an_archive_of_another_lock_is_refused(
    nix: Nix, archived: Archived, imaged: Project, cli: Command, tmp_path: Path
) -> None:
    imaged.spec("demo", IMAGED.replace("spam ==1.0", "spam ==1.1"))
    cli("lock").succeeded()
    cli("export", "nix", "--nars", str(tmp_path / "other"), "-o", str(tmp_path / "other.nix")).succeeded()
    done = build_env(nix, archived, "--argstr", "nars", (tmp_path / "other").as_uri())
    assert "hash mismatch in fixed-output derivation" in done.stderr


@pytest.mark.parametrize("name", ["elsewhere", "%20 \"${x}' #?"])
def test_a_moved_archive_is_found_by_argument(nix: Nix, archived: Archived, tmp_path: Path, name: str) -> None:
    moved = tmp_path / name
    (tmp_path / "nars").rename(moved)
    assert "unable to download" in build_env(nix, archived).stderr
    for where in (str(moved), moved.as_uri()):
        done = build_env(nix, archived, "--argstr", "nars", where)
        assert done.returncode == 0, done.stderr
        nix("nix-store", "--delete", done.stdout.strip())


def test_a_truncated_archive_is_refused(nix: Nix, archived: Archived) -> None:
    archived.nar.write_bytes(archived.nar.read_bytes()[:-1000])
    assert build_env(nix, archived).returncode != 0


def test_two_caches_write_one_archive(archived: Archived, cli: Command, tmp_path: Path) -> None:
    again = ("--nars", str(tmp_path / "again"), "-o", str(tmp_path / "again.nix"))
    cli("export", "nix", *again, ENVGEN_CACHE=str(tmp_path / "cache-2")).succeeded()
    assert (tmp_path / "again/demo.linux-64.nar").read_bytes() == archived.nar.read_bytes()


def test_a_flake_names_the_environment(nix: Nix, imaged: Project, cli: Command, tmp_path: Path) -> None:
    flake = tmp_path / "flake/flake.nix"
    cli("export", "nix", "--flake", "--nars", str(tmp_path / "nars"), "-o", str(flake)).succeeded()
    done = nix("nix", "build", "--no-link", f"path:{flake.parent}#env")
    assert done.returncode == 0, done.stderr
    shown = nix("nix", "flake", "show", "--json", f"path:{flake.parent}")
    assert '"x86_64-linux":{"default":' in shown.stdout, shown.stderr
    part = nix("nix", "build", "--no-link", f"path:{flake.parent}#artifacts.wheels.spam")
    assert part.returncode == 0, part.stderr


def test_the_image_is_a_layout_with_the_same_digest(nix: Nix, imaged: Project, cli: Command, tmp_path: Path) -> None:
    flake = tmp_path / "flake/flake.nix"
    options = ("--nars", str(tmp_path / "nars"), "--image", "--flake", "-o", str(flake))
    told = cli("export", "nix", *options, NIX_STORE_DIR=nix.variables["NIX_STORE_DIR"]).succeeded().err
    made = cli("image", "--platform", "linux-64", "--output", str(tmp_path / "image")).succeeded().out.strip()
    done = nix("nix", "build", "--no-link", f"path:{flake.parent}#image")
    assert done.returncode == 0, done.stderr
    assert made in told
    out = Path(nix("nix", "eval", "--raw", f"path:{flake.parent}#image").stdout)
    assert str(out) in told
    assert tree_files(out) == tree_files(tmp_path / "image")


def test_options_of_nix_are_for_nix(locked: Project, cli: Command, tmp_path: Path) -> None:
    assert cli("export", "explicit", "--nars", str(tmp_path)).code == 2
    assert cli("export", "nix", "--image").code == 2
    assert "has no `image`" in cli("export", "nix", "--nars", str(tmp_path)).err


VARIABLES = IMAGED + 'env: {MODE: "fast", DATA: "${prefix}/data"}\n'


def test_an_archive_has_the_variables_that_create_writes(imaged: Project, cli: Command, tmp_path: Path) -> None:
    imaged.spec("demo", VARIABLES)
    cli("create", "--prefix", str(tmp_path / "made")).succeeded()
    state = (tmp_path / "made/conda-meta/state").read_text().replace(str(tmp_path / "made"), "/opt/env")
    cli("export", "nix", "--nars", str(tmp_path / "nars"), "-o", str(tmp_path / "env.nix")).succeeded()
    assert state.encode() in (tmp_path / "nars/demo.linux-64.nar").read_bytes()


def test_what_nix_built_with_variables_is_verified(imaged: Project, cli: Command, nix: Nix, tmp_path: Path) -> None:
    imaged.spec("demo", VARIABLES)
    expression, store = tmp_path / "env.nix", nix.variables["NIX_STORE_DIR"]
    cli("export", "nix", "--nars", str(tmp_path / "nars"), "-o", str(expression), NIX_STORE_DIR=store).succeeded()
    built = build_env(nix, Archived(expression=expression, nar=tmp_path / "nars/demo.linux-64.nar", told=""))
    assert built.returncode == 0, built.stderr
    prefix = f"{built.stdout.strip()}/opt/env"
    cli("verify", prefix, "--env", "demo").succeeded()
    imaged.spec("demo", VARIABLES.replace("fast", "slow"))
    outcome = cli("verify", prefix, "--env", "demo")
    assert outcome.code == 5
    assert "/opt/env/conda-meta/state" in outcome.out
