"""Planted faults, each found; and the same without the fault, which is let pass."""

from __future__ import annotations

import pytest

from envgen.check.check import accept, find_misfits
from envgen.check.subject import Base, PathClaims
from envgen.checks import RULES, Misfit, Severity
from envgen.packages import Wheel
from envgen.platforms import Platform, PythonMinor
from envgen.structs import replace
from tests.builders.elf import AARCH64, EXECUTABLE, SHARED, make_elf
from tests.unit.check.samples import GOMP, IOMP, OMP, SITE, TARGET, found, part, subject

NVIDIA = f"{SITE}/nvidia"
EXTENSION = f"{SITE}/spam/_c.cpython-311-x86_64-linux-gnu.so"


def cudnn(version: str = "9") -> bytes:
    return make_elf(soname="libcudnn.so.9", needed=["libc.so.6"], runpath="$ORIGIN", defines=[f"cudnn{version}"])


def test_two_runtimes_of_llvms_kind() -> None:
    told = found(part("intel-openmp", {"lib/libiomp5.so": IOMP}), part("other", {"lib/x/libiomp5.so": OMP}))
    assert told["OMP001"].packages == ("intel-openmp", "other")
    assert told["OMP001"].is_open


def test_llvms_runtime_of_a_channel_beside_torch_of_the_index() -> None:
    torch = part("torch", {f"{SITE}/torch/lib/libgomp-a34b3233.so.1": GOMP})
    llvm = part("llvm-openmp", {"lib/libomp.so": OMP}, **{"lib/libgomp.so.1": "lib/libomp.so"})
    assert found(torch, llvm)["OMP002"].packages == ("torch", "llvm-openmp")
    assert "OMP002" not in found(torch)


def test_a_runtime_that_was_not_read_is_known_by_name() -> None:
    assert found(part("llvm-openmp", None), part("intel-openmp", {"lib/libiomp5.so": IOMP})).keys() >= {"OMP001"}


@pytest.mark.parametrize(
    ("platform", "rule"), [(Platform.LINUX_64, "OMP002"), (Platform.OSX_ARM64, "OMP001"), (Platform.OSX_64, "OMP001")]
)
def test_torch_beside_llvms_runtime_before_anything_is_fetched(platform: Platform, rule: str) -> None:
    target = replace(TARGET, platform=platform, archspec=None)
    assert rule in found(part("torch", None), part("llvm-openmp", None), target=target)
    assert rule not in found(part("torch", None), target=target)


def test_private_copies_of_gnus_runtime_are_a_note() -> None:
    other = make_elf(soname="libgomp-1.so", defines=["GOMP_parallel"])
    told = found(part("a", {"a.libs/libgomp-1.so": other}), part("b", {"b.libs/libgomp.so.1": GOMP}))
    assert {rule for rule in told if rule.startswith("OMP")} == {"OMP003"}
    assert told["OMP003"].severity is Severity.NOTE


def test_a_second_cudnn() -> None:
    first = part("nvidia-cudnn-cu12", {f"{NVIDIA}/cudnn/lib/libcudnn.so.9": cudnn()})
    second = part("other", {f"{SITE}/other/libcudnn.so.9": cudnn("9.14")})
    assert found(first, second)["CUDA001"].packages == ("nvidia-cudnn-cu12", "other")
    same = part("other", {f"{SITE}/other/libcudnn.so.9": cudnn()})
    assert "CUDA001" not in found(first, same)


def test_a_private_copy_of_the_cuda_runtime() -> None:
    cudart = make_elf(soname="libcudart.so.12")
    told = found(
        part("a", {f"{NVIDIA}/libcudart.so.12": cudart}), part("b", {"b.libs/libcudart.e8e8b82a.so.12": cudart})
    )
    assert told["CUDA002"].packages == ("a", "b")
    assert "CUDA001" not in told


def test_a_package_for_another_cuda() -> None:
    cuda = part("nvidia-cuda-runtime-cu12", {f"{NVIDIA}/libcudart.so.12": make_elf(soname="libcudart.so.12")})
    files = {f"{SITE}/ort/lib{n}.so": make_elf(needed=[f"libcudart.so.{n}"]) for n in (12, 13)}
    core = {f"{SITE}/ort/core.abi3.so": make_elf()}
    newer = {path: raw for path, raw in files.items() if "13" in path}
    told = found(cuda, part("ort", {**core, **newer}))["CUDA006"]
    assert told.what == "`lib13.so` of `ort` need `libcudart.so.13`; `libcudart.so.12` is there"
    assert "CUDA006" not in found(cuda, part("ort", {**core, **files}))


