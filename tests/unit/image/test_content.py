"""The environment of an image is the one that `create` makes: the same files and bytes, but for the prefix."""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.convert.package import record_of
from envgen.convert.wheel import ConversionTerms, convert
from envgen.convert.wheel_key import package_key
from envgen.errors import ArtifactError, EnvgenError
from envgen.events import NullReporter
from envgen.image.content import Environment, linked, parts, survey, with_targets
from envgen.image.entries import EXECUTABLE, File, InWheel, Link, Literal, OnDisk
from envgen.image.layer_plan import LayerGroup
from envgen.image.pyc import Compiler
from envgen.names import NameTable
from envgen.platforms import Platform, PythonMinor, Target
from envgen.prefix.contents import LinkPackage
from envgen.prefix.link import link
from envgen.prefix.transaction import PRIVATE
from envgen.structs import replace
from tests.builders.extracted import Draft, make
from tests.builders.extracted import Link as LinkTo
from tests.builders.wheels import locked_wheel, make_wheel
from tests.unit.prefix.samples import ALPHA, BETA, BUILT, NOARCH, PYTHON, SITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.system.store import Store

PREFIX = "opt/env"
MINOR = PythonMinor(3, 11)
COMPILER = Compiler(command=(sys.executable,), key="this", minor=MINOR)
NAMES = NameTable()
TARGET = Target(platform=Platform.LINUX_64, python=MINOR, glibc=(2, 36))

Told = dict[str, tuple[str, str]]
"""Path -> how it is told (`link`, or where its bytes come from), and what it holds."""


@pytest.fixture
def packages(store: Store) -> list[LinkPackage]:
    return [*(built(store, draft) for draft in (PYTHON, ALPHA, BETA, NOARCH)), spam(store)]


def built(store: Store, draft: Draft) -> LinkPackage:
    return make(store, replace(draft, origin=BUILT))


def spam(store: Store) -> LinkPackage:
    """Write a wheel and its package into the store."""
    raw = make_wheel("spam", files={"spam/__init__.py": "x = 1\n"}, entry_points={"spam": "spam:main"})
    wheel = locked_wheel(raw, "spam")
    with store.new_artifact(wheel.sha256) as out:
        out.write(raw)
    file = store.artifact(wheel.sha256)
    assert file
    key = package_key(wheel, target=TARGET, names=NAMES)
    terms = ConversionTerms(target=TARGET, names=NAMES)
    directory = store.ensure_package(key, lambda dest: convert(file, wheel, terms, dest=dest))
    return LinkPackage(record=record_of(directory, wheel), directory=directory)


def surveyed(packages: Sequence[LinkPackage], *, prefix: str = PREFIX) -> Environment:
    return survey(packages, prefix=f"/{prefix}", platform=Platform.LINUX_64, compiler=COMPILER)


def told(store: Store, packages: Sequence[LinkPackage], *, splice: bool = True, prefix: str = PREFIX) -> Told:
    """Return every package of an environment."""
    found: Told = {}
    names = [str(package.record.name) for package in packages]
    environment = surveyed(packages, prefix=prefix)
    with linked(environment, names, store=store, splice=splice, reporter=NullReporter()) as job:
        for entry in (entry for name in names for entry in job.entries(name)):
            assert entry.path not in found
            match entry:
                case Link():
                    found[entry.path] = ("link", entry.target)
                case File(source=InWheel() as source):
                    assert source.sha256
                    found[entry.path] = ("wheel", Path(source.on_disk).read_text())
                case File(source=OnDisk() as source):
                    file = Path(source.on_disk)
                    assert source.size == file.stat().st_size
                    found[entry.path] = ("disk", file.read_text())
                case File(source=Literal() as source):
                    found[entry.path] = ("made", source.data.decode("latin-1"))
    return found


