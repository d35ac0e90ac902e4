"""`envgen bundle` and `--offline`: from one file to an environment and an image, without a network."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from envgen.digest import Sha256
from envgen.errors import GoneError, NetworkError
from envgen.oci.push import Reference, fetch_manifest
from envgen.oci.registry import BlobRepository
from envgen.structs import replace
from envgen.system.http import Http
from tests.builders.registry import PROGRAM, SKOPEO, registry
from tests.builders.server import Faults, serve
from tests.builders.system import base_debs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Outcome, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
pypi: [spam ==1.0, eggs <2]
image: {base: {suites: [bookworm, bookworm-security]}}
"""

needs_registry = pytest.mark.skipif(
    not (PROGRAM and SKOPEO), reason="docker-registry and skopeo (Debian packages) are not installed"
)


@pytest.fixture
def imaged(project: Project, registries: Registries, cli: Command) -> Project:
    """Lock an environment with an image."""
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    return project


@pytest.fixture
def bundle(imaged: Project, cli: Command, tmp_path: Path) -> Path:
    """Bundle it without envgen itself."""
    file = tmp_path / "demo.tar"
    cli("bundle", "--no-tools", "--output", str(file)).succeeded()
    return file


@pytest.fixture
def away(cli: Command, tmp_path: Path) -> Command:
    """Run on a machine with an empty cache."""
    return replace(cli, variables={**cli.variables, "ENVGEN_CACHE": str(tmp_path / "other-cache")})


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_environment_and_image_from_one_file(
    imaged: Project, bundle: Path, cli: Command, away: Command, registries: Registries
) -> None:
    """The image is the one that is made with a network, its bill of materials included."""
    tmp_path = bundle.parent
    online = cli("image", "--json").succeeded().json()
    document = cli("export", "cyclonedx").succeeded().out
    registries.server.content = {}
    away.variables |= {"ENVGEN_OFFLINE": "1", "ENVGEN_BUNDLE": str(bundle)}
    away("create", "-p", str(tmp_path / "env")).succeeded()
    assert (tmp_path / "env/bin/spam").is_file()
    offline = away("image", "--json", "--output", str(tmp_path / "image")).succeeded().json()
    assert offline["digest"] == online["digest"]
    assert offline["images"][0]["sbom"] == online["images"][0]["sbom"]
    assert away("export", "cyclonedx").succeeded().out == document


def test_two_caches_make_one_file(imaged: Project, bundle: Path, cli: Command, tmp_path: Path) -> None:
    again = tmp_path / "again.tar"
    cli("bundle", "--no-tools", "--output", str(again), ENVGEN_CACHE=str(tmp_path / "cache-2")).succeeded()
    assert digest(again) == digest(bundle)
    cli("bundle", "--no-tools", "--output", f"{tmp_path}/folder/").succeeded()
    cli("bundle", "--no-tools", "--output", f"{tmp_path}/folder/").succeeded()
    names = {path.relative_to(tmp_path / "folder").as_posix() for path in (tmp_path / "folder").rglob("*")}
    with tarfile.open(bundle) as tar:
        assert tar.getnames() == sorted(tar.getnames())
        assert {member.mtime for member in tar} == {0}
        assert names - {"blobs", "blobs/sha256"} == set(tar.getnames())


def test_a_folder_serves_as_well(
    imaged: Project, cli: Command, away: Command, registries: Registries, tmp_path: Path
) -> None:
    cli("bundle", "--no-tools", "--output", f"{tmp_path}/folder/").succeeded()
    registries.server.content = {}
    away("create", "-p", str(tmp_path / "env"), "--offline", "--bundle", str(tmp_path / "folder")).succeeded()


def test_with_a_network_a_bundle_comes_first(
    bundle: Path, away: Command, registries: Registries, tmp_path: Path
) -> None:
    registries.server.content = {}
    outcome = away("create", "-p", str(tmp_path / "env"), "--bundle", str(bundle)).succeeded()
    assert "to download" not in outcome.err


def test_what_is_missing_is_told_at_once(imaged: Project, away: Command, tmp_path: Path) -> None:
    outcome = away("create", "-p", str(tmp_path / "env"), "--offline")
    assert outcome.code == 4
    assert all(word in outcome.err for word in ("spam-1.0", "eggs-1.1", "python3.11", "--bundle"))
    assert not (tmp_path / "env").exists()
    image = away("image", "--offline", "--output", str(tmp_path / "image"))
    assert image.code == 4
    assert all(word in image.err for word in ("spam-1.0", "base-files"))
    assert not (tmp_path / "image").exists()