def test_two_majors_of_a_library() -> None:
    libraries = {f"lib/libcudart.so.{n}": make_elf(soname=f"libcudart.so.{n}") for n in ("11.0", "12")}
    assert "CUDA003" in found(part("a", libraries))
    mpi = {f"lib/libmpi.so.{n}": make_elf(soname=f"libmpi.so.{n}") for n in ("12", "40")}
    assert "ONE002" in found(part("a", mpi))


def test_a_library_that_is_nowhere() -> None:
    missing = part("spam", {EXTENSION: make_elf(needed=["libeggs.so.1", "libc.so.6", "libcuda.so.1"])})
    told = found(missing)["LIB001"]
    assert (told.packages, told.files) == (("spam",), (EXTENSION,))
    assert "`libeggs.so.1`" in told.what
    eggs = part("eggs", {"lib/libeggs.so.1": make_elf(soname="libeggs.so.1")})
    assert "LIB001" not in found(missing, eggs)


def test_a_library_that_is_nowhere_behind_another_one() -> None:
    files = {
        EXTENSION: make_elf(needed=["libham.so"], rpath="$ORIGIN"),
        f"{SITE}/spam/libham.so": make_elf(soname="libham.so", needed=["libeggs.so.1"]),
    }
    assert "LIB001" in found(part("spam", files))


def test_one_of_several_extensions() -> None:
    files = {EXTENSION: make_elf(needed=["libtbb.so.12"]), f"{SITE}/spam/d.abi3.so": make_elf()}
    assert found(part("spam", files))["LIB008"].severity is Severity.WARNING


def test_a_plugin_that_cannot_be_loaded_is_a_note() -> None:
    files = {"lib/libspam.so": make_elf(soname="libspam.so"), "lib/libspam-rdma.so": make_elf(needed=["librdma.so.1"])}
    assert found(part("spam", files)).keys() == {"LIB002"}


def test_the_only_library_of_a_package_is_no_plugin() -> None:
    told = found(part("spam", {f"{SITE}/spam/lib_spam.so": make_elf(needed=["libgomp.so.1"])}), base=Base(versions={}))
    assert told["LIB001"].remedy == "`image: {base: {packages: [libgomp1]}}` adds it to the image, then `envgen lock`"


def test_a_library_of_the_system_that_the_image_lacks() -> None:
    cv2 = part("cv2", {f"{SITE}/cv2/cv2.abi3.so": make_elf(needed=["libGL.so.1"])})
    assert found(cv2).keys() == {"LIB007"}
    told = found(cv2, base=Base(versions={"libc6": "2.36-9"}))["LIB006"]
    assert told.remedy == "`image: {base: {packages: [libgl1]}}`, then `envgen lock`"
    assert "LIB006" not in found(cv2, base=Base(versions={"libgl1": "1"}))


def test_symbol_versions_that_a_library_lacks() -> None:
    extension = make_elf(needed=["libz.so.1"], rpath="$ORIGIN", wants={"libz.so.1": ["ZLIB_1.2.9"]})
    old = make_elf(soname="libz.so.1", versions=["ZLIB_1.2.3"])
    new = make_elf(soname="libz.so.1", versions=["ZLIB_1.2.3", "ZLIB_1.2.9"])
    place = f"{SITE}/spam/libz.so.1"
    assert "LIB005" in found(part("spam", {EXTENSION: extension}), part("zlib", {place: old}))
    assert "LIB005" not in found(part("spam", {EXTENSION: extension}), part("zlib", {place: new}))


def test_which_of_two_libraries_is_loaded() -> None:
    def package(name: str) -> dict[str, bytes]:
        own = make_elf(soname="libx.so.1", defines=[name])
        return {
            f"{SITE}/{name}/c.abi3.so": make_elf(needed=["libx.so.1"], rpath="$ORIGIN"),
            f"{SITE}/{name}/libx.so.1": own,
        }

    assert found(part("a", package("a")), part("b", package("b")))["LIB004"].packages == ("a", "b")
    assert "LIB004" not in found(part("a", package("a")))


def test_a_newer_glibc() -> None:
    told = found(part("spam", {EXTENSION: make_elf(wants={"libc.so.6": ["GLIBC_2.99"]})}))["GLIBC001"]
    assert "need glibc 2.99, expected 2.36 or older" in told.what
    assert told.remedy == '`platforms: {linux-64: {glibc: "2.99"}}` where all machines have it'
    assert "GLIBC001" not in found(part("spam", {EXTENSION: make_elf(wants={"libc.so.6": ["GLIBC_2.36"]})}))


