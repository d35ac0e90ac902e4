"""`envgen publish`: packages go to a channel, whole and never over others, and are taken from there."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import rattler

from envgen.structs import replace
from tests.builders.registry import PROGRAM, SKOPEO, registry
from tests.builders.tls import behind_tls
from tests.command import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders.bucket import Bucket
    from tests.command import Command, Project

needs_registry = pytest.mark.skipif(
    not (PROGRAM and SKOPEO), reason="docker-registry and skopeo (Debian packages) are not installed"
)


def other(cli: Command, tmp_path: Path, name: str, **variables: str) -> Command:
    """Run on a machine with an empty cache."""
    return replace(cli, variables={**cli.variables, "ENVGEN_CACHE": str(tmp_path / name), **variables})


def test_a_folder_serves_other_tools(locked: Project, cli: Command, tmp_path: Path) -> None:
    """py-rattler solves and installs from the channel alone; a second run sends nothing."""
    channel = tmp_path / "channel"
    first = cli("publish", "--to", str(channel), "--json").succeeded().json()
    assert {package["sent"] for package in first["packages"]} == {True}
    for package in first["packages"]:
        assert hashlib.sha256((channel / package["file"]).read_bytes()).hexdigest() == package["sha256"]
    names = {path.name for path in (channel / "linux-64").iterdir()}
    assert {"repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst"} <= names
    prefix = tmp_path / "env"
    asyncio.run(install(channel, prefix, tmp_path / "rattler"))
    assert (prefix / "bin/spam").is_file()
    again = cli("publish", "--to", channel.as_uri(), "--json").succeeded().json()
    assert {package["sent"] for package in again["packages"]} == {False}
    written = {package["file"] for package in first["packages"]}
    assert {path.relative_to(channel).as_posix() for path in channel.rglob("*.conda")} == written


async def install(channel: Path, prefix: Path, cache: Path) -> None:
    records = await rattler.solve(
        sources=[rattler.Channel(channel.as_uri())],
        specs=["spam"],
        platforms=["linux-64", "noarch"],
        virtual_packages=[_virtual(name) for name in ("__glibc", "__unix", "__linux")],
        gateway=rattler.Gateway(cache_dir=cache),
    )
    await rattler.install(records, prefix, cache_dir=cache, show_progress=False)


def _virtual(name: str) -> rattler.GenericVirtualPackage:
    return rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version("2.36"), rattler.BuildString("0"))


def test_another_machine_builds_nothing(locked: Project, cli: Command, tmp_path: Path) -> None:
    channel = tmp_path / "channel"
    cli("publish", "--to", str(channel)).succeeded()
    away = other(cli, tmp_path, "cache-2", ENVGEN_CHANNEL=str(channel), ENVGEN_DEBIAN="http://127.0.0.1:1")
    away.variables["ENVGEN_DEBIAN_SECURITY"] = "http://127.0.0.1:1"
    away("create", "-p", str(tmp_path / "env")).succeeded()
    record = json.loads(next((tmp_path / "env/conda-meta").glob("python-3*.json")).read_text())
    assert record["url"].startswith(f"{channel.as_uri()}/linux-64/python-3")
    assert (channel / "linux-64" / record["fn"]).is_file()


def test_other_bytes_are_not_overwritten(locked: Project, cli: Command, tmp_path: Path) -> None:
    """All conflicts are found before the first archive is sent."""
    channel = tmp_path / "channel"
    told = cli("publish", "--to", str(channel), "--json").succeeded().json()
    theirs = channel / next(one["file"] for one in told["packages"] if "spam" in one["file"])
    ours = hashlib.sha256(theirs.read_bytes()).hexdigest()
    theirs.write_bytes(b"other")
    gone = channel / next(one["file"] for one in told["packages"] if "eggs" in one["file"])
    gone.unlink()
    outcome = cli("publish", "--to", str(channel))
    assert outcome.code == 5
    assert ours in outcome.err
    assert hashlib.sha256(b"other").hexdigest() in outcome.err
    assert theirs.read_bytes() == b"other"
    assert not gone.exists()


def packed_otherwise(patch: pytest.MonkeyPatch) -> None:
    """Write archives as another release of zstd does."""
    patch.setattr("envgen.convert.conda_archive._LEVEL", 12)
    patch.setattr("zstandard.ZSTD_VERSION", (9, 9, 9))


@pytest.mark.parametrize(
    "kind", ["folder", pytest.param("bucket", marks=pytest.mark.filterwarnings("ignore")), "registry"]
)
def test_the_same_files_in_other_bytes_stay(
    kind: str, locked: Project, cli: Command, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The channel's archive is what the result, the index and other machines have."""
    with ExitStack() as stack:
        if kind == "bucket":
            request.getfixturevalue("bucket")
        if kind == "registry" and not (PROGRAM and SKOPEO):
            pytest.skip("docker-registry and skopeo (Debian packages) are not installed")
        address = stack.enter_context(registry(tmp_path / "registry")) if kind == "registry" else ""
        to = {"folder": str(tmp_path / "channel"), "bucket": "s3://team/channel", "registry": f"oci://{address}/team/c"}
        first = cli("publish", "--to", to[kind], "--json").succeeded().json()["packages"]
        packed_otherwise(stack.enter_context(pytest.MonkeyPatch.context()))
        again = cli("publish", "--to", to[kind], "--json").succeeded()
    kept = [{**package, "sent": False} for package in first]
    assert again.json()["packages"] == kept
    said = "content matches; only the archive's compression differs, the one in the channel stays"
    assert again.err.count(said) >= 1


