"""`envgen check`, and the gate before an image is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.builders.channel import CondaPackage
from tests.builders.elf import make_elf
from tests.builders.system import base_debs
from tests.builders.tree import File, Link
from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
dependencies: [python]
pypi: [broken]
"""
TAG = "cp311-cp311-manylinux_2_17_x86_64"
KMPC = ["__kmpc_fork_call", "GOMP_parallel", "omp_get_num_threads"]
PATH = "lib/python3.11/site-packages/broken/_c.abi3.so"


@pytest.fixture
def broken(registries: Registries) -> Registries:
    """Add a wheel whose extension needs a missing library, and whose RECORD is wrong for one file."""
    files: dict[str, str | bytes] = {
        "broken/_c.abi3.so": make_elf(needed=["libnowhere.so.1", "libc.so.6"]),
        "broken/liar.so": make_elf(soname="liar.so")[:0x1010],
    }
    offer(registries, "broken", files)
    for architecture in ("amd64", "arm64"):
        registries.debian.add(*base_debs(architecture))
    registries.publish()
    return registries


def offer(registries: Registries, name: str, files: dict[str, str | bytes]) -> None:
    """Add a wheel to the index."""
    registries.index.add(wheel_filename(name, "1.0", TAG), make_wheel(name, files=files, tag=TAG))
    registries.publish()


def findings(told: Any) -> dict[str, Any]:
    return {one["rule"]: one for platform in told["platforms"] for one in platform["findings"]}


def test_what_is_not_in_the_store_is_said(locked: Project, cli: Command) -> None:
    outcome = cli("check").succeeded()
    assert "linux-64: 0 errors, 0 warnings, 0 notes in 2 of 4 packages" in outcome.out
    assert "linux-64: 2 packages not in the cache, and not read; `envgen create`" in outcome.err


def test_packages_that_fit(locked: Project, cli: Command) -> None:
    cli("create").succeeded()
    told = cli("check", "--json").succeeded().json()
    assert told["platforms"][0]["unread"] == []
    assert all(one["severity"] == "note" for one in findings(told).values())
    assert cli("check", "--json").succeeded().json() == told


def test_an_error_is_found_and_accepted(demo: Project, broken: Registries, cli: Command) -> None:
    demo.spec("demo", SPEC)
    cli("lock").succeeded()
    cli("create").succeeded()
    outcome = cli("check", "--json")
    told = findings(outcome.json())
    assert outcome.code == 1
    assert "error: 1 error in `demo`" in outcome.err
    assert (told["LIB001"]["packages"], told["LIB001"]["files"]) == (["broken"], [PATH])
    assert told["ELF001"]["severity"] == "warning"
    demo.spec("demo", SPEC + 'check: {accept: {LIB001 broken: "the host has it", OMP001: "none"}}\n')
    accepted = cli("check").succeeded()
    assert "LIB001 error, accepted: the host has it: " in accepted.out
    assert "`check.accept.OMP001` has no effect" in accepted.err


def test_a_rule_that_there_is_not(demo: Project, cli: Command) -> None:
    demo.spec("demo", SPEC + 'check:\n  accept:\n    OMP01: "because"\n    LIB001: ""\n')
    outcome = cli("check")
    assert outcome.code == 1
    assert "environments/demo.yaml:8: `check.accept.OMP01`: unknown rule `OMP01` (did you mean `OMP0" in outcome.err
    assert "environments/demo.yaml:9: `check.accept.LIB001`: the reason is missing" in outcome.err


def test_an_image_of_what_does_not_fit_is_refused(demo: Project, broken: Registries, cli: Command) -> None:
    demo.spec("demo", SPEC + "image: {base: {suites: [bookworm, bookworm-security]}}\n")
    cli("lock").succeeded()
    refused = cli("image")
    assert refused.code == 1
    assert "  - LIB001: `_c.abi3.so` of `broken`: `libnowhere.so.1` not in the environment" in refused.err
    assert not (demo.root / "dist").exists()
    made = cli("image", "--no-check").succeeded()
    assert made.out.startswith("sha256:")


def test_symbols_that_this_torch_does_not_define(demo: Project, registries: Registries, cli: Command) -> None:
    """As with an extension of torch that was compiled against another release."""
    library = make_elf(soname="libtorch_cpu.so", defines=["_ZN2at4_ops3add4callERKNS_6TensorE", "_ZN3c105ErrorE"])
    wanted = ["_ZN2at4_ops3add4callERKNS_6TensorE", "_ZNK3c1010TensorImpl4sizeEv", "_ZN2at6gotten", "memcpy"]
    own = make_elf(soname="libextra.so", defines=["_ZN2at6gotten"])
    extension = make_elf(needed=["libtorch_cpu.so"], undefined=wanted)
    offer(registries, "torch", {"torch/lib/libtorch_cpu.so": library})
    offer(registries, "extra", {"extra/_c.abi3.so": extension, "extra/libextra.so": own})
    demo.spec("demo", SPEC.replace("broken", "torch, extra"))
    cli("lock").succeeded()
    cli("create").succeeded()
    for _run in range(2):  # the second one reads what the first one kept
        told = findings(cli("check", "--json").json())["ABI001"]
        assert told["packages"] == ["extra", "pytorch"]
        assert told["what"].endswith("does not define: _ZNK3c1010TensorImpl4sizeEv")


def test_packages_of_a_channel(demo: Project, registries: Registries, cli: Command) -> None:
    script: dict[str, File | Link] = {"bin/.scripted-post-link.sh": File(b"#!/bin/sh\n# makes a cache\n", 0o755)}
    openmp: dict[str, File | Link] = {
        "lib/libomp.so": File(make_elf(soname="libomp.so", defines=KMPC), 0o755),
        "lib/libgomp.so.1": Link("libomp.so"),
    }
    registries.channel.add(CondaPackage(name="scripted", files=script), CondaPackage(name="llvm-openmp", files=openmp))
    offer(registries, "torch", {"torch/lib/libgomp.so.1": make_elf(soname="libgomp.so.1", defines=["GOMP_parallel"])})
    spec = SPEC.replace("[broken]", "[torch]").replace("[python]", "[python, scripted, llvm-openmp]")
    demo.spec("demo", f"{spec}channels: ['{registries.channel_url}']\n")
    cli("lock").succeeded()
    cli("create").succeeded()
    told = findings(cli("check", "--json").succeeded().json())
    assert told["LINK001"]["files"] == ["bin/.scripted-post-link.sh"]
    assert told["OMP002"]["packages"] == ["pytorch", "llvm-openmp"]


def test_a_bundle_of_what_does_not_fit_is_refused(demo: Project, broken: Registries, cli: Command) -> None:
    demo.spec("demo", SPEC)
    cli("lock").succeeded()
    early = cli("bundle", "--no-tools").succeeded()
    assert "`envgen check` cannot read 1 of 3 packages for linux-64: they are not in the cache yet" in early.err
    cli("create").succeeded()
    refused = cli("bundle", "--no-tools")
    assert refused.code == 1
    assert "  - LIB001: `_c.abi3.so` of `broken`" in refused.err
    cli("bundle", "--no-tools", "--no-check").succeeded()
