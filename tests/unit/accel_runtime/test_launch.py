from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from accel_runtime import launch
from accel_runtime.cpu import Core
from accel_runtime.launch import LaunchError, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE_NODE = tuple(Core(node=0, cpus=(n, n + 4)) for n in range(4))
TWO_NODES = tuple(Core(node=n // 2, cpus=(n,)) for n in range(4))


def planned(
    said: Mapping[str, str] | None = None,
    *,
    gpus: int = 0,
    cores: tuple[Core, ...] = ONE_NODE,
    processes: int | None = None,
    broken: str | None = None,
) -> Plan:
    script = ["train.py", "--epochs", "3"]
    return launch.plan(script, gpus=gpus, cores=cores, environment=said or {}, processes=processes, broken=broken)


def test_one_process_for_each_gpu() -> None:
    found = planned(gpus=2)
    assert (found.processes, found.backend, found.pinned) == (2, "nccl", ())
    assert found.argv[1:] == (
        *("-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"),
        *("-m", "accel_runtime.rank", "train.py", "--epochs", "3"),
    )
    assert not [name for name in found.variables if name.startswith("MALLOC")]


def test_one_process_for_each_numa_node() -> None:
    found = planned(cores=TWO_NODES)
    assert (found.processes, found.backend) == (2, "gloo")
    assert found.pinned == ((0, 1), (2, 3))
    assert found.variables["ACCEL_PIN"] == "1"


def test_one_process_is_not_pinned() -> None:
    found = planned()
    assert (found.processes, found.pinned) == (1, ())
    assert "ACCEL_PIN" not in found.variables


def test_cores_are_shared_out_whole() -> None:
    assert planned(processes=3).pinned == ((0, 1, 4, 5), (2, 6), (3, 7))


def test_threads_that_the_user_chose_stay() -> None:
    assert "OMP_NUM_THREADS" not in planned({"OMP_NUM_THREADS": "5"}, processes=2).variables


@pytest.mark.parametrize(
    ("gpus", "processes", "words"), [(2, 3, "but 2 GPUs can be used"), (0, 5, "but 4 cores can be used")]
)
def test_more_processes_than_places(gpus: int, processes: int, words: str) -> None:
    with pytest.raises(LaunchError, match=words):
        planned(gpus=gpus, processes=processes)


SLURM = {
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_STEP_NODELIST": "gpu[07,11-13]",
    "SLURM_NODEID": "1",
    "SLURM_JOB_ID": "2042",
}


def test_slurm() -> None:
    found = planned(SLURM, gpus=4)
    assert found.argv[3:9] == (
        "--nproc-per-node=4",
        "--nnodes=2",
        "--node-rank=1",
        "--master-addr=gpu07",
        "--master-port=29442",
        "--rdzv-id=2042",
    )


def test_slurm_with_several_tasks_on_a_machine() -> None:
    with pytest.raises(LaunchError, match=r"8 tasks on 2 machines.*--ntasks-per-node=1"):
        planned({**SLURM, "SLURM_STEP_NUM_TASKS": "8"}, gpus=4)


def test_a_slurm_job_outside_a_step_is_one_machine() -> None:
    assert planned({"SLURM_JOB_ID": "7", "SLURM_NNODES": "4"}).rendezvous is None


def test_a_broken_gpu_stops_a_job_of_several_machines_and_no_other() -> None:
    with pytest.raises(LaunchError, match=r"the other machines of the job need this one's GPU.*fell off the bus"):
        planned(SLURM, broken="it fell off the bus")
    alone = planned(broken="it fell off the bus")
    assert (alone.backend, alone.variables["ACCEL_DEVICE"]) == ("gloo", "cpu")


def test_the_ranks_do_not_choose_again() -> None:
    assert planned().variables["ACCEL_DEVICE"] == "cpu"
    assert "ACCEL_DEVICE" not in planned(gpus=2).variables
    assert "ACCEL_DEVICE" not in planned({"ACCEL_DEVICE": "Off"}).variables


def test_kubernetes() -> None:
    said = {"WORLD_SIZE": "3", "RANK": "2", "MASTER_ADDR": "job-master-0", "MASTER_PORT": "23456"}
    found = planned({"KUBERNETES_SERVICE_HOST": "10.0.0.1", **said}, gpus=1).rendezvous
    assert found is not None
    assert (found.source, found.nodes, found.rank, found.address, found.port) == (
        "kubernetes",
        3,
        2,
        "job-master-0",
        23456,
    )


def test_torchruns_own_variables_are_left_to_it() -> None:
    found = planned({"PET_NNODES": "2", "PET_MASTER_ADDR": "job-0"}, gpus=1)
    assert "--standalone" not in found.argv
    assert not [word for word in found.argv if word.startswith("--nnodes")]


@pytest.mark.parametrize(
    ("text", "host"),
    [("gpu01", "gpu01"), ("gpu[01-03,07],login", "gpu01"), ("a,b", "a"), ("rack[2,4]-n", "rack2-n")],
)
def test_first_host(text: str, host: str) -> None:
    assert launch.first_host(text) == host


@pytest.mark.parametrize(
    ("stated", "count"), [(None, 4), ("0,2", 2), ("", 0), ("-1", 0), ("1,-1,2", 1), ("0,1,2,3,4,5", 4)]
)
def test_visible_gpus(stated: str | None, count: int) -> None:
    assert launch.visible(4, {} if stated is None else {"CUDA_VISIBLE_DEVICES": stated}) == count
