"""A whole image of tiny packages, bit for bit: its tree first, then its layers and configuration, then its digest.

Nothing of the test run's Python gets into it: a program that only repeats names stands for the compiler, the one
wheel is a file of the repository, and the `.deb`s show their content alone. `WRITE_GOLDEN=1` writes it anew.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envgen.convert.package import record_of
from envgen.convert.wheel import ConversionTerms, convert
from envgen.convert.wheel_key import package_key
from envgen.events import NullReporter
from envgen.image.base import base_entries
from envgen.image.blobs import LayerCache
from envgen.image.config import LayerNote, annotations_of, environment_of, image_config, labels_of
from envgen.image.content import linked, parts, survey
from envgen.image.layer_plan import LayerGroup, group, part_of
from envgen.image.pyc import Compiler
from envgen.image.runtime_layer import runtime_entries
from envgen.manifest.parse import parse_spec
from envgen.names import NameTable
from envgen.oci.compress import Compression
from envgen.oci.layout import Image, write_layout
from envgen.oci.verify import Limits, check_layout
from envgen.platforms import Platform, PythonMinor, Target
from envgen.prefix.contents import LinkPackage
from envgen.structs import replace
from envgen.system.store import Store
from tests.builders.extracted import make
from tests.builders.system import base_debs
from tests.builders.wheels import locked_wheel
from tests.unit.image.samples import WHEEL, listing, unpacked
from tests.unit.image.test_base import files
from tests.unit.prefix.samples import ALPHA, BETA, BUILT, NOARCH, PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.image.entries import Entry
    from envgen.image.layer_plan import PlannedLayer
    from envgen.oci.layer import Layer

CREATED = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
GOLDEN = Path(__file__).parents[2] / "golden/image/image.json"
"""Changes with the format of layers, the base, the files of an image, or another release of a compressor.

`UPDATE_GOLDEN=1` writes it.
"""

ON = Platform.LINUX_64
MINOR = PythonMinor(3, 11)
TARGET = Target(platform=ON, python=MINOR, glibc=(2, 36))
SPEC = """\
name: demo
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
image: {services: {jupyter: , ssh: }}
"""
REPEATS = """
import sys
read, write = sys.stdin.buffer.read, sys.stdout.buffer.write
while length := read(8):
    if length == b"\\xff" * 8:
        sys.stdout.flush()
        continue
    name = read(int.from_bytes(length, "little"))
    read(int.from_bytes(read(8), "little"))
    write(length + name)
"""
"""Stands for the compiler: of every source it makes its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the image holds: the layers that were planned, and the entries of each."""

    planned: tuple[PlannedLayer, ...]
    entries: tuple[tuple[Entry, ...], ...]


def test_the_golden_image(tmp_path: Path) -> None:
    found = {str(compression): made(tmp_path, compression) for compression in Compression}
    if "UPDATE_GOLDEN" in os.environ:
        GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for what in ("trees", "layers", "config", "manifest", "digest"):  # what says most comes first
        for compression in Compression:
            assert found[compression][what] == expected[compression][what], f"{what}, {compression}"


@pytest.mark.parametrize("compression", Compression)
def test_the_golden_image_is_valid(tmp_path: Path, compression: Compression) -> None:
    made(tmp_path, compression)
    assert check_layout(tmp_path / compression / "layout", limits=Limits(layers=60, size=2 * 10**9)) == ()


def made(folder: Path, compression: Compression) -> dict[str, Any]:
    """Make the image; the same whatever the folder."""
    work = folder / compression
    work.mkdir()
    store = Store(work / "store")
    with store.view() as view, contents(store, view, work, splice=compression is Compression.GZIP) as content:
        cache = LayerCache(store=store, compression=compression, special={})
        layers = tuple(cache.make(one, some) for one, some in zip(content.planned, content.entries, strict=True))
    image = described(content.planned, layers)
    layout = write_layout([image], work / "layout", name="demo", blob=store.need_blob)
    trees = [tree(store.need_blob(layer.digest).read_bytes(), compression) for layer in layers]
    return {
        "trees": trees if compression is Compression.NONE else hashlib.sha256(repr(trees).encode()).hexdigest(),
        "layers": [[layer.digest, layer.size, layer.diff_id, layer.unpacked] for layer in layers],
        "config": json.loads(image.config),
        "manifest": json.loads(image.manifest),
        "digest": layout.digest,
    }


def tree(blob: bytes, compression: Compression) -> dict[str, list[Any]]:
    return {path: list(facts) for path, facts in listing(unpacked(blob, compression)).items()}


@contextmanager
def contents(store: Store, view: Path, work: Path, *, splice: bool) -> Iterator[Content]:
    """Yield the layers with all entries, whose files are there until the block ends."""
    (work / "base").mkdir()
    debs = files(work / "debs", base_debs("amd64"))
    spec = parse_spec(SPEC, source="environments/demo.yaml")
    assert spec.image
    base = base_entries(debs, drop=spec.image.base.drop, platform=ON, folder=work / "base")
    variables = environment_of(spec, spec.image, cuda=None, own={})
    setup = runtime_entries(spec.image, environment=variables, entry_script="#!/bin/bash\n")
    (view / "compiler.py").write_text(REPEATS)
    compiler = Compiler(command=(sys.executable, str(view / "compiler.py")), key="golden", minor=MINOR)
    environment = survey(packages(store), prefix="/opt/env", platform=ON, compiler=compiler)
    every = [*parts(environment), part_of("base", LayerGroup.BASE, base), part_of("setup", LayerGroup.RUNTIME, setup)]
    planned = group(every, budget=60, cap=10**9)
    names = [str(content.package.record.name) for content in environment.contents]
    with linked(environment, names, store=store, splice=splice, reporter=NullReporter()) as job:
        ours: Mapping[str, tuple[Entry, ...]] = {"base": tuple(base), "setup": tuple(setup)}
        yield Content(
            planned=planned,
            entries=tuple(
                tuple(e for share in layer.shares for e in ours.get(share.part) or job.entries(share.part))
                for layer in planned
            ),
        )


def packages(store: Store) -> list[LinkPackage]:
    """Write packages of every kind into the store."""
    raw = WHEEL.read_bytes()
    wheel = locked_wheel(raw, "spam")
    with store.new_artifact(wheel.sha256) as out:
        out.write(raw)
    file = store.artifact(wheel.sha256)
    assert file
    names = NameTable()
    key = package_key(wheel, target=TARGET, names=names)
    terms = ConversionTerms(target=TARGET, names=names)
    directory = store.ensure_package(key, lambda dest: convert(file, wheel, terms, dest=dest))
    built = [make(store, replace(draft, origin=BUILT)) for draft in (PYTHON, ALPHA, BETA, NOARCH)]
    return [*built, LinkPackage(record=record_of(directory, wheel), directory=directory)]


def described(planned: tuple[PlannedLayer, ...], layers: tuple[Layer, ...]) -> Image:
    spec = parse_spec(SPEC, source="environments/demo.yaml")
    assert spec.image
    labels = labels_of(spec, spec.image, cuda=None, created=CREATED)
    config = image_config(
        spec.image,
        platform=ON,
        environment=environment_of(spec, spec.image, cuda=None, own={}),
        labels=labels,
        layers=[LayerNote(diff_id=layer.diff_id, note=one.title) for layer, one in zip(layers, planned, strict=True)],
        created=CREATED,
    )
    return Image(platform=ON, config=config, layers=layers, annotations=annotations_of(labels))
