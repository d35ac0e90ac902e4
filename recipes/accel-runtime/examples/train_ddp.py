"""Train a small model: `python train_ddp.py`, or `accel launch train_ddp.py` on all GPUs or cores.

The loss printed at the end is the same for any number of processes: each takes its share of every batch.
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import accel_runtime

BATCH, STEPS = 64, 50


def main() -> None:
    """Train, and print the loss."""
    device = accel_runtime.device()
    distributed = "RANK" in os.environ
    rank, processes = 0, 1
    if distributed:
        dist.init_process_group(accel_runtime.backend())
        rank, processes = dist.get_rank(), dist.get_world_size()
        if device.type == "cuda":
            torch.cuda.set_device(device)

    torch.manual_seed(0)
    model: torch.nn.Module = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
    model = model.to(device)
    inputs = torch.randn(BATCH * 8, 32)
    targets = inputs.sin().sum(dim=1, keepdim=True)
    if distributed:
        model = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    for step in range(STEPS):
        whole = torch.arange(BATCH) + step * BATCH % len(inputs)
        mine = whole[rank::processes]
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs[mine].to(device)), targets[mine].to(device))
        loss.backward()
        optimizer.step()

    mean = loss.detach()
    if distributed:
        dist.all_reduce(mean)
        mean /= processes
    if rank == 0:
        print(f"{processes} x {device.type}: loss {mean.item():.6f}")
    if distributed:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
