"""One process of `accel launch`: it uses its share of the cores, then runs the script.

torchrun starts this module with `LOCAL_RANK` and `LOCAL_WORLD_SIZE`; what it sets must be set before torch is imported.
"""

from __future__ import annotations

import contextlib
import os
import sys

from accel_runtime import cpu, launch, run


def main(argv: list[str]) -> None:
    """Pin, and start `python ARGV`."""
    rank, size = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    mine = launch.share(cpu.cores(), rank=rank, size=size)
    variables = dict(os.environ)
    if os.environ.get(launch.PIN) == "1":
        with contextlib.suppress(OSError):  # a container may forbid it; the script runs all the same
            os.sched_setaffinity(0, {number for core in mine for number in core.cpus})
    if variables.pop(launch.THREADS, None):
        variables["OMP_NUM_THREADS"] = str(max(1, len(mine)))
    run.start(argv, variables)


if __name__ == "__main__":
    main(sys.argv[1:])
