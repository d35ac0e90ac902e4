"""A store with damaged files: whatever is wrong in it is made again, once, and said; nothing of it is used."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.builders.server import Faults
from tests.builders.system import base_debs
from tests.functional.test_image import SPEC as IMAGE_SPEC

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Outcome, Project

TOLD = "was changed or damaged"
REMOVED = "was damaged and was removed"


def store(cli: Command) -> Path:
    return cli.directory.parent / "home/cache"


def prefix(cli: Command) -> Path:
    return cli.directory.parent / "home/envs/demo"


def package(cli: Command, name: str) -> Path:
    return next((store(cli) / "packages").glob(f"{name}-*"))


def eggs(folder: Path) -> Path:
    return folder / "lib/python3.11/site-packages/eggs.py"


def spoil(path: Path, data: bytes) -> None:
    """Write into a file in place and put its time back, as a power failure or a failing disk leaves it."""
    status = path.stat()
    path.chmod(0o644)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def artifact(cli: Command, content: bytes) -> Path:
    """Find the artifact that holds some bytes."""
    return next(path for path in sorted(store(cli).glob("artifacts/*/*")) if content in path.read_bytes())


def create_twice(cli: Command, *arguments: str) -> tuple[Outcome, Outcome]:
    """Make the environment from nothing, then once more."""
    shutil.rmtree(prefix(cli), ignore_errors=True)
    first = cli("create", *arguments).succeeded()
    shutil.rmtree(prefix(cli))
    return first, cli("create", *arguments).succeeded()


@pytest.mark.parametrize("path", ["lib/python3.11/site-packages/eggs.py", "info/paths.json", "info/index.json"])
def test_an_emptied_file_of_a_package(path: str, locked: Project, cli: Command) -> None:
    cli("create").succeeded()
    good = (package(cli, "eggs") / path).read_bytes()
    spoil(package(cli, "eggs") / path, b"")
    first, second = create_twice(cli)
    assert TOLD in first.err
    assert TOLD not in second.err
    assert (package(cli, "eggs") / path).read_bytes() == good
    assert eggs(prefix(cli)).read_bytes()


def test_verify_finds_what_no_status_of_a_file_tells(locked: Project, cli: Command) -> None:
    cli("create").succeeded()
    good = eggs(prefix(cli)).read_bytes()
    spoil(eggs(package(cli, "eggs")), good.swapcase())
    shutil.rmtree(prefix(cli))
    assert TOLD in cli("create", "--verify").succeeded().err
    assert eggs(prefix(cli)).read_bytes() == good
    spoil(eggs(prefix(cli)), good.swapcase())
    outcome = cli("create", "--verify").succeeded()
    assert "eggs" in outcome.err
    assert eggs(prefix(cli)).read_bytes() == good
    assert "nothing to do" in cli("create", "--verify").succeeded().err


def test_a_list_of_files_that_cannot_be_read(locked: Project, cli: Command) -> None:
    cli("create").succeeded()
    listed = package(cli, "eggs") / "info/paths.json"
    spoil(listed, b" " * listed.stat().st_size)
    first, second = create_twice(cli)
    assert TOLD in first.err
    assert TOLD not in second.err


def test_a_flipped_bit_in_a_wheel(locked: Project, cli: Command) -> None:
    cli("create", ENVGEN_KEEP_WHEELS="1").succeeded()
    wheel = artifact(cli, b"eggs.py")
    good = wheel.read_bytes()
    spoil(wheel, good[:50] + bytes([good[50] ^ 1]) + good[51:])
    shutil.rmtree(store(cli) / "packages")
    first, second = create_twice(cli)
    assert REMOVED in first.err
    assert REMOVED not in second.err
    assert wheel.read_bytes() == good


def test_another_deb_under_a_locked_digest(locked: Project, cli: Command, registries: Registries) -> None:
    cli("create").succeeded()
    debs = [path for path in sorted(store(cli).glob("artifacts/*/*")) if path.read_bytes().startswith(b"!<arch>")]
    digests = {path: path.name for path in debs}
    for one, other in zip(debs, [*debs[1:], debs[0]], strict=True):
        shutil.copy(other, one.with_name("swap"))
    for path in debs:
        path.with_name("swap").replace(path)
    shutil.rmtree(store(cli) / "packages")
    first, _ = create_twice(cli)
    assert REMOVED in first.err
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in debs} == digests


def test_a_seal_of_another_boot(locked: Project, cli: Command) -> None:
    """The files are read once then, and what was cut short is found."""
    cli("create").succeeded()
    good = eggs(prefix(cli)).read_bytes()
    seal = package(cli, "eggs") / "info/envgen-seal.json"
    boot = seal.read_text().partition('"boot": "')[2].partition('"')[0]
    seal.write_text(seal.read_text().replace(boot, "another"))
    spoil(eggs(package(cli, "eggs")), good.swapcase())
    first, _ = create_twice(cli)
    assert TOLD in first.err
    assert eggs(prefix(cli)).read_bytes() == good


@pytest.fixture
def imaged(project: Project, registries: Registries, cli: Command) -> Project:
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    spec = IMAGE_SPEC.replace(', linux-aarch64: {glibc: "2.36"}', "")
    project.spec("demo", spec)
    cli("lock").succeeded()
    return project


def image(cli: Command) -> tuple[str, str]:
    """Make the image, verified; return its digest and what was said."""
    outcome = cli("image", "--verify").succeeded()
    return outcome.out, outcome.err


@pytest.mark.parametrize("lost", [("packages",), ("blobs",), ("packages", "blobs")])
def test_an_image_of_damaged_artifacts(lost: tuple[str, ...], imaged: Project, cli: Command) -> None:
    good, _ = image(cli)
    for path in store(cli).glob("artifacts/*/*"):
        data = path.read_bytes()
        spoil(path, data[:-1] + bytes([data[-1] ^ 1]))
    for folder in lost:
        shutil.rmtree(store(cli) / folder)
    again, said = image(cli)
    assert again == good
    assert REMOVED in said
    assert REMOVED not in image(cli)[1]


def test_an_image_of_damaged_layers(imaged: Project, cli: Command) -> None:
    good, _ = image(cli)
    for path in store(cli).glob("blobs/*/*"):
        data = path.read_bytes()
        spoil(path, data[:-1] + bytes([data[-1] ^ 1]))
    again, said = image(cli)
    assert again == good
    assert REMOVED in said
    assert REMOVED not in image(cli)[1]


@pytest.mark.parametrize("verify", [(), ("--verify",)])
def test_an_image_of_damaged_packages(verify: tuple[str, ...], imaged: Project, cli: Command) -> None:
    good, _ = image(cli)
    file = eggs(package(cli, "eggs"))
    spoil(file, file.read_bytes().swapcase())
    shutil.rmtree(store(cli) / "blobs")
    shutil.rmtree(store(cli) / "cache")
    outcome = cli("image", "--compression", "zstd", *verify).succeeded()
    assert TOLD in outcome.err
    shutil.rmtree(store(cli) / "blobs")
    assert image(cli)[0] == good


def test_damage_that_nobody_can_mend_is_an_error(locked: Project, cli: Command, registries: Registries) -> None:
    cli("create", ENVGEN_KEEP_WHEELS="1").succeeded()
    wheel = artifact(cli, b"eggs.py")
    spoil(wheel, wheel.read_bytes()[:-1])
    shutil.rmtree(store(cli) / "packages")
    shutil.rmtree(prefix(cli))
    content = registries.server.content
    assert isinstance(content, dict)
    registries.publish(Faults(missing=frozenset(path for path in content if path.endswith(".whl"))))
    outcome = cli("create")
    assert outcome.code == 4, outcome.err
    assert not prefix(cli).exists()


def test_clean_leaves_folders_alone_that_are_no_store(locked: Project, cli: Command, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "packages/thesis").mkdir(parents=True)
    (mine / "packages/thesis/text").write_text("years of work")
    outcome = cli("clean", "--all", ENVGEN_CACHE=str(mine))
    assert outcome.code == 1, outcome.err
    assert "is not a store of envgen" in outcome.err
    assert (mine / "packages/thesis/text").read_text() == "years of work"


def test_a_store_that_others_can_write_to_is_refused(locked: Project, cli: Command) -> None:
    (store(cli) / "packages").chmod(0o777)
    outcome = cli("create")
    assert outcome.code == 1, outcome.err
    assert f"chmod -R go-w {store(cli)}" in outcome.err


def test_new_stores_are_closed_under_an_open_umask(demo: Project, cli: Command, tmp_path: Path) -> None:
    for umask in (0o000, 0o002):
        cache = str(tmp_path / f"cache-{umask}")
        cli.process("lock", umask=umask, ENVGEN_CACHE=cache).succeeded()
        cli.process("create", umask=umask, ENVGEN_CACHE=cache).succeeded()
        folders = [path for path in (tmp_path / f"cache-{umask}").rglob("*") if path.is_dir()]
        assert [path for path in folders if path.stat().st_mode & 0o022] == []