def test_an_image_holds_what_a_disk_holds(store: Store, tmp_path: Path, packages: list[LinkPackage]) -> None:
    prefix = tmp_path / "env"
    link(packages, prefix, store=store, platform=Platform.LINUX_64)
    disk = {p.relative_to(prefix).as_posix(): p for p in prefix.rglob("*") if p.is_symlink() or p.is_file()}
    image = {path.removeprefix(f"{PREFIX}/"): entry for path, entry in told(store, packages).items()}
    ours = {"conda-meta/history", *PRIVATE}
    assert {path for path in image if "__pycache__" not in path} == disk.keys() - ours
    for path, (kind, text) in image.items():
        if kind == "link":
            assert disk[path].readlink().as_posix() == text
        elif kind != "made":
            assert text == disk[path].read_text().replace(str(prefix), f"/{PREFIX}")


def test_records_say_the_same_but_for_this_machine(store: Store, tmp_path: Path, packages: list[LinkPackage]) -> None:
    prefix = tmp_path / "env"
    link(packages, prefix, store=store, platform=Platform.LINUX_64)
    image = told(store, packages)
    files = sorted((prefix / "conda-meta").glob("*.json"))
    assert [file.name for file in files] == sorted(f"{package.record.dist}.json" for package in packages)
    assert files
    for file in files:
        text = image[f"{PREFIX}/conda-meta/{file.name}"][1]
        assert str(tmp_path) not in text
        disk, there = json.loads(file.read_text()), json.loads(text)
        assert disk["files"] == there["files"]
        assert disk.keys() - there.keys() == {"extracted_package_dir", "link"}


def test_files_of_wheels_come_from_the_wheel(store: Store, packages: list[LinkPackage]) -> None:
    found = told(store, packages)
    assert found[f"{PREFIX}/{SITE}/spam/__init__.py"][0] == "wheel"
    assert found[f"{PREFIX}/{SITE}/spam-1.0.dist-info/METADATA"][0] == "wheel"
    assert found[f"{PREFIX}/{SITE}/spam-1.0.dist-info/RECORD"][0] == "disk"  # linking writes it anew
    assert found[f"{PREFIX}/bin/spam"][0] == "disk"
    assert "wheel" not in {kind for kind, _text in told(store, packages, splice=False).values()}


def test_files_of_wheels_are_proven_by_the_wheel_where_it_is_there(store: Store, packages: list[LinkPackage]) -> None:
    def crcs() -> dict[str, int | None]:
        with linked(surveyed(packages), ["spam"], store=store, splice=False, reporter=NullReporter()) as job:
            files = [entry for entry in job.entries("spam") if isinstance(entry, File)]
            return {file.path: file.source.crc for file in files if isinstance(file.source, OnDisk)}

    known = crcs()
    assert known[f"{PREFIX}/{SITE}/spam/__init__.py"] == zlib.crc32(b"x = 1\n")
    assert known[f"{PREFIX}/{SITE}/spam-1.0.dist-info/RECORD"] is None  # linking writes it anew
    for wheel in (store.root / "artifacts").glob("*/*"):
        wheel.unlink()
    assert set(crcs().values()) == {None}


def test_files_that_are_the_same_there_are_read_from_the_store(store: Store, packages: list[LinkPackage]) -> None:
    with linked(surveyed(packages), ["spam"], store=store, splice=False, reporter=NullReporter()) as job:
        entry = next(entry for entry in job.entries("spam") if entry.path == f"{PREFIX}/{SITE}/spam/__init__.py")
    assert isinstance(entry, File)
    assert isinstance(entry.source, OnDisk)
    assert Path(entry.source.on_disk).is_relative_to(store.root / "packages")


def test_a_file_that_is_gone_is_refused(store: Store, packages: list[LinkPackage]) -> None:
    with linked(surveyed(packages), ["spam"], store=store, splice=False, reporter=NullReporter()) as job:
        next((store.root / "packages").glob(f"spam-*/{SITE}/spam/__init__.py")).unlink()
        with pytest.raises(ArtifactError, match="expected a file"):
            job.entries("spam")


def test_python_files_are_compiled(store: Store, packages: list[LinkPackage]) -> None:
    found = told(store, packages)
    for module in ("spam", "alpha", "beta", "pure"):
        kind, code = found[f"{PREFIX}/{SITE}/{module}/__pycache__/__init__.cpython-311.pyc"]
        assert kind == "made"
        assert f"/{PREFIX}/{SITE}/{module}/__init__.py" in code


