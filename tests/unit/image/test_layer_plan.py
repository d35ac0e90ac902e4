"""Which parts share a layer: cases by hand; the laws are in `tests/property/test_image_plan.py`."""

from __future__ import annotations

import pytest

from envgen.errors import UserError
from envgen.image.layer_plan import LARGE, LayerGroup, LayerPart, Share, group
from envgen.structs import replace

GB = 1_000_000_000


def part(name: str, size: int, stage: LayerGroup = LayerGroup.REST, *, files: int = 1, key: str = "1") -> LayerPart:
    sizes = {f"opt/env/{name}/{number:03}": size // files for number in range(files)}
    return LayerPart(name=name, stage=stage, key=key, sizes=sizes)


def names(*parts: LayerPart, budget: int = 60, cap: int = 2 * GB) -> list[list[str]]:
    return [[share.part for share in layer.shares] for layer in group(parts, budget=budget, cap=cap)]


def test_the_order_is_that_of_the_stages() -> None:
    large = LARGE
    found = names(
        part("zlib-ng", large),
        part("setup", 10, LayerGroup.RUNTIME),
        part("pytorch", large, LayerGroup.TORCH),
        part("nccl", large, LayerGroup.NCCL),
        part("base", 10, LayerGroup.BASE),
        part("small", 10),
        part("python", 10, LayerGroup.PYTHON),
        part("cudnn", large, LayerGroup.CUDNN),
    )
    assert found == [
        ["base"], ["python"], ["cudnn"], ["nccl"], ["pytorch"], ["zlib-ng"], ["small"], ["setup"],
    ]  # fmt: skip


def test_small_parts_share_a_layer_after_the_large_ones_of_the_environment() -> None:
    assert names(part("a", 10, LayerGroup.CUDA), part("b", 10), part("c", LARGE, LayerGroup.TORCH)) == [
        ["c"],
        ["a", "b"],
    ]


def test_small_parts_that_the_same_images_have_share_layers_apart_from_others() -> None:
    both, all_three = ("serve", "train"), ("eval", "serve", "train")
    every = [part("a", 10), part("b", 10), part("c", 10), part("d", 10), part("e", LARGE), part("f", LARGE)]
    marked = [replace(one, sharers=s) for one, s in zip(every, [both, (), all_three, both, (), both], strict=True)]
    assert names(*marked) == [["f"], ["e"], ["c"], ["a", "d"], ["b"]]
    alone = [one for one in marked if one.sharers]
    assert {layer.key for layer in group(alone, budget=60, cap=GB)} <= {
        layer.key for layer in group(marked, budget=60, cap=GB)
    }


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
    parts = [
        part("base", 10, LayerGroup.BASE),
        part("python", 10, LayerGroup.PYTHON),
        part("setup", 10, LayerGroup.RUNTIME),
    ]
    assert len(names(*parts, budget=3)) == 3
    with pytest.raises(UserError, match="do not fit into 2 layers"):
        names(*parts, budget=2)


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("python", LayerGroup.PYTHON),
        ("python_abi", LayerGroup.REST),
        ("nvidia-cublas-cu12", LayerGroup.CUDA),
        ("nvidia-cudnn-cu12", LayerGroup.CUDNN),
        ("cudnn", LayerGroup.CUDNN),
        ("nvidia-nccl-cu12", LayerGroup.NCCL),
        ("nccl", LayerGroup.NCCL),
        ("libcublas", LayerGroup.CUDA),
        ("cuda-cudart", LayerGroup.CUDA),
        ("mkl", LayerGroup.ONEAPI),
        ("intel-opencl-rt", LayerGroup.ONEAPI),
        ("impi_rt", LayerGroup.ONEAPI),
        ("oneccl", LayerGroup.ONEAPI),
        ("intel-extension-for-pytorch", LayerGroup.TORCH),
        ("pytorch", LayerGroup.TORCH),
        ("torchvision", LayerGroup.TORCH),
        ("triton", LayerGroup.TRITON),
        ("numpy", LayerGroup.REST),
    ],
)
def test_stages_of_packages(name: str, stage: LayerGroup) -> None:
    assert LayerGroup.of_package(name) is stage
