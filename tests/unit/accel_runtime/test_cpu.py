from __future__ import annotations

from pathlib import Path

import pytest

from accel_runtime.cpu import Core, cores, parse_cpuinfo, parse_cpulist

SAMPLES = Path(__file__).parent / "samples"
GRAVITON = "processor\t: 0\nBogoMIPS\t: 2100.00\nFeatures\t: fp asimd sve i8mm bf16\nCPU implementer\t: 0x41\n"


@pytest.mark.parametrize(
    ("sample", "name", "features"),
    [
        ("epyc", "AMD EPYC", "AVX2 AVX512 AVX512-VNNI AVX512-BF16"),
        (
            "xeon-amx",
            "Intel(R) Xeon(R) Processor",
            "AVX2 AVX512 AVX512-VNNI AVX-VNNI AVX512-BF16 AMX AMX-BF16 AMX-INT8",
        ),
    ],
)
def test_x86(sample: str, name: str, features: str) -> None:
    text = (SAMPLES / f"cpuinfo-{sample}.txt").read_text()  # recorded: the first processor of a machine
    found = parse_cpuinfo(text + text.replace("processor\t: 0", "processor\t: 1"), otherwise="x86_64")
    assert (found.name, found.features) == (name, tuple(features.split()))
    assert found.has_bf16


def test_arm() -> None:
    found = parse_cpuinfo(GRAVITON, otherwise="aarch64")
    assert found.name == "aarch64"
    assert found.features == ("NEON", "SVE", "BF16", "I8MM")
    assert found.has_bf16


def test_nothing_known() -> None:
    found = parse_cpuinfo("", otherwise="some machine")
    assert (found.name, found.features, found.has_bf16) == ("some machine", (), False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0-3,8,10-11\n", {0, 1, 2, 3, 8, 10, 11}), ("5\n", {5}), ("\n", set()), ("", set())],
)
def test_cpulist(text: str, expected: set[int]) -> None:
    assert parse_cpulist(text) == expected


def test_cores_with_two_threads_on_two_nodes(tmp_path: Path) -> None:
    for node, numbers in enumerate(("0-1,4-5", "2-3,6-7")):
        _write(tmp_path / f"node/node{node}/cpulist", numbers)
    for number in range(8):
        _write(tmp_path / f"cpu/cpu{number}/topology/thread_siblings_list", f"{number % 4},{number % 4 + 4}")
    found = cores(tmp_path, allowed=frozenset({0, 1, 2, 4, 6}))
    assert found == (Core(node=0, cpus=(0, 4)), Core(node=0, cpus=(1,)), Core(node=1, cpus=(2, 6)))


def test_cores_where_nothing_is_told(tmp_path: Path) -> None:
    assert cores(tmp_path, allowed=frozenset({3, 1})) == (Core(node=0, cpus=(1,)), Core(node=0, cpus=(3,)))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