def test_two_publishers_lose_nothing(project: Project, cli: Command, tmp_path: Path) -> None:
    channel = tmp_path / "channel"
    for name, wheel in (("one", "spam ==1.0"), ("two", "ham")):
        project.spec(name, f'python: "3.11"\nplatforms: {{linux-64: {{glibc: "2.36"}}}}\npypi: [{wheel}]\n')
        cli("lock", name).succeeded()
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda name: cli.process("publish", name, "--to", str(channel)), ("one", "two")))
    assert [outcome.code for outcome in done] == [0, 0], [outcome.err for outcome in done]
    listed = json.loads((channel / "linux-64/repodata.json").read_text())["packages.conda"]
    archives = {path.name for path in (channel / "linux-64").glob("*.conda")}
    assert set(listed) == archives
    assert {name.split("-")[0] for name in archives} >= {"spam", "ham"}


def test_what_the_spec_denies_is_not_published(locked: Project, cli: Command, tmp_path: Path) -> None:
    text = (locked.root / "environments/demo.yaml").read_text()
    locked.write("environments/demo.yaml", text + "licenses: {packages: {spam: GPL-3.0-only}, deny: [GPL-3.0-only]}\n")
    cli("lock").succeeded()
    outcome = cli("publish", "--to", str(tmp_path / "channel"))
    assert (outcome.code, "spam 1.0" in outcome.err) == (1, True)
    assert not (tmp_path / "channel").exists()


@pytest.mark.parametrize(
    ("to", "code", "said"),
    [
        ("ftp://x/y", 1, "cannot publish"),
        ("https://u:secret@x/y", 1, "cannot publish to 'https://***@x/y'"),
        ("s3://team/x", 1, "s3"),
        ("oci://", 1, "expected `oci://REGISTRY/PATH`, got 'oci:'"),
        ("oci://team", 1, "expected `oci://REGISTRY/PATH`, got 'oci://team'"),
        ("oci://u:secret@127.0.0.1/x", 1, "got 'oci://***@127.0.0.1/x'"),
        ("oci://127.0.0.1/x:tag", 1, "expected `oci://REGISTRY/PATH`"),
        ("/proc/no", 1, "/proc/no"),
        ("", 2, "`--to` is empty"),
    ],
)
def test_where_nothing_can_be_published(to: str, code: int, said: str, locked: Project, cli: Command) -> None:
    outcome = cli("publish", "--to", to)
    assert outcome.code == code, outcome.err
    assert said in outcome.err
    assert not {"Traceback", "secret"} & set(outcome.err.replace(":", " ").replace("@", " ").split())


@pytest.mark.parametrize(
    "put",
    [lambda path: path.symlink_to("/nowhere/x"), os.mkfifo, lambda path: path.mkdir()],
    ids=["link", "pipe", "folder"],
)
def test_what_is_in_the_way_of_an_archive(
    put: Callable[[Path], object], locked: Project, cli: Command, tmp_path: Path
) -> None:
    """It is named, and nothing is sent; a link that leads nowhere is not an archive that is there."""
    sent = cli("publish", "--to", str(tmp_path / "first"), "--json").succeeded().json()
    path = tmp_path / "second" / sent["packages"][0]["file"]
    path.parent.mkdir(parents=True)
    put(path)
    outcome = cli("publish", "--to", str(tmp_path / "second"))
    assert (outcome.code, f"`{path}` is in the way" in outcome.err) == (1, True), outcome.err
    assert [one.name for one in (tmp_path / "second").rglob("*.conda")] == [path.name]


