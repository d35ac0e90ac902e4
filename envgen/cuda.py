"""Which major version of CUDA a wheel needs, as far as its name and version say so.

A driver runs programs of every minor version of its major one, and of older majors, but of no later major:
https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html. So `cuda: "12.8"` lets wheels of
CUDA 12.9 in, and none of CUDA 13. That page names the exceptions, features that need the newer driver; no wheel says
in its metadata that it uses one.

What requires such wheels (torch, say) needs nothing said of itself: it cannot be chosen without them. Of the processor
(`archspec`) no wheel says anything, for platform tags have no place for it; of glibc the platform tag does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

    from envgen.names import ProjectName

_IN_NAME = re.compile(r"(?:^|-)(?:cu|cuda)(?P<major>1\d)\d?x?(?=-|$)")
"""`nvidia-cublas-cu12`, `jax-cuda13-plugin`, `cupy-cuda12x`, `nvidia-dali-cuda130`."""

_IN_LOCAL_VERSION = re.compile(r"(?:^|[.-])cu(?P<major>1\d)\d?(?=[.-]|$)")
"""`2.9.0+cu130`, as torch's own index has them."""

_VERSION_OF_CUDA = frozenset(
    {
        "cuda-bindings",
        "cuda-python",
        "cuda-toolkit",
        "nvidia-cublas",
        "nvidia-cuda-cccl",
        "nvidia-cuda-crt",
        "nvidia-cuda-culibos",
        "nvidia-cuda-cuobjdump",
        "nvidia-cuda-cupti",
        "nvidia-cuda-cuxxfilt",
        "nvidia-cuda-nvcc",
        "nvidia-cuda-nvdisasm",
        "nvidia-cuda-nvrtc",
        "nvidia-cuda-opencl",
        "nvidia-cuda-profiler-api",
        "nvidia-cuda-runtime",
        "nvidia-cuda-sanitizer-api",
        "nvidia-cuda-tileiras",
        "nvidia-npp",
        "nvidia-nvfatbin",
        "nvidia-nvjitlink",
        "nvidia-nvjpeg",
        "nvidia-nvml-dev",
        "nvidia-nvptxcompiler",
        "nvidia-nvtx",
        "nvidia-nvvm",
    }
)
"""Projects without CUDA in their names whose first number is that of CUDA.

https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/#cuda-toolkit-major-component-versions
"""

_OF_CUDA_13 = frozenset({"nvidia-cufft", "nvidia-cufile", "nvidia-curand", "nvidia-cusolver", "nvidia-cusparse"})
"""Those with a version of their own (the same page); without a suffix they are there since CUDA 13."""

_FIRST_WITHOUT_SUFFIX = 13

_SUFFIX = re.compile(r"-cu1\d$")


def cuda_major(project: ProjectName, version: Version) -> int | None:
    """Return the major version of CUDA that a wheel needs a driver for; None where nothing says that it needs one."""
    if found := _IN_NAME.search(project) or _IN_LOCAL_VERSION.search(version.local or ""):
        return int(found["major"])
    if project in _VERSION_OF_CUDA and version.major:
        return version.major
    return _FIRST_WITHOUT_SUFFIX if project in _OF_CUDA_13 else None


def is_versioned_as_cuda(project: ProjectName) -> bool:
    """Return whether the version of a project of NVIDIA is that of CUDA."""
    return _SUFFIX.sub("", project) in _VERSION_OF_CUDA
