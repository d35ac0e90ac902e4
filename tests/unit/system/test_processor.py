from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.system.processor import Processor, look, parse_cpuinfo

if TYPE_CHECKING:
    from pathlib import Path

SAPPHIRE_RAPIDS = """\
processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8488C
flags\t\t: fpu sse2 avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 avx_vnni amx_tile amx_int8
"""
NEOVERSE = "processor\t: 0\nFeatures\t: fp asimd i8mm bf16\nCPU part\t: 0xd40\n"


def test_intel() -> None:
    found = parse_cpuinfo(SAPPHIRE_RAPIDS)
    assert found.name == "Intel(R) Xeon(R) Platinum 8488C"
    expected = "AVX2 AVX512 AVX512-VNNI AVX-VNNI AVX512-BF16 AMX AMX-BF16 AMX-INT8"
    assert " ".join(found.features) == expected
    assert found.has_bf16


def test_arm() -> None:
    assert parse_cpuinfo(NEOVERSE) == Processor(name="", features=("NEON", "BF16", "I8MM"))


def test_no_cpuinfo(tmp_path: Path) -> None:
    assert look(tmp_path) == Processor(name="", features=())
