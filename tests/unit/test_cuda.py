from __future__ import annotations

import pytest
from packaging.version import Version

from envgen.cuda import cuda_major
from envgen.names import ProjectName


@pytest.mark.parametrize(
    ("project", "version", "major"),
    [
        ("nvidia-cublas-cu12", "12.8.4.1", 12),
        ("nvidia-cudnn-cu13", "9.13.0.50", 13),
        ("nvidia-nccl-cu11", "2.21.5", 11),
        ("jax-cuda13-plugin", "0.8.0", 13),
        ("tensorrt-cu13-libs", "10.14.1", 13),
        ("cupy-cuda12x", "13.6.0", 12),
        ("nvidia-dali-cuda130", "1.52.0", 13),
        ("nvidia-cublas", "13.1.0.3", 13),
        ("nvidia-cuda-runtime", "14.0.1", 14),
        ("nvidia-cufft", "12.0.0.61", 13),
        ("cuda-toolkit", "12.9.1", 12),
        ("cuda-bindings", "13.0.3", 13),
        ("torch", "2.9.0+cu130", 13),
        ("torch", "2.9.0+cu118", 11),
        ("torch", "2.9.0+cpu", None),
        ("torch", "2.9.0", None),
        ("nvidia-cublas", "0.0.1", None),
        ("nvidia-ml-py", "13.580.82", None),
        ("cuda-pathfinder", "1.3.0", None),
        ("acu12", "1.0", None),
        ("barracuda12", "1.0", None),
    ],
)
def test_major_version_by_name_and_version(project: str, version: str, major: int | None) -> None:
    assert cuda_major(ProjectName(project), Version(version)) == major
