"""What accelerates in a lock: the table of PyTorch, CUDA and the libraries around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.names import CUDA_RUNTIME_PACKAGES, CUDA_RUNTIME_PROJECTS

if TYPE_CHECKING:
    from envgen.lock.model import Lock
    from envgen.packages import Package

_STACK = (
    ("PyTorch", ("torch", "pytorch")),
    ("torchvision", ("torchvision",)),
    ("CUDA", (*CUDA_RUNTIME_PROJECTS, *CUDA_RUNTIME_PACKAGES)),
    ("cuDNN", ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13", "cudnn", "libcudnn")),
    ("NCCL", ("nvidia-nccl-cu12", "nvidia-nccl-cu13", "nccl")),
    ("Triton", ("triton",)),
    ("MKL", ("mkl",)),
    ("oneCCL", ("oneccl",)),
    ("SYCL runtime", ("intel-sycl-rt", "dpcpp-cpp-rt")),
    ("IPEX", ("intel-extension-for-pytorch",)),
)
"""What accelerates -> projects of the index and names of conda that hold it, the first that is locked counts."""


class Component(Struct, frozen=True, kw_only=True):
    """One line of the accelerator table: which package of which version brings it; None where none does."""

    what: str
    package: Package | None


def stack(lock: Lock) -> tuple[Component, ...]:
    """Return which version of each part is locked, in the order of the table."""
    by_name = {package.name: package for package in lock.packages}
    return tuple(
        Component(what=what, package=next((by_name[name] for name in names if name in by_name), None))
        for what, names in _STACK
    )
