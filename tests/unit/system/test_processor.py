from __future__ import annotations

from pathlib import Path

from envgen.system import host
from envgen.system.processor import Processor, parse_cpuinfo, probe_processor

SAMPLES = Path(__file__).parents[1] / "accel_runtime/samples"
EMERALD_RAPIDS = (SAMPLES / "cpuinfo-xeon-amx.txt").read_text()
GENOA = (SAMPLES / "cpuinfo-epyc.txt").read_text()
NEOVERSE = "processor\t: 0\nFeatures\t: fp asimd i8mm bf16\nCPU part\t: 0xd40\n"


def test_intel() -> None:
    found = parse_cpuinfo(EMERALD_RAPIDS)
    assert found.name == "Intel(R) Xeon(R) Processor"  # as a virtual machine is told
    expected = "AVX2 AVX512 AVX512-VNNI AVX-VNNI AVX512-BF16 AMX AMX-BF16 AMX-INT8"
    assert " ".join(found.features) == expected
    assert found.has_bf16
    assert host.parse_cpuinfo(EMERALD_RAPIDS) == "x86_64_v4"


def test_amd() -> None:
    found = parse_cpuinfo(GENOA, machine="x86_64")
    assert found == Processor(name="AMD EPYC", features=("AVX2", "AVX512", "AVX512-VNNI", "AVX512-BF16"))
    assert host.parse_cpuinfo(GENOA) == "x86_64_v4"


def test_emulators() -> None:
    assert parse_cpuinfo(NEOVERSE + "CPU implementer\t: 0x41\n", machine="x86_64") == Processor(
        name="", features=(), emulator="QEMU"
    )
    assert parse_cpuinfo(GENOA, machine="aarch64").emulator == "QEMU"
    assert parse_cpuinfo("model name\t: QEMU Virtual CPU version 2.5+\n", machine="x86_64").emulator == "QEMU"
    assert parse_cpuinfo("model name\t: VirtualApple @ 2.50GHz\n", machine="x86_64").emulator == "Rosetta"


def test_arm() -> None:
    assert parse_cpuinfo(NEOVERSE) == Processor(name="", features=("NEON", "BF16", "I8MM"))


def test_no_cpuinfo(tmp_path: Path) -> None:
    assert probe_processor(tmp_path) == Processor(name="", features=())
