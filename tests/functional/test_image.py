"""`envgen image`: a valid image, the same anywhere, and little work when little changed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envgen.image.blobs import LayerCache
from envgen.oci.push import Reference, fetch_manifest
from envgen.oci.verify import Limits, check_layout
from tests.builders.registry import PROGRAM, SKOPEO, line, registry
from tests.builders.server import Faults
from tests.builders.system import base_debs
from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}, linux-aarch64: {glibc: "2.36"}}
pypi: [spam ==1.0, eggs <2]
image: {base: {suites: [bookworm, bookworm-security]}}
"""
LIMITS = Limits(layers=60, size=2 * 10**9)
BASE, PYTHON, REST, SETUP = range(4)
"""The layers of `SPEC`."""

needs_registry = pytest.mark.skipif(
    not (PROGRAM and SKOPEO), reason="docker-registry and skopeo (Debian packages) are not installed"
)


@pytest.fixture
def imaged(project: Project, registries: Registries, cli: Command) -> Project:
    """Lock an environment with an image."""
    for architecture in ("amd64", "arm64"):
        registries.debian.add(*base_debs(architecture))
    registries.publish()
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    return project


def make(cli: Command, *arguments: str) -> Any:
    """Make the image, for x86-64 where nothing else is said, and return what `--json` tells."""
    chosen = arguments if "--platform" in arguments else ("--platform", "linux-64", *arguments)
    return cli("image", "--json", *chosen).succeeded().json()


def digests(told: Any) -> list[str]:
    return [layer["digest"] for layer in told["images"][0]["layers"]]


def plan(cli: Command) -> list[bool]:
    """Return whether each layer is already there."""
    told = cli("image", "--plan", "--json", "--platform", "linux-64").succeeded().json()
    return [layer["cached"] for layer in told[0]["layers"]]


def test_a_platform_without_a_lock(imaged: Project, cli: Command) -> None:
    """As in a project that came out of the bundle of one platform."""
    (imaged.root / "locks/demo.linux-aarch64.conda-lock.yml").unlink()
    outcome = cli("image")
    assert outcome.code == 1
    assert "`demo` has no lock for linux-aarch64" in outcome.err
    assert "`envgen image demo --platform linux-64`" in outcome.err


def test_an_image_of_two_platforms(imaged: Project, cli: Command) -> None:
    outcome = cli("image").succeeded()
    layout = imaged.root / "dist/demo.oci"
    assert check_layout(layout, limits=LIMITS) == ()
    index = json.loads((layout / "index.json").read_bytes())
    assert outcome.out.strip() == index["manifests"][0]["digest"]
    inner = json.loads((layout / "blobs/sha256" / outcome.out.strip()[7:]).read_bytes())
    assert [entry["platform"]["architecture"] for entry in inner["manifests"]] == ["amd64", "arm64"]


def test_verify_reads_everything_again(imaged: Project, cli: Command) -> None:
    digest = cli("image", "--platform", "linux-64", "--verify").succeeded().out
    blobs = imaged.root / "dist/demo.oci/blobs/sha256"
    blob = next(path for path in sorted(blobs.iterdir()) if path.stat().st_nlink > 1)  # a layer
    blob.chmod(0o644)
    with blob.open("r+b") as out:  # a bad disk: the store's own copy is the same file
        out.seek(blob.stat().st_size // 2)
        out.write(b"spoilt")
    outcome = cli("image", "--platform", "linux-64", "--verify").succeeded()
    assert blob.name in outcome.err
    assert outcome.out == digest
    assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_every_compression_is_valid(imaged: Project, cli: Command, compression: str) -> None:
    told = make(cli, "--compression", compression)
    assert check_layout(imaged.root / "dist/demo.oci", limits=LIMITS) == ()
    gzipped = make(cli)
    assert [layer["diff_id"] for layer in told["images"][0]["layers"]] == [
        layer["diff_id"] for layer in gzipped["images"][0]["layers"]
    ]


def test_the_same_image_anywhere(imaged: Project, cli: Command, tmp_path: Path) -> None:
    """Made twice: with another umask, time zone, locale, home, folder and cache."""
    first = cli.process("image", umask=0o022).succeeded().out
    shutil.copytree(imaged.root, tmp_path / "elsewhere/project")
    variables = {"HOME": str(tmp_path), "ENVGEN_CACHE": str(tmp_path / "new-cache"), "TZ": "Asia/Kathmandu"}
    place = tmp_path / "elsewhere/project"
    shutil.rmtree(place / "dist")
    second = cli.process("image", cwd=place, umask=0o077, LC_ALL="C", USER="somebody", **variables).succeeded().out
    assert second == first
    trees = [
        {path.name: path.read_bytes() for path in (folder / "dist/demo.oci").rglob("*") if path.is_file()}
        for folder in (imaged.root, place)
    ]
    assert trees[0] == trees[1]


def test_an_image_is_not_made_twice(imaged: Project, cli: Command) -> None:
    first = make(cli)
    assert plan(cli) == [True] * 4
    blobs = {path: path.stat() for path in (imaged.root / "dist/demo.oci/blobs/sha256").iterdir()}
    assert make(cli) == first
    after = {path: path.stat() for path in (imaged.root / "dist/demo.oci/blobs/sha256").iterdir()}
    layers = {digest[7:] for digest in digests(first)}
    assert {p.name: s.st_ino for p, s in blobs.items() if p.name in layers} == {
        p.name: s.st_ino for p, s in after.items() if p.name in layers
    }


def test_a_package_that_changes_costs_its_layer(imaged: Project, registries: Registries, cli: Command) -> None:
    before = digests(make(cli))
    registries.index.add(wheel_filename("eggs", "1.2"), make_wheel("eggs", "1.2", files={"eggs.py": "version = 3\n"}))
    registries.publish()
    cli("lock", "--upgrade", "eggs").succeeded()
    cli("create").succeeded()
    assert plan(cli) == [True, True, False, True]
    after = digests(make(cli))
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, True]