def test_the_glibc_of_an_image() -> None:
    spam = part("spam", {EXTENSION: make_elf(wants={"libc.so.6": ["GLIBC_2.38"]})})
    base = Base(versions={"libc6": "2.36-9+deb12u13"})
    told = found(spam, target=replace(TARGET, glibc=(2, 39)), base=base)["GLIBC001"]
    assert "the version of the image's `libc6`" in told.what


def test_a_newer_cxx_runtime() -> None:
    spam = part("spam", {EXTENSION: make_elf(needed=["libstdc++.so.6"], wants={"libstdc++.so.6": ["GLIBCXX_3.4.32"]})})
    assert "GLIBC002" in found(spam)
    assert "GLIBC002" not in found(spam, target=replace(TARGET, glibc=(2, 39)))


def test_a_newer_processor() -> None:
    spam = part("spam", {EXTENSION: make_elf(level=4)})
    assert "refused by processors below x86_64_v4, expected x86_64_v3" in found(spam)["ISA001"].what
    assert "ISA001" not in found(spam, target=replace(TARGET, archspec="x86_64_v4"))


@pytest.mark.parametrize(
    ("name", "machine", "fits"),
    [
        ("c.cpython-311-x86_64-linux-gnu.so", 62, True),
        ("c.abi3.so", 62, True),
        ("c.so", 62, True),
        ("c.cpython-310-x86_64-linux-gnu.so", 62, False),
        ("c.cpython-311-x86_64-linux-musl.so", 62, False),
        ("c.cpython-311t-x86_64-linux-gnu.so", 62, False),
        ("c.pypy310-pp73-x86_64-linux-gnu.so", 62, False),
        ("c.cpython-311-aarch64-linux-gnu.so", AARCH64, False),
    ],
)
def test_extensions_for_other_interpreters(name: str, machine: int, fits: bool) -> None:
    told = found(part("spam", {f"{SITE}/spam/{name}": make_elf(machine=machine)}))
    assert ("ABI002" not in told) == fits


def test_an_extension_for_each_interpreter() -> None:
    files = {f"{SITE}/spam/c.cpython-{n}-x86_64-linux-gnu.so": make_elf() for n in (310, 311, 312)}
    assert found(part("spam", files)) == {}
    assert "ABI002" in found(part("spam", files), target=replace(TARGET, python=PythonMinor(3, 13)))


def test_minor_versions_of_cuda() -> None:
    def wheel(name: str, version: str) -> object:
        return part(name, {}, version=version)

    runtime, jit = (
        part("nvidia-cuda-runtime-cu12", {}, version="12.8.90"),
        part("nvidia-nvjitlink-cu12", {}, version="12.4.1"),
    )
    told = found(runtime, jit)["CUDA004"]
    assert told.remedy == "`constraints: [nvidia-nvjitlink-cu12 ==12.8.*]` in the spec"
    assert "CUDA004" not in found(runtime, part("nvidia-nvjitlink-cu12", {}, version="12.8.93"))


def test_built_against_another_cuda() -> None:
    torch = part("torch", {})
    assert torch.files is not None
    torch = replace(
        torch, files=replace(torch.files, built_against={"cuda": "12.6"}, requires=("nvidia-nccl-cu12==2.1",))
    )
    runtime = part("nvidia-cuda-runtime-cu12", {}, version="12.8.90")
    told = [
        m
        for m in find_misfits(subject(torch, runtime, part("nvidia-nccl-cu12", {}, version="2.2")))
        if m.rule == "CUDA005"
    ]
    assert [m.packages for m in told] == [("torch", "nvidia-cuda-runtime-cu12"), ("torch", "nvidia-nccl-cu12")]
    assert isinstance(runtime.package, Wheel)


def test_parts_of_cudnn() -> None:
    whole = {f"{NVIDIA}/cudnn/lib/libcudnn.so.9": cudnn()}
    assert "OPEN002" in found(part("nvidia-cudnn-cu12", whole))


def test_what_nccl_opens() -> None:
    nccl = part("nvidia-nccl-cu12", {f"{NVIDIA}/nccl/lib/libnccl.so.2": make_elf(soname="libnccl.so.2")})
    assert "`libibverbs.so.1`" in found(nccl)["OPEN001"].what
    verbs = part("rdma-core", {"lib/libibverbs.so.1": make_elf(soname="libibverbs.so.1")})
    assert "OPEN001" not in found(nccl, verbs)


