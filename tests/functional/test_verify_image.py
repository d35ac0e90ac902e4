"""`envgen verify` of images: coherent layouts whose content is not what the lock says."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders.registry import PROGRAM, SKOPEO, registry
from tests.builders.system import base_debs
from tests.functional.test_image import SPEC
from tests.functional.test_verify import found

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders.registries import Registries
    from tests.command import Command, Project

PREFIX = "opt/env"
EGGS = f"{PREFIX}/lib/python3.11/site-packages/eggs.py"
BASE = "etc/nsswitch.conf"
ONE = SPEC.replace(', linux-aarch64: {glibc: "2.36"}', "")

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def imaged(project: Project, registries: Registries, cli: Command) -> Project:
    """Lock an environment with an image for one platform."""
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    project.spec("demo", ONE)
    cli("lock").succeeded()
    return project


@pytest.fixture
def layout(imaged: Project, cli: Command) -> Path:
    """Write the image, and return a copy that is not linked to the store."""
    cli("image").succeeded()
    return shutil.copytree(imaged.root / "dist/demo.oci", imaged.root / "copy")


class Image:
    """An image in a layout, to be changed so that all of its own digests fit afterwards."""

    def __init__(self, layout: Path) -> None:
        self.layout = layout
        self.index = json.loads((layout / "index.json").read_bytes())
        self.manifest = self.take(self.index["manifests"][0])
        self.config = self.take(self.manifest["config"])

    def blob(self, descriptor: Any) -> Path:
        return self.layout / "blobs/sha256" / str(descriptor["digest"]).removeprefix("sha256:")

    def take(self, descriptor: Any) -> Any:
        data = self.blob(descriptor).read_bytes()
        self.blob(descriptor).unlink()
        return json.loads(data)

    def put(self, descriptor: Any, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        descriptor |= {"digest": f"sha256:{digest}", "size": len(data)}
        self.blob(descriptor).write_bytes(data)

    def edit(self, path: str, change: Callable[[Members, int], object]) -> None:
        """Change the members of the layer that has a path, which is told by its place among them."""
        for number, layer in enumerate(self.manifest["layers"]):
            with tarfile.open(self.blob(layer)) as tar:
                members = [(m, tar.extractfile(m).read() if m.isreg() else b"") for m in tar]  # type: ignore[union-attr]  # a file
            places = [place for place, (member, _) in enumerate(members) if member.name == path]
            if not places:
                continue
            change(members, places[0])
            self.blob(layer).unlink()
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for member, data in members:
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
            self.put(layer, gzip.compress(out.getvalue(), mtime=0))
            self.config["rootfs"]["diff_ids"][number] = f"sha256:{hashlib.sha256(out.getvalue()).hexdigest()}"
            self.close()
            return
        raise AssertionError(path)

    def close(self) -> None:
        self.put(self.manifest["config"], json.dumps(self.config).encode())
        self.put(self.index["manifests"][0], json.dumps(self.manifest).encode())
        (self.layout / "index.json").write_text(json.dumps(self.index))


def other_byte(members: Members, at: int) -> None:
    member, data = members[at]
    members[at] = (member, data.swapcase())


def extra_file(members: Members, at: int) -> None:
    more = tarfile.TarInfo(f"{PREFIX}/lib/python3.11/site-packages/evil.pth")
    more.mtime = members[at][0].mtime
    members.append((more, b"import evil"))


def other_mode(members: Members, at: int) -> None:
    members[at][0].mode = 0o4755


def other_link(members: Members, at: int) -> None:
    members[at][0].linkname = "/bin/sh"


def removed(members: Members, at: int) -> None:
    del members[at]


CASES: dict[str, tuple[str, Callable[[Members, int], object], list[tuple[str, str]]]] = {
    "one byte": (EGGS, other_byte, [("changed", f"/{EGGS}")]),
    "an extra file": (EGGS, extra_file, [("foreign", f"/{PREFIX}/lib/python3.11/site-packages/evil.pth")]),
    "a mode": (EGGS, other_mode, [("mode", f"/{EGGS}")]),
    "a link": (f"{PREFIX}/bin/python", other_link, [("link", f"/{PREFIX}/bin/python")]),
    "a missing file": (EGGS, removed, [("missing", f"/{EGGS}")]),
    "a byte of the base": (BASE, other_byte, [("changed", f"/{BASE}")]),
}


def test_a_sound_image_equals_the_environment(layout: Path, cli: Command) -> None:
    told = cli("verify", str(layout)).succeeded()
    assert "comparing the OCI layout" in told.err
    assert "`/opt/env` equals the environment that `create` makes of this lock" in told.err
    assert told.out == ""
    assert "contents were not read" in cli("verify", str(layout), "--quick").succeeded().err


def test_what_fits_itself_and_not_the_lock(layout: Path, cli: Command) -> None:
    for name, (path, change, told) in CASES.items():
        copy = shutil.copytree(layout, layout.with_name(name))
        Image(copy).edit(path, change)
        outcome = cli("verify", f"./{name}", "--json")
        assert (name, outcome.code, found(outcome)) == (name, 5, told)
        assert [kind for kind, _ in found(cli("verify", f"./{name}", "--quick", "--json"))] == ["layer"]
    assert f"/{EGGS} (eggs): sha256: expected " in cli("verify", "./one byte").out


def test_the_base_is_unpacked_where_its_entries_are_not_known(layout: Path, cli: Command) -> None:
    folder = Path(cli.variables["ENVGEN_CACHE"], "cache/image-base-entries")
    (facts,) = (path for path in folder.rglob("*") if path.is_file())
    before = facts.read_bytes()
    Image(layout).edit(BASE, other_byte)
    for content in (before, before[:-1] + b"?", None):  # as it was, damaged, missing
        facts.unlink()
        if content:
            facts.write_bytes(content)
        assert found(cli("verify", str(layout), "--json")) == [("changed", f"/{BASE}")]
        assert facts.read_bytes() == before


def test_layers_configuration_and_blobs(layout: Path, cli: Command) -> None:
    swapped = Image(shutil.copytree(layout, layout.with_name("swapped")))
    for places in (swapped.manifest["layers"], swapped.config["rootfs"]["diff_ids"]):
        places[1], places[2] = places[2], places[1]
    swapped.close()
    outcome = cli("verify", "swapped", "--json")
    assert found(outcome) == [("layer", "layer 1"), ("layer", "layer 2")]
    user = Image(shutil.copytree(layout, layout.with_name("user")))
    user.config["config"]["User"] = "0"
    user.close()
    assert found(cli("verify", "user", "--json")) == [("changed", "amd64: configuration: config")]
    blob = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    outcome = cli("verify", str(layout), "--json")
    assert outcome.code == 5
    assert ("damage", "sha256") in {(kind, where.partition(":")[0]) for kind, where in found(outcome)}


def test_without_the_packages_it_is_not_proven(layout: Path, cli: Command, tmp_path: Path) -> None:
    told = cli("verify", str(layout), ENVGEN_CACHE=str(tmp_path / "empty")).succeeded()
    assert "not proven" in told.err
    assert "`envgen image` fetches the packages" in told.err
    assert "equals the environment" not in told.err


def test_an_image_as_one_tar(imaged: Project, cli: Command) -> None:
    cli("image", "--archive", "demo.tar").succeeded()
    told = cli("verify", "demo.tar").succeeded()
    assert "comparing the OCI layout" in told.err
    assert "equals the environment" in told.err


@pytest.mark.skipif(not (PROGRAM and SKOPEO), reason="docker-registry and skopeo (Debian packages) are not installed")
def test_an_image_in_a_registry(layout: Path, imaged: Project, cli: Command, tmp_path: Path) -> None:
    with registry(tmp_path / "registry") as address:
        cli("image", "--push", f"{address}/team/demo:1").succeeded()
        quick = cli("verify", f"{address}/team/demo:1", "--quick").succeeded()
        assert "manifest and configuration, digests of 4 layers (contents were not read): no difference" in quick.err
        assert "equals the environment" in cli("verify", f"{address}/team/demo:1").succeeded().err
        Image(layout).edit(EGGS, other_byte)
        push = ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}"]
        subprocess.run([*push, f"docker://{address}/team/demo:2"], check=True, env={"PATH": os.environ["PATH"]})
        quick = cli("verify", f"{address}/team/demo:2", "--quick", "--json")
        assert (quick.code, found(quick)) == (5, [("layer", "layer 2 (eggs, python_abi, spam)")])
        assert found(cli("verify", f"{address}/team/demo:2", "--json")) == [("changed", f"/{EGGS}")]
        missing = cli("verify", f"{address}/team/demo:3")
        assert (missing.code, "there is no image" in missing.err) == (1, True)
