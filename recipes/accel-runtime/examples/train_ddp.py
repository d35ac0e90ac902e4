"""Train a small model: one script for one CPU, for several, for one GPU and for many.

    python train_ddp.py                      # one process
    accel launch train_ddp.py                # one process for each GPU, or for each NUMA node where there is none
    accel launch --nproc 2 train_ddp.py      # two processes

The loss printed at the end is the same for any number of processes, up to rounding: each takes its share of every
batch, DistributedDataParallel averages the gradients, and so every step is the step of the whole batch.
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import accel_runtime

EXAMPLES, BATCH, STEPS = 512, 64, 50
"""Numbers of processes that divide the batch give equal shares, and only those the same loss."""


def main() -> None:
    """Train, and print the loss."""
    device = accel_runtime.device()  # this process's own GPU, or the CPU
    distributed = "RANK" in os.environ  # set by `accel launch` and torchrun
    rank, processes = 0, 1
    if distributed:
        dist.init_process_group(accel_runtime.backend())  # nccl between GPUs, gloo between CPUs
        rank, processes = dist.get_rank(), dist.get_world_size()
        if device.type == "cuda":
            torch.cuda.set_device(device)

    torch.manual_seed(0)  # all processes make the same data and the same model
    inputs = torch.randn(EXAMPLES, 32)
    targets = inputs.sin().sum(dim=1, keepdim=True)
    model: torch.nn.Module = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
    model = model.to(device)
    if distributed:
        model = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    loss = torch.zeros(())
    for step in range(STEPS):
        start = step * BATCH % EXAMPLES
        mine = slice(start + rank, start + BATCH, processes)  # every so many of the batch, from my own number on
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs[mine].to(device)), targets[mine].to(device))
        loss.backward()
        optimizer.step()

    mean = loss.detach()
    if distributed:
        dist.all_reduce(mean)  # the sum over all processes
        mean /= processes
    if rank == 0:
        print(f"{processes} x {device.type}: loss {mean.item():.6f}")
    if distributed:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
