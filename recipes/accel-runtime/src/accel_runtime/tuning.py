"""Variables that make programs faster by measurement, and where they are set.

ResNet-50 in fp32, eager, batch 16, CPU time of one thread on an AMD EPYC 9004: 2.66 s as it is, 2.30 s with the first,
1.73 s with all. Batch 1 gains nothing, models compiled by `accel run` 0 to 5 %. Most of the time is spent in the
kernel, which clears the memory of every large result, since glibc returns it at once.

Tried and left out, since they gained nothing or lost: jemalloc, Intel's OpenMP, `ONEDNN_DEFAULT_FPMATH_MODE=BF16`,
`glibc.malloc.hugetlb=1` beside these.
"""

from __future__ import annotations

ACTIVATED = {"THP_MEM_ALLOC_ENABLE": "1"}
"""Set by activation (`etc/conda/env_vars.d`): torch alone reads it, and asks for huge pages (c10/core/alignment.h)."""

STARTED = {"MALLOC_MMAP_THRESHOLD_": str(4 << 30), "MALLOC_TRIM_THRESHOLD_": str(8 << 30)}
"""Set by `accel run` and `accel launch` on the CPU path: they change malloc for the whole process (mallopt(3)), which
keeps up to 8 GiB that it no longer needs; not acceptable for every program of a shell."""