def test_check_tells_what_is_missing(imaged: Project, bundle: Path, away: Command) -> None:
    outcome = away("lock", "--check", "--offline")
    assert outcome.code == 1
    assert "spam-1.0" in outcome.err + outcome.out
    assert "out of date" not in outcome.err
    assert "cannot be had offline\nhint: run `envgen bundle` on a machine with a network" in outcome.err
    assert away("lock", "--check", "--offline", "--json").json()[0]["up_to_date"] is False
    away("lock", "--check", "--offline", "--bundle", str(bundle)).succeeded()


def test_offline_asks_no_server(imaged: Project, away: Command, registries: Registries) -> None:
    before = len(registries.server.requests)
    assert away("lock", "--upgrade", "--offline").code == 4
    assert len(registries.server.requests) == before
    assert away("create", ENVGEN_OFFLINE="perhaps").code == 1


def test_a_delta_holds_what_the_older_lock_lacks(
    imaged: Project, bundle: Path, cli: Command, away: Command, registries: Registries
) -> None:
    tmp_path = bundle.parent
    old = tmp_path / "old"
    old.mkdir()
    for name, data in imaged.locks().items():
        (old / name).write_bytes(data)
    imaged.spec("demo", SPEC.replace("spam ==1.0", "spam ==1.1"))
    cli("lock").succeeded()
    delta = tmp_path / "delta.tar"
    told = cli("bundle", "--since", str(old), "--output", str(delta), "--json").succeeded().json()
    assert titles(delta)[-1] == "wheels/spam-1.1-py3-none-any.whl"
    assert [title for title in titles(delta) if title.startswith(("wheels", "debs"))] == titles(delta)[-1:]
    assert told["bytes"] < bundle.stat().st_size
    alone = old.parent / "demo.linux-64.conda-lock.yml"
    alone.write_bytes((old / alone.name).read_bytes())
    large = cli("bundle", "--since", str(alone), "--output", str(tmp_path / "large.tar")).succeeded()
    assert "its Debian lock is not beside it, hence all Debian packages are bundled" in large.err
    registries.server.content = {}
    both = ("--offline", "--bundle", str(bundle), "--bundle", str(delta))
    away("create", "-p", str(tmp_path / "env"), *both).succeeded()
    assert cli("bundle", "--image", "--since", str(old)).code == 2


def titles(bundle: Path) -> list[str]:
    """List the titles of everything in the artifacts of locks and tools."""
    with tarfile.open(bundle) as tar:

        def read(name: str) -> Any:
            found = tar.extractfile(name)
            assert found
            return json.loads(found.read())

        manifests = [read(f"blobs/sha256/{entry['digest'][7:]}") for entry in read("index.json")["manifests"]]
    layers = [layer for manifest in manifests for layer in manifest["layers"]]
    return [layer["annotations"]["org.opencontainers.image.title"] for layer in layers]


def test_an_image_is_beside_the_files(imaged: Project, cli: Command, tmp_path: Path) -> None:
    made = cli("image", "--json").succeeded().json()
    file = tmp_path / "with-image.tar"
    cli("bundle", "--no-tools", "--image", "--output", str(file)).succeeded()
    with tarfile.open(file) as tar:
        names = set(tar.getnames())
    wanted = [made["digest"], *(layer["digest"] for layer in made["images"][0]["layers"]), made["images"][0]["sbom"]]
    assert {f"blobs/sha256/{one[7:]}" for one in wanted} <= names


def test_packages_of_a_channel_make_the_same_image(
    imaged: Project, cli: Command, away: Command, tmp_path: Path
) -> None:
    """An image has the streams of the wheels themselves, which are fetched beside the packages."""
    cli("publish", "--to", str(tmp_path / "channel")).succeeded()
    own = {"ENVGEN_CHANNEL": str(tmp_path / "channel"), "ENVGEN_CHANNEL_WHEELS": "1"}
    taking = replace(away, variables={**away.variables, **own})
    first = cli("image", "--output", str(tmp_path / "first")).succeeded()
    second = taking("image", "--output", str(tmp_path / "second")).succeeded()
    assert second.out == first.out
    assert "wheels to download, since the store has their packages only" in second.err


def test_what_the_spec_denies_is_not_bundled(imaged: Project, cli: Command, tmp_path: Path) -> None:
    imaged.spec("demo", SPEC + "licenses: {packages: {spam: GPL-3.0-only}, deny: [GPL-3.0-only]}\n")
    cli("lock").succeeded()
    outcome = cli("bundle", "--no-tools", "--output", str(tmp_path / "no.tar"))
    assert outcome.code == 1
    assert "spam 1.0" in outcome.err
    assert not (tmp_path / "no.tar").exists()


def test_an_output_of_another_kind_stays(imaged: Project, cli: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine")
    outcome = cli("bundle", "--no-tools", "--output", f"{tmp_path}/mine/")
    assert outcome.code == 1
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]