def test_diff_tells_the_layers_of_images_that_were_made(
    imaged: Project, registries: Registries, cli: Command, tmp_path: Path
) -> None:
    shutil.copytree(imaged.root / "locks", tmp_path / "old")
    before = make(cli)
    registries.index.add(wheel_filename("eggs", "1.2"), make_wheel("eggs", "1.2", files={"eggs.py": "version = 3\n"}))
    registries.publish()
    cli("lock", "--upgrade", "eggs").succeeded()
    question = ("diff", str(tmp_path / "old"), "locks", "--platform", "linux-64")
    assert "exact layers and sizes are unknown" in cli(*question).succeeded().out
    after = make(cli)
    (told,) = cli(*question, "--json").succeeded().json()["differences"]
    assert [layer["digest"] for layer in told["image"]["gone"]] == [digests(before)[REST]]
    assert [layer["digest"] for layer in told["image"]["new"]] == [digests(after)[REST]]
    assert told["image"]["kept"] == 3
    assert told["image"]["after"] == sum(layer["size"] for layer in after["images"][0]["layers"])
    (tmp_path / "old/demo.linux-64.debian-lock.yml").unlink()
    (told,) = cli(*question, "--json").succeeded().json()["differences"]
    assert (told["image"]["before"], told["image"]["kept"], len(told["image"]["new"])) == (0, 0, 4)


def test_environments_share_layers(imaged: Project, cli: Command) -> None:
    before = digests(make(cli))
    imaged.spec("other", SPEC.replace("spam ==1.0, ", ""))
    cli("lock", "other").succeeded()
    after = digests(make(cli, "other"))
    assert after[BASE] == before[BASE]
    assert after[PYTHON] == before[PYTHON]
    assert after[REST] != before[REST]


@needs_registry
def test_environments_share_a_large_package_and_its_blob(
    imaged: Project, registries: Registries, cli: Command, tmp_path: Path
) -> None:
    """What is pushed second sends its own layers alone, under another tag of the same name."""
    noise = {"stack/weights.bin": random.Random(5).randbytes(6_000_000)}  # noqa: S311  a test
    registries.index.add(wheel_filename("stack"), make_wheel("stack", files=noise))
    registries.publish()
    imaged.spec("demo", SPEC.replace("[spam", "[stack, spam"))
    imaged.spec("other", SPEC.replace("[spam ==1.0, ", "[stack, "))
    for name in ("demo", "other"):
        cli("lock", name).succeeded()
    with registry(tmp_path / "registry") as address, line(address) as wire:
        first, all_of_it = digests(make(cli, "demo", "--push", f"{wire.address}/team/image:demo")), wire.sent
        second = digests(make(cli, "other", "--push", f"{wire.address}/team/image:other"))
        assert all_of_it > 6_000_000
        assert wire.sent - all_of_it < 200_000
    assert first[:3] == second[:3]  # base, Python and the large package; the last layer knows the environment's name