def test_what_a_variable_replaces() -> None:
    files = {
        "lib/liba.so": make_elf(soname="liba.so", needed=["libb.so"], runpath="$ORIGIN"),
        "lib/libb.so": make_elf(soname="libb.so"),
    }
    assert found(part("spam", files))["LDP001"].files == ("lib/libb.so",)
    safe = {**files, "lib/liba.so": make_elf(soname="liba.so", needed=["libb.so"], rpath="$ORIGIN")}
    assert "LDP001" not in found(part("spam", safe))


def test_rpath_of_the_program_counts_for_what_it_imports() -> None:
    python = part("python", {"bin/python3.11": make_elf(kind=EXECUTABLE, rpath="$ORIGIN/../lib")})
    lib = part("zlib", {"lib/libx.so.1": make_elf(soname="libx.so.1", versions=["A"])})
    spam = part("spam", {EXTENSION: make_elf(needed=["libx.so.1"], wants={"libx.so.1": ["B"]})})
    assert "LIB005" in found(python, lib, spam)
    assert "LIB005" not in found(lib, spam)


def test_copies_of_one_library_by_auditwheel() -> None:
    def package(name: str) -> dict[str, bytes]:
        copy = make_elf(soname="libXau-154567c4.so.6", rpath=name)
        return {
            f"{name}.libs/libx.so": make_elf(needed=["libXau-154567c4.so.6"], rpath="$ORIGIN"),
            f"{name}.libs/libXau-154567c4.so.6": copy,
        }

    assert "LIB004" not in found(part("a", package("a")), part("b", package("b")))


def test_paths_of_two_packages() -> None:
    told = found(claims=PathClaims(clash="`a` and `b` both contain `x`", way_out="`conflicts: {x: a}`"))
    assert (told["PATH001"].is_open, told["PATH001"].remedy) == (True, "`conflicts: {x: a}`")
    kept = found(claims=PathClaims(kept={"share/x": ("a", "b")}))
    assert (kept["PATH002"].packages, kept["PATH002"].files) == (("a", "b"), ("share/x",))


def test_a_file_that_another_package_keeps_does_not_count() -> None:
    newer = part("spam", {EXTENSION: make_elf(wants={"libc.so.6": ["GLIBC_2.99"]})})
    assert found(replace(newer, lost=frozenset({EXTENSION}))) == {}


def test_libraries_of_a_program_meet_no_extension() -> None:
    def package(name: str, user: bytes, path: str) -> dict[str, bytes]:
        libraries = {"libssl.so.3": make_elf(soname="libssl.so.3", needed=["libcrypto.so.3"], rpath="$ORIGIN")}
        libraries["libcrypto.so.3"] = make_elf(soname="libcrypto.so.3", defines=[name])
        return {path: user, **{f"{name}/{library}": raw for library, raw in libraries.items()}}

    def user(kind: int, folder: str) -> bytes:
        return make_elf(kind=kind, needed=["libssl.so.3"], rpath=f"$ORIGIN/{folder}")

    python = part("python", package("p", user(SHARED, "../p"), "dynload/_ssl.cpython-311-x86_64-linux-gnu.so"))
    proxy = part("proxy", package("q", user(EXECUTABLE, "../q"), "bin/haproxy"))
    assert "LIB004" not in found(python, proxy)
    other = part("other", package("q", user(SHARED, "../q"), "x/_c.abi3.so"))
    assert "LIB004" in found(python, other)


def test_nothing_is_missing_as_long_as_a_package_was_not_read() -> None:
    spam = part("spam", {EXTENSION: make_elf(needed=["libeggs.so.1"])})
    assert "LIB001" not in found(spam, part("eggs", None))


def test_what_is_accepted() -> None:
    misfits = [Misfit(rule="OMP001", packages=("a", "b"), what=""), Misfit(rule="OMP002", packages=("c",), what="")]
    told, unused = accept(misfits, {"OMP001 b": "narrow", "OMP001": "wide", "OMP002 d": "other", "LIB001": "none"})
    assert [m.accepted for m in told] == ["narrow", None]
    assert set(unused) == {"OMP001", "OMP002 d", "LIB001"}
    assert not told[0].is_open


def test_identifiers_are_of_one_form() -> None:
    assert all(rule[:-3].isalpha() and rule[:-3].isupper() and rule[-3:].isdigit() for rule in RULES)
