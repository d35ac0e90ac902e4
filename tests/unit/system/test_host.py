from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.errors import HostError
from envgen.platforms import Platform
from envgen.system.host import HostFacts, parse_cpuinfo, parse_glibc, parse_platform, probe_host

if TYPE_CHECKING:
    from pathlib import Path

V2 = "fpu sse sse2 cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"
V3 = f"{V2} abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"
V4 = f"{V3} avx512bw avx512cd avx512dq avx512f avx512vl"


@pytest.mark.parametrize(
    ("flags", "level"),
    [
        ("fpu sse sse2", "x86_64"),
        (V2, "x86_64_v2"),
        (V3, "x86_64_v3"),
        (V4, "x86_64_v4"),
        (V4.replace("movbe ", ""), "x86_64_v2"),
    ],
)
def test_cpuinfo(flags: str, level: str) -> None:
    text = f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\nvmx flags\t: {V4}\n"
    assert parse_cpuinfo(text) == level


def test_cpuinfo_without_flags() -> None:
    assert parse_cpuinfo("processor\t: 0\nFeatures\t: fp asimd\n") == "x86_64"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("glibc 2.36", (2, 36)),
        ("glibc 2.31.9000", (2, 31)),
        ("musl 1.2", None),
        ("", None),
        (None, None),
        ("glibc", None),
    ],
)
def test_glibc(text: str | None, expected: tuple[int, int] | None) -> None:
    assert parse_glibc(text) == expected


def test_platform() -> None:
    assert parse_platform("Linux", "aarch64") is Platform.LINUX_AARCH64
    assert parse_platform("Darwin", "arm64") is Platform.OSX_ARM64
    with pytest.raises(HostError, match="Linux riscv64") as caught:
        parse_platform("Linux", "riscv64")
    assert "linux-64" in str(caught.value.hint)


def test_detection(tmp_path: Path) -> None:
    facts = probe_host()
    assert isinstance(facts.platform, Platform)
    told = HostFacts(platform=Platform.WIN_64, glibc=None, archspec="x86_64_v3")
    assert probe_host(overrides=told) is told
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(f"flags : {V3}\n")
    if facts.platform is Platform.LINUX_64:
        assert probe_host(root=tmp_path).archspec == "x86_64_v3"
        assert probe_host(root=tmp_path / "proc").archspec == "x86_64"
