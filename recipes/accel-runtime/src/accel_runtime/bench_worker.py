"""One path of `accel bench` in a process of its own: what one path loads or sets must not reach the others.

The parent gives a job as JSON in `argv[1]` and then numbers, one a line: call the model as many times. Each line of
the answer is JSON: first what was prepared (or why not), then lists of seconds, one for each call.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

import torch

from accel_runtime import api, extension, models

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[[torch.Tensor], torch.Tensor]
    Prepared = tuple[Call, contextlib.AbstractContextManager[Any]]

_WARM_UP = 4
"""Calls before the first that counts: TorchScript compiles in the second and third, caches fill in the first."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def prepare(way: str, dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Prepared:
    """Make a model ready for one path.

    Args:
        way: a key of `_WAYS`.
        dtype: in which the path computes.
        model: in eval mode.
        example: an input.

    Returns:
        What to call, and the context to call it in.
    """
    lower = dtype is not torch.float32
    context = torch.autocast(example.device.type, dtype=dtype) if lower else contextlib.nullcontext()
    return _WAYS[way](dtype, model, example), contextlib.nullcontext() if way == "accel" else context


def _eager(dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Call:  # noqa: ARG001
    return model


def _compile(dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Call:  # noqa: ARG001
    compiled: Call = torch.compile(model)
    return compiled


def _accel(dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Call:  # noqa: ARG001
    return api.optimize(model, dtype=dtype)


def _ipex(dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Call:  # noqa: ARG001
    found = extension.load(torch.__version__)
    if not found.works:
        raise RuntimeError(found.problem or "IPEX is not installed")
    optimized: Call = sys.modules[extension.MODULE].optimize(model, dtype=dtype)
    return optimized


def _ipex_traced(dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Call:
    optimized = _ipex(dtype, model, example)
    with torch.autocast("cpu", dtype=dtype) if dtype is not torch.float32 else contextlib.nullcontext():
        frozen: Call = torch.jit.freeze(torch.jit.trace(optimized, _laid_out(example), check_trace=False))
    return frozen


_WAYS = {"eager": _eager, "compile": _compile, "accel": _accel, "ipex": _ipex, "ipex traced": _ipex_traced}


def _laid_out(tensor: torch.Tensor) -> torch.Tensor:
    images = 4
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == images else tensor


def _serve(job: dict[str, Any], answer: Callable[[Any], None]) -> None:
    model, example = models.build(job["model"], job["batch"])
    model, example = model.to(job["device"]), example.to(job["device"])
    if job["way"] != "eager":
        example = _laid_out(example)
    with torch.inference_mode():
        call, context = prepare(job["way"], _DTYPES[job["dtype"]], model, example)
        with context:
            for _ in range(_WARM_UP):
                result = call(example)
            answer(_compared(result.float().cpu(), job["reference"], first=job["first"]))
            for line in sys.stdin:
                answer([_timed(call, example) for _ in range(int(line))])


def _timed(call: Call, example: torch.Tensor) -> float:
    started = time.perf_counter()
    call(example)
    if example.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _compared(result: torch.Tensor, reference: str, *, first: bool) -> dict[str, float]:
    """Hold a result against eager fp32's, which the first worker leaves in a file."""
    if first:
        torch.save(result, reference)
    wanted = torch.load(reference)
    return {
        "difference": float((result - wanted).norm() / wanted.norm()),
        "top1_agreement": float((result.argmax(dim=-1) == wanted.argmax(dim=-1)).float().mean()),
    }


def main() -> None:
    """Do the job of `argv[1]`."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not get between the answers
    warnings.simplefilter("ignore")

    def answer(value: Any) -> None:
        channel.write(json.dumps(value) + "\n")

    try:
        _serve(json.loads(sys.argv[1]), answer)
    except Exception as error:  # noqa: BLE001 - the parent tells it in the path's line
        answer({"error": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"})


if __name__ == "__main__":
    main()