def test_the_starter_needs_the_library_alone(imaged: Project, bundle: Path, tmp_path: Path) -> None:
    """A bundle without envgen says so; nothing is written."""
    from envgen.project.shipped import bundle_start

    (tmp_path / "start.py").write_bytes(bundle_start())
    done = subprocess.run(
        [sys.executable, "-I", tmp_path / "start.py", bundle, "--folder", tmp_path / "out"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no envgen for Python" in done.stderr
    assert not (tmp_path / "out").exists()


@needs_registry
def test_a_registry_has_any_artifact(imaged: Project, cli: Command, registries: Registries, tmp_path: Path) -> None:
    """A pushed bundle serves as a mirror of blobs; what it lacks comes from its own source."""

    def create(number: int, name: str) -> Outcome:
        variables = {"ENVGEN_CACHE": str(tmp_path / f"cache-{number}"), "ENVGEN_BLOBS": name}
        return replace(cli, variables=cli.variables | variables)("create", "-p", str(tmp_path / f"env-{number}"))

    with registry(tmp_path / "registry") as address:
        told = cli("bundle", "--no-tools", "--push", f"{address}/team/blobs:1", "--json").succeeded().json()
        assert (told["path"], told["pushed"]) == (None, f"{address}/team/blobs:1")
        assert not (imaged.root / "dist").exists()
        index = fetch_manifest(Reference.parse(f"{address}/team/blobs:1"), ":1", cli.variables)
        assert index
        assert [entry["annotations"] for entry in index["manifests"]] == [
            {"org.opencontainers.image.ref.name": "demo.linux-64"}
        ]
        content, registries.server.content = registries.server.content, {}
        create(2, f"oci://{address}/team/blobs").succeeded()
        registries.server.content = content
        create(3, f"oci://{address}/team/empty").succeeded()
    without = create(4, f"oci://{address}/team/blobs").succeeded()
    assert "the mirror of blobs is not used any more in this run" in without.err


def test_registries_give_tokens(tmp_path: Path) -> None:
    """A token is asked for where the registry wants one, and sent to it alone."""
    sha = Sha256.of(b"blob")
    blob = f"/v2/team/blobs/blobs/sha256:{sha}"
    with serve({blob: b"blob", "/token": b'{"token": "secret"}'}) as server:
        server.faults = Faults(bearer="secret")
        repository = BlobRepository(f"oci://{server.url.removeprefix('http://')}/team/blobs", http=Http(environment={}))
        out = io.BytesIO()
        repository.download(sha, out)
        assert out.getvalue() == b"blob"
        with pytest.raises(GoneError):
            repository.download(Sha256.of(b"other"), io.BytesIO())


@pytest.mark.parametrize("address", ["file://{}", "FILE://{}", "ftp://127.0.0.1/token", "file://{}?service=x"])
def test_a_registry_cannot_name_a_file_as_its_token(address: str, tmp_path: Path) -> None:
    """The text of a file of this machine would be sent to it."""
    (tmp_path / "login.json").write_text('{"token": "of somebody"}')
    with serve({}) as server:
        server.faults = Faults(bearer="x", realm=address.format(tmp_path / "login.json"))
        repository = BlobRepository(f"oci://{server.url.removeprefix('http://')}/team/blobs", http=Http(environment={}))
        with pytest.raises(NetworkError, match="as its server for tokens, expected http"):
            repository.download(Sha256.of(b"blob"), io.BytesIO())
        assert not any("of somebody" in str(request) for request in server.requests)


def test_what_a_script_built_comes_along(
    project: Project, registries: Registries, cli: Command, tmp_path: Path
) -> None:
    """The archive of a recipe's script is in the bundle: the other machine runs no script, nor may it."""
    project.write(
        "recipes/built/recipe.yaml",
        "package: {name: built, version: '1.0'}\n"
        "build: {script: [mkdir -p $PREFIX/share, echo built > $PREFIX/share/built]}\n",
    )
    project.spec(
        "demo", 'python: "3.11"\nplatforms: {linux-64: {glibc: "2.36"}}\ndependencies: [built]\npypi: [eggs <2]\n'
    )
    cli("lock").succeeded()
    cli("bundle", "--no-tools", "--output", str(tmp_path / "one.tar")).succeeded()
    assert any(title.startswith("channel/linux-64/built-1.0-") for title in titles(tmp_path / "one.tar"))
    registries.server.content = {}
    away = replace(cli, variables={**cli.variables, "ENVGEN_CACHE": str(tmp_path / "other-cache")})
    own = ("--offline", "--bundle", str(tmp_path / "one.tar"))
    away("create", "-p", str(tmp_path / "env"), "--no-build", *own).succeeded()
    assert (tmp_path / "env/share/built").read_text() == "built\n"
    third = replace(cli, variables={**cli.variables, "ENVGEN_CACHE": str(tmp_path / "cache-3")})
    third("bundle", "--no-tools", "--output", str(tmp_path / "two.tar"), *own).succeeded()
    assert digest(tmp_path / "one.tar") == digest(tmp_path / "two.tar")
