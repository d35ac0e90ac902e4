"""Which parts share a layer: cases by hand; the laws are in `tests/property/test_image_plan.py`."""

from __future__ import annotations

import pytest

from envgen.errors import UserError
from envgen.image.plan import LARGE, Part, Share, Stage, group

GB = 1_000_000_000


def part(name: str, size: int, stage: Stage = Stage.REST, *, files: int = 1, key: str = "1") -> Part:
    sizes = {f"opt/env/{name}/{number:03}": size // files for number in range(files)}
    return Part(name=name, stage=stage, key=key, sizes=sizes)


def names(*parts: Part, budget: int = 60, cap: int = 2 * GB) -> list[list[str]]:
    return [[share.part for share in layer.shares] for layer in group(parts, budget=budget, cap=cap)]


def test_the_order_is_that_of_the_stages() -> None:
    large = LARGE
    found = names(
        part("zlib-ng", large),
        part("setup", 10, Stage.RUNTIME),
        part("pytorch", large, Stage.TORCH),
        part("nccl", large, Stage.NCCL),
        part("base", 10, Stage.BASE),
        part("small", 10),
        part("python", 10, Stage.PYTHON),
        part("cudnn", large, Stage.CUDNN),
    )
    assert found == [
        ["base"], ["python"], ["cudnn"], ["nccl"], ["pytorch"], ["zlib-ng"], ["small"], ["setup"],
    ]  # fmt: skip


def test_small_parts_share_a_layer_after_the_large_ones_of_the_environment() -> None:
    assert names(part("a", 10, Stage.CUDA), part("b", 10), part("c", LARGE, Stage.TORCH)) == [["c"], ["a", "b"]]


def test_a_part_beyond_the_cap_is_cut_between_files() -> None:
    layers = group([part("big", 90_000_000, files=9)], budget=60, cap=30_100_000)
    assert [layer.shares[0] for layer in layers] == [
        Share(part="big", key="1", first=None, end="opt/env/big/003"),
        Share(part="big", key="1", first="opt/env/big/003", end="opt/env/big/006"),
        Share(part="big", key="1", first="opt/env/big/006", end=None),
    ]
    assert [layer.title for layer in layers] == ["big", "big (continued)", "big (continued)"]
    assert len({layer.key for layer in layers}) == 3
    held = [[path for path in part("big", 9, files=9).sizes if layer.shares[0].holds(path)] for layer in layers]
    assert [len(paths) for paths in held] == [3, 3, 3]


def test_a_file_beyond_the_cap_is_refused() -> None:
    with pytest.raises(UserError, match="`/opt/env/big/000` has 90000000 bytes"):
        group([part("big", 90_000_000)], budget=60, cap=30_000_000)


def test_where_the_budget_is_short_larger_parts_share() -> None:
    parts = [part(f"p{number}", LARGE + number * 1000) for number in range(20)]
    assert len(names(*parts)) == 20
    assert len(names(*parts, budget=12)) <= 12


def test_what_cannot_fit_is_refused() -> None:
    parts = [part("base", 10, Stage.BASE), part("python", 10, Stage.PYTHON), part("setup", 10, Stage.RUNTIME)]
    assert len(names(*parts, budget=3)) == 3
    with pytest.raises(UserError, match="do not fit into 2 layers"):
        names(*parts, budget=2)


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("python", Stage.PYTHON),
        ("python_abi", Stage.REST),
        ("nvidia-cublas-cu12", Stage.CUDA),
        ("nvidia-cudnn-cu12", Stage.CUDNN),
        ("cudnn", Stage.CUDNN),
        ("nvidia-nccl-cu12", Stage.NCCL),
        ("nccl", Stage.NCCL),
        ("libcublas", Stage.CUDA),
        ("cuda-cudart", Stage.CUDA),
        ("mkl", Stage.ONEAPI),
        ("intel-opencl-rt", Stage.ONEAPI),
        ("impi_rt", Stage.ONEAPI),
        ("oneccl", Stage.ONEAPI),
        ("intel-extension-for-pytorch", Stage.TORCH),
        ("pytorch", Stage.TORCH),
        ("torchvision", Stage.TORCH),
        ("triton", Stage.TRITON),
        ("numpy", Stage.REST),
    ],
)
def test_stages_of_packages(name: str, stage: Stage) -> None:
    assert Stage.of_package(name) is stage
