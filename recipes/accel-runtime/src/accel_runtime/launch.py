"""`accel launch`: distributed training with one command, torchrun underneath.

The plan is a pure function of the machine, its cores and the variables of the process: on a machine with GPUs one
process and nccl for each, else one process for each NUMA node, gloo, and the cores shared out. Several machines only
where the job's own variables name them: those of a Slurm step, or those that Kubernetes' operators set.

On CPUs the backend is gloo, which is part of torch: oneCCL's bindings for torch (`oneccl_bindings_for_pytorch`) are not
in the Python package index, and torch cannot use the library without them.
"""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from accel_runtime import tuning
from accel_runtime.settings import Device

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accel_runtime.cpu import Core

PIN, THREADS = "ACCEL_PIN", "ACCEL_THREADS"
"""What `accel_runtime.rank` does: pin its process; set `OMP_NUM_THREADS`, unless the user had set it."""

_PORT = 29400
"""torchrun's own, plus a job's number, so that two jobs on one machine do not share a port."""

_PORTS = 2000


class LaunchError(Exception):
    """The job cannot be started as asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendezvous:
    """Where the machines of a job meet.

    Attributes:
        source: what names them: `slurm`, `kubernetes`, or `torchrun` where torchrun reads its own variables.
        nodes: how many machines.
        rank: of this one.
        address: of the first one.
        port: there.
        job: a name that all share.
    """

    source: str
    nodes: int
    rank: int
    address: str
    port: int
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be run.

    Attributes:
        argv: the command, `sys.executable` first.
        variables: set besides those that are there.
        processes: on this machine.
        backend: `nccl` or `gloo`.
        pinned: for each process its logical processors; empty where nothing is pinned.
        rendezvous: None on one machine.
    """

    argv: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    processes: int
    backend: str
    pinned: tuple[tuple[int, ...], ...]
    rendezvous: Rendezvous | None


def plan(
    script: Sequence[str],
    *,
    gpus: int,
    cores: Sequence[Core],
    environment: Mapping[str, str],
    processes: int | None = None,
    broken: str | None = None,
) -> Plan:
    """Return the plan of a job.

    Args:
        script: the script and its arguments, or `-m` and a module.
        gpus: that torch can use; 0 for training on the CPU.
        cores: that this process may use.
        environment: of the process.
        processes: on this machine; by the hardware where None.
        broken: why GPUs that are there cannot be used; None where there are none, or where the CPU was asked for.

    Raises:
        LaunchError: more processes than GPUs or cores, a Slurm step with several tasks on one machine, or a broken
            GPU in a job of several machines, which would wait for it.
    """
    count = processes or gpus or len({core.node for core in cores})
    limit, what = (gpus, "GPUs") if gpus else (len(cores), "cores")
    if count > limit:
        raise LaunchError(f"{count} processes were asked for, but {limit} {what} can be used")
    rendezvous = find_rendezvous(environment)
    if rendezvous and broken:
        raise LaunchError(f"the other machines of the job need this one's GPU, which cannot be used: {broken}")
    pinned = () if gpus or count == 1 else tuple(_cpus(share(cores, rank=rank, size=count)) for rank in range(count))
    variables = {} if gpus else _on_cpus(environment)
    if pinned:
        variables[PIN] = "1"
    if "OMP_NUM_THREADS" not in environment:
        variables |= {THREADS: "1", "OMP_NUM_THREADS": "1"}  # the latter keeps torchrun from warning; rank.py decides
    argv = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={count}", *_meeting(rendezvous)]
    return Plan(
        argv=(*argv, "-m", "accel_runtime.rank", *script),
        variables=variables,
        processes=count,
        backend="nccl" if gpus else "gloo",
        pinned=pinned,
        rendezvous=rendezvous,
    )


