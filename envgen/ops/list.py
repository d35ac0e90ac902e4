"""What is locked, for people: the packages, and the table of what accelerates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envgen.manifest.select import select
from envgen.names import CUDA_RUNTIME_PACKAGES, CUDA_RUNTIME_PROJECTS
from envgen.project.lock_files import platforms_of, require_lock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.lock.model import Lock
    from envgen.packages import Package
    from envgen.platforms import Platform
    from envgen.project.context import Context

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One line of the accelerator table: which package of which version brings it; None where none does."""

    what: str
    package: Package | None


def locks(context: Context, *, env: str | None, platforms: Sequence[Platform]) -> tuple[Lock, ...]:
    """Read the locks of an environment.

    Raises:
        LockError: one is missing or cannot be read.
    """
    spec = select(context.root, env)
    return tuple(require_lock(context, spec, platform).lock for platform in platforms_of(spec, platforms))


def stack(lock: Lock) -> tuple[Component, ...]:
    """Tell which version of each accelerator's part is locked."""
    by_name = {package.name: package for package in lock.packages}
    return tuple(
        Component(what=what, package=next((by_name[name] for name in names if name in by_name), None))
        for what, names in _STACK
    )