@pytest.mark.filterwarnings("ignore")
def test_a_bucket(locked: Project, cli: Command, bucket: Bucket) -> None:
    client = bucket.client
    told = cli("publish", "--to", "s3://team/channel", "--json").succeeded().json()
    keys = {entry["Key"] for entry in client.list_objects_v2(Bucket="team")["Contents"]}
    assert {f"channel/{package['file']}" for package in told["packages"]} <= keys
    assert {f"channel/linux-64/repodata{end}" for end in (".json", ".json.zst", "_shards.msgpack.zst")} <= keys
    raw = client.get_object(Bucket="team", Key="channel/linux-64/repodata.json")["Body"].read()
    subdir = {package["file"].split("/")[1] for package in told["packages"] if package["file"].startswith("linux-64")}
    assert set(json.loads(raw)["packages.conda"]) == subdir
    again = cli("publish", "--to", "s3://team/channel", "--json").succeeded().json()
    assert {package["sent"] for package in again["packages"]} == {False}
    path = next(package["file"] for package in told["packages"] if "spam" in package["file"])
    client.put_object(Bucket="team", Key=f"channel/{path}.sha256", Body=b"0" * 64)
    outcome = cli("publish", "--to", "s3://team/channel")
    assert (outcome.code, "0" * 64 in outcome.err) == (5, True)
    assert cli("publish", "--to", "s3://nowhere/channel").code == 4


@needs_registry
def test_a_registry(locked: Project, cli: Command, tmp_path: Path) -> None:
    """Another machine takes what recipes make from there; the index lists everything, also after a second publisher."""
    with registry(tmp_path / "registry") as address:
        channel = f"oci://{address}/team/channel"
        told = cli("publish", "--to", channel, "--json").succeeded().json()
        assert {package["sent"] for package in told["packages"]} == {True}
        away = other(cli, tmp_path, "cache-2", ENVGEN_CHANNEL=channel, ENVGEN_DEBIAN="http://127.0.0.1:1")
        away.variables["ENVGEN_DEBIAN_SECURITY"] = "http://127.0.0.1:1"
        away("create", "-p", str(tmp_path / "env")).succeeded()
        again = cli("publish", "--to", channel, "--json").succeeded().json()
        assert {package["sent"] for package in again["packages"]} == {False}
        from envgen.oci.push import Reference, fetch_manifest

        index = Reference.parse(f"{address}/team/channel/linux-64/repodata.json")
        manifest = fetch_manifest(index, ":latest", cli.variables)
    assert manifest
    assert [layer["mediaType"] for layer in manifest["layers"]] == [
        "application/vnd.conda.repodata.v1+json",
        "application/vnd.conda.repodata.v1+json+zst",
    ]


RATTLER = """\
import asyncio, os, sys
import rattler
from rattler.networking import Client, OciMiddleware

async def install(channel, prefix, cache):
    client = Client([OciMiddleware()])
    names = ("__glibc", "__unix", "__linux")
    virtual = [rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version("2.36"),
                                             rattler.BuildString("0")) for name in names]
    records = await rattler.solve(
        sources=[rattler.Channel(channel)], specs=["spam"], platforms=["linux-64", "noarch"], virtual_packages=virtual,
        gateway=rattler.Gateway(cache_dir=cache, client=client),
    )
    await rattler.install(records, prefix, cache_dir=cache, client=client, show_progress=False)

asyncio.run(install(*sys.argv[1:]))
print("installed", flush=True)
os._exit(0)
"""
"""Installs `spam` from a channel into a prefix, with a cache of its own.

It leaves without ending the interpreter: a thread of rattler's runtime may still be releasing the interpreter's lock
then, and the process ends by signal 6 or 11 (3 of 100 runs on a busy machine, each after the last line).
"""


@needs_registry
def test_rattler_installs_from_a_registry(locked: Project, cli: Command, tmp_path: Path) -> None:
    """Over TLS, by its own reader of `oci://`, with the test's authority."""
    with registry(tmp_path / "registry") as address, behind_tls(address, tmp_path / "tls") as tls:
        told = cli("publish", "--to", f"oci://{address}/team/channel", "--json").succeeded().json()
        prefix, cache = tmp_path / "env", tmp_path / "rattler"
        done = subprocess.run(
            [sys.executable, "-c", RATTLER, "oci://localhost/team/channel", prefix, cache],
            env={"SSL_CERT_FILE": str(tls.authority), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
    assert (done.returncode, done.stdout) == (0, "installed\n"), done.stderr
    assert (prefix / "bin/spam").is_file()
    fetched = {path.rpartition(":")[2] for path in tls.asked if "/blobs/" in path}
    assert {one["sha256"] for one in told["packages"]} <= fetched


def test_the_paths_of_packages_are_found_when_they_are_made(locked: Project, cli: Command, tmp_path: Path) -> None:
    cli("publish", "--to", str(tmp_path / "channel")).succeeded()  # links nothing
    store = Path(cli.variables["ENVGEN_CACHE"])
    linking = {path.name for path in (store / "cache/linking").rglob("*") if path.is_file()}
    made = {folder.name for folder in (store / "packages").iterdir() if not folder.name.startswith("python")}
    assert made
    assert linking >= made  # `lock` made the others