def visible(gpus: int, environment: Mapping[str, str]) -> int:
    """Return the number of GPUs that `CUDA_VISIBLE_DEVICES` leaves: its list ends at the first empty entry or -1."""
    stated = environment.get("CUDA_VISIBLE_DEVICES")
    if stated is None:
        return gpus
    named = [entry.strip() for entry in stated.split(",")]
    end = next((place for place, entry in enumerate(named) if entry in ("", "-1")), len(named))
    return min(gpus, end)


def as_json(planned: Plan) -> dict[str, Any]:
    """Return a plan as JSON values."""
    return asdict(planned)


def share(cores: Sequence[Core], *, rank: int, size: int) -> tuple[Core, ...]:
    """Return the cores of one process of a machine: whole cores, neighbours together; the first get the rest."""
    each, rest = divmod(len(cores), size)
    start = rank * each + min(rank, rest)
    return tuple(islice(cores, start, start + each + (rank < rest)))


def find_rendezvous(environment: Mapping[str, str]) -> Rendezvous | None:
    """Read the rendezvous from the job's variables; None for one machine.

    Raises:
        LaunchError: the Slurm step has several tasks on a machine: torchrun starts the processes itself.
    """
    if int(environment.get("SLURM_STEP_NUM_NODES", "1")) > 1:
        return _slurm(environment)
    if "PET_NNODES" in environment:  # torchrun's own variables, set by Kubeflow's training operator
        return Rendezvous(source="torchrun", nodes=0, rank=0, address="", port=0, job="")
    if "KUBERNETES_SERVICE_HOST" in environment and int(environment.get("WORLD_SIZE", "1")) > 1:
        return Rendezvous(
            source="kubernetes",
            nodes=int(environment["WORLD_SIZE"]),
            rank=int(environment["RANK"]),
            address=environment["MASTER_ADDR"],
            port=int(environment.get("MASTER_PORT", _PORT)),
            job=environment.get("TORCHELASTIC_RUN_ID", "accel"),
        )
    return None


def first_host(nodelist: str) -> str:
    """Return the first host of Slurm's list: `gpu01` for `gpu[01-03,07],login`."""
    match = re.match(r"([^\[,]+)(?:\[([^\]]+)\])?([^,]*)", nodelist)
    if not match:
        raise LaunchError(f"not a list of hosts: {nodelist!r}")
    head, inside, tail = match.groups()
    return head + (re.split("[-,]", inside)[0] if inside else "") + (tail if inside else "")


def _slurm(environment: Mapping[str, str]) -> Rendezvous:
    nodes = int(environment["SLURM_STEP_NUM_NODES"])
    tasks = int(environment.get("SLURM_STEP_NUM_TASKS", nodes))
    if tasks != nodes:
        raise LaunchError(
            f"the Slurm step has {tasks} tasks on {nodes} machines; start one on each: "
            "srun --ntasks-per-node=1 accel launch ..."
        )
    job = environment.get("SLURM_JOB_ID", "0")
    return Rendezvous(
        source="slurm",
        nodes=nodes,
        rank=int(environment["SLURM_NODEID"]),
        address=first_host(environment["SLURM_STEP_NODELIST"]),
        port=_PORT + int(job) % _PORTS,
        job=job,
    )


def _on_cpus(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of processes on CPUs: malloc's settings, and the device that was chosen for all of them."""
    variables = {name: value for name, value in tuning.STARTED.items() if name not in environment}
    if environment.get("ACCEL_DEVICE", "").strip().lower() != Device.OFF.value:
        variables["ACCEL_DEVICE"] = Device.CPU.value
    return variables


def _meeting(rendezvous: Rendezvous | None) -> list[str]:
    if rendezvous is None:
        return ["--standalone"]
    if rendezvous.source == "torchrun":
        return []
    return [
        f"--nnodes={rendezvous.nodes}",
        f"--node-rank={rendezvous.rank}",
        f"--master-addr={rendezvous.address}",
        f"--master-port={rendezvous.port}",
        f"--rdzv-id={rendezvous.job}",
    ]


def _cpus(cores: Sequence[Core]) -> tuple[int, ...]:
    return tuple(sorted(number for core in cores for number in core.cpus))