def test_a_package_s_own_compiled_files_are_replaced(store: Store) -> None:
    path = f"{SITE}/old/__pycache__/__init__.cpython-311.pyc"
    old = built(store, Draft(name="old", files={f"{SITE}/old/__init__.py": "1", path: "valid at another time"}))
    assert told(store, [built(store, PYTHON), old])[f"{PREFIX}/{path}"][0] == "made"


def test_scripts_are_executable(store: Store, packages: list[LinkPackage]) -> None:
    with linked(surveyed(packages), ["pure"], store=store, splice=True, reporter=NullReporter()) as job:
        modes = {entry.path: entry.mode for entry in job.entries("pure") if isinstance(entry, File)}
    assert modes[f"{PREFIX}/bin/pure"] == EXECUTABLE


def test_one_package_alone_is_told_as_among_all(store: Store, packages: list[LinkPackage]) -> None:
    everything = told(store, packages)
    environment = surveyed(packages)
    for package in packages:
        name = str(package.record.name)
        with linked(environment, [name], store=store, splice=True, reporter=NullReporter()) as job:
            entries = [entry for entry in job.entries(name) if isinstance(entry, File)]
            records = [e for e in entries if isinstance(e.source, Literal) and "conda-meta" in e.path]
            assert {e.path for e in entries} <= everything.keys()
            for record in records:
                assert record.source.sha256
                assert everything[record.path] == ("made", job.root.joinpath(record.path[8:]).read_text())


def test_targets_of_links_are_linked_too(store: Store) -> None:
    low = built(store, Draft(name="low", files={"lib/low.so": "elf"}))
    high = built(store, Draft(name="high", files={"lib/high.so": LinkTo(to="low.so")}))
    odd = built(store, Draft(name="odd", files={"lib/odd": LinkTo(to="../away/x")}))
    other = built(store, Draft(name="other", files={"lib/other": "1"}))
    environment = surveyed([built(store, PYTHON), low, high, other])
    assert with_targets(environment, ["high"]) == {"high", "low"}
    assert with_targets(environment, ["low"]) == {"low"}
    environment = surveyed([built(store, PYTHON), low, odd])
    assert with_targets(environment, ["odd"]) == {"low", "odd", "python"}


def test_a_wheel_that_is_gone_is_told(store: Store, packages: list[LinkPackage]) -> None:
    for path in (store.root / "artifacts").glob("*/*"):
        path.unlink()
    with pytest.raises(EnvgenError, match=r"`spam-1\.0-py3-none-any\.whl` is not in the store"):
        told(store, packages)


def test_parts_are_told_without_linking(store: Store, packages: list[LinkPackage]) -> None:
    found = {part.name: part for part in parts(surveyed(packages))}
    assert list(found) == ["alpha", "beta", "pure", "python", "spam"]
    assert found["python"].stage is LayerGroup.PYTHON
    assert found["alpha"].sizes[f"{PREFIX}/lib/liba.so"] == 0
    assert f"{PREFIX}/{SITE}/alpha/__pycache__/__init__.cpython-311.pyc" in found["alpha"].sizes
    entries = told(store, packages)
    assert {path for part in found.values() for path in part.sizes} == entries.keys()


def test_keys_follow_what_determines_the_bytes(store: Store, packages: list[LinkPackage]) -> None:
    before = {part.name: part.key for part in parts(surveyed(packages))}
    assert {part.name: part.key for part in parts(surveyed(list(reversed(packages))))} == before
    moved = {part.name: part.key for part in parts(surveyed(packages, prefix="srv/env"))}
    assert not set(moved.values()) & set(before.values())
    # beta loses `shared/__init__.py` to alpha, and has it without alpha
    alone = {part.name: part.key for part in parts(surveyed([p for p in packages if p.record.name != "alpha"]))}
    assert {name for name, key in alone.items() if before[name] != key} == {"beta"}