def test_the_bill_of_materials_stands_beside_the_image(imaged: Project, cli: Command) -> None:
    plain = make(cli, "--no-sbom")
    assert plain["images"][0]["sbom"] is None
    told = make(cli)
    assert (told["digest"], digests(told)) == (plain["digest"], digests(plain))
    file = imaged.root / "dist/demo.linux-64.cdx.json"
    assert told["images"][0]["sbom_file"] == str(file)
    text = file.read_text()
    assert text == cli("export", "cyclonedx", "--platform", "linux-64").succeeded().out
    assert {"spam", "eggs", "python"} <= {component["name"] for component in json.loads(text)["components"]}
    make(cli, "--no-sbom")
    assert not file.exists()


def test_an_image_is_described_by_the_lock_it_is_made_from(
    imaged: Project, cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody locks again while layers are written: neither the bill of materials nor `diff` mixes the two."""
    shutil.copytree(imaged.root / "locks", tmp_path / "old")
    described = cli("export", "cyclonedx", "--platform", "linux-64").succeeded().out
    other = SPEC.replace("spam ==1.0", "spam ==1.1, ham")
    imaged.spec("demo", other)
    cli("lock").succeeded()
    shutil.copytree(imaged.root / "locks", tmp_path / "new")
    imaged.spec("demo", SPEC)
    _replace(imaged.root / "locks", tmp_path / "old")
    write = LayerCache.make

    def disturbed(*arguments: Any, **named: Any) -> Any:
        imaged.spec("demo", other)
        _replace(imaged.root / "locks", tmp_path / "new")
        return write(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(LayerCache, "make", disturbed)
        told = make(cli)
    assert Path(told["images"][0]["sbom_file"]).read_text() == described
    question = ("diff", str(tmp_path / "old"), str(tmp_path / "new"), "--platform", "linux-64", "--json")
    assert cli(*question).succeeded().json()["differences"][0]["image"] is None  # of the new lock there is no image
    make(cli)
    (difference,) = cli(*question).succeeded().json()["differences"]
    assert {layer["digest"] for layer in difference["image"]["gone"]} <= set(digests(told))


def _replace(folder: Path, by: Path) -> None:
    for path in by.iterdir():
        shutil.copy(path, folder)


@needs_registry
def test_a_push_takes_the_bill_of_materials_along(imaged: Project, cli: Command, tmp_path: Path) -> None:
    with registry(tmp_path / "registry") as address:
        told = make(cli, "--push", f"{address}/team/demo:1")
        subject, bill = told["images"][0]["digest"], told["images"][0]["sbom"]
        found = fetch_manifest(Reference.parse(f"{address}/team/demo"), f":{subject.replace(':', '-')}", cli.variables)
        assert found
        assert [entry["digest"] for entry in found["manifests"]] == [bill]


def test_what_the_spec_denies_is_not_pushed(imaged: Project, cli: Command) -> None:
    text = (imaged.root / "environments/demo.yaml").read_text()
    imaged.write("environments/demo.yaml", text + "licenses: {packages: {spam: GPL-3.0-only}, deny: [GPL-3.0-only]}\n")
    cli("lock").succeeded()
    refused = cli("image", "--push", "127.0.0.1:1/team/demo:1")
    assert (refused.code, "spam 1.0" in refused.err) == (1, True)
    assert not (imaged.root / "dist").exists()
    make(cli)


def test_an_image_is_as_old_as_its_youngest_wheel(imaged: Project, cli: Command) -> None:
    def created(told: Any) -> str:
        blobs = imaged.root / "dist/demo.oci/blobs/sha256"
        manifest = json.loads((blobs / told["digest"][7:]).read_bytes())
        config = json.loads((blobs / manifest["config"]["digest"][7:]).read_bytes())
        assert manifest["annotations"]["org.opencontainers.image.created"] == config["created"]
        return str(config["created"])

    new = make(cli)
    assert created(new) == "2026-01-02T03:04:05Z"
    # a lock from before the date was recorded has that of Debian
    lock = imaged.root / "locks/demo.linux-64.conda-lock.yml"
    lines = lock.read_text().splitlines(keepends=True)
    lock.write_text("".join(line for line in lines if "newest-upload" not in line))
    cli("lock", "--check").succeeded()
    old = make(cli)
    assert created(old) > "2026-01-02"
    assert digests(old) == digests(new)
    cli("lock", "--refresh").succeeded()
    assert lock.read_text().splitlines(keepends=True) == lines


def test_a_plan_writes_nothing(imaged: Project, cli: Command) -> None:
    outcome = cli("image", "--plan").succeeded()
    assert "linux-64: 2 packages not in the store" in outcome.err
    cli("create").succeeded()
    outcome = cli("image", "--plan", "--platform", "linux-64").succeeded()
    assert "to write" in outcome.out
    assert "Debian base" in outcome.out
    assert not (imaged.root / "dist").exists()


def test_a_guessed_size_is_told_as_one(imaged: Project, cli: Command) -> None:
    words = ("image", "--platform", "linux-64")
    assert " layers, about " in cli(*words).succeeded().err  # the base has not been unpacked yet
    assert " layers, about " not in cli(*words).succeeded().err


def test_files_of_wheels_are_wanted_again_where_they_are_gone(imaged: Project, cli: Command) -> None:
    cli("create").succeeded()
    for path in (imaged.root.parent / "home/cache/artifacts").glob("*/*"):
        path.unlink()
    make(cli)
    assert check_layout(imaged.root / "dist/demo.oci", limits=LIMITS) == ()


def test_output_and_archive(imaged: Project, cli: Command, tmp_path: Path) -> None:
    told = make(cli, "--output", "here", "--archive", str(tmp_path / "image.tar"))
    assert told["layout"] == str(imaged.root / "here")
    assert check_layout(imaged.root / "here", limits=LIMITS) == ()
    assert (tmp_path / "image.tar").stat().st_size > 10_000


def test_a_killed_run_leaves_the_old_image(imaged: Project, cli: Command) -> None:
    first = make(cli)
    (imaged.root / "dist/demo.oci/blobs/sha256/.tmp-left").write_text("half a blob")
    assert make(cli) == first
    assert check_layout(imaged.root / "dist/demo.oci", limits=LIMITS) == ()


def test_a_file_that_would_remove_another_is_refused(imaged: Project, registries: Registries, cli: Command) -> None:
    raw = make_wheel("zed", files={"shared/.wh.rules.txt": "z"})
    registries.index.add(wheel_filename("zed"), raw)
    registries.publish(Faults(ranges=False))  # then `lock` cannot see it before the wheel is here
    imaged.spec("demo", SPEC.replace("spam ==1.0", "zed"))
    cli("lock").succeeded()
    path = "lib/python3.11/site-packages/shared/.wh.rules.txt"
    for command, told in (
        (("image", "--platform", "linux-64"), f"`zed` contains `opt/env/{path}`"),
        (("lock", "--refresh"), path),
    ):
        refused = cli(*command)
        assert (refused.code, told in refused.err) == (1, True), refused.err
    imaged.spec("demo", SPEC.partition("image:")[0].replace("spam ==1.0", "zed"))
    cli("lock").succeeded()


REFUSED = [
    (SPEC.partition("image:")[0], (), 1, "has no `image`"),
    (SPEC, ("--platform", "osx-arm64"), 1, "does not support osx-arm64"),
    (SPEC.replace("eggs <2", "eggs <1.1"), (), 1, "is out of date"),
    (SPEC.replace("{suites", "{packages: [git], suites"), (), 1, "`image.base.packages` contains `git`, the base was"),
    (SPEC.replace("{suites", "{exclude: [g++], suites"), (), 1, "`image.base.exclude` contains `g++`, the base was"),
    (SPEC.replace("[bookworm, ", "["), (), 1, "`image.base.suites` does not contain `bookworm`, the base was"),
    (SPEC, ("--push", "torch"), 1, "expected REGISTRY/NAME:TAG"),
    (SPEC, ("--compression", "xz"), 2, "`xz` is not one of"),
    (SPEC, ("--output", "environments"), 1, "is neither empty nor an OCI layout"),
]


@pytest.mark.parametrize("case", REFUSED, ids=[case[-1] for case in REFUSED])
def test_what_cannot_be_is_refused(imaged: Project, cli: Command, case: tuple[str, tuple[str, ...], int, str]) -> None:
    spec, arguments, code, message = case
    imaged.spec("demo", spec)
    outcome = cli("image", *arguments)
    assert (outcome.code, message in outcome.err) == (code, True), outcome.err


def test_a_stale_base_is_taken_where_it_is_asked_for(imaged: Project, cli: Command) -> None:
    before = make(cli, "--no-sbom")
    imaged.spec("demo", SPEC.replace("{suites", "{packages: [git], suites"))
    assert digests(make(cli, "--no-sbom", "--frozen")) == digests(before)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(imaged: Project, cli: Command) -> None:
    (imaged.root / "dist").mkdir(mode=0o555)
    outcome = cli("image", "--platform", "linux-64")
    assert outcome.code == 1
    assert "failed to write" in outcome.err
