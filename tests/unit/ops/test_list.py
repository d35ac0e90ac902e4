from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.diagnose.gpu import cuda_runtime
from envgen.image.config import cuda_major
from envgen.lock.stack import stack
from envgen.names import CUDA_RUNTIME_PACKAGES, CUDA_RUNTIME_PROJECTS
from tests.unit.lock import samples

if TYPE_CHECKING:
    from envgen.records import Record

RUNTIMES = [
    *(samples.wheel(name, "12.8.90") for name in CUDA_RUNTIME_PROJECTS),
    *(samples.conda(name, "12.8.90", channel="https://conda.example.org/forge") for name in CUDA_RUNTIME_PACKAGES),
]


@pytest.mark.parametrize("runtime", RUNTIMES, ids=[str(record.name) for record in RUNTIMES])
def test_all_agree_on_what_the_cuda_runtime_is(runtime: Record) -> None:
    """The table for people, the check of drivers, and the variables of an image."""
    lock = samples.lock(*samples.records(), runtime)
    shown = {component.what: component.package for component in stack(lock)}["CUDA"]
    assert shown
    assert (shown.version, cuda_runtime(lock), cuda_major(lock)) == ("12.8.90", (12, 8), 12)
