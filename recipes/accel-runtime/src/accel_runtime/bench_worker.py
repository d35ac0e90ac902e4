"""One path of `accel bench` in a process of its own: what one path loads or sets must not reach the others.

The parent gives a job as JSON in `argv[1]` and then numbers, one a line: call the model as many times. Each line of
the answer is JSON: first what was prepared (or why not), then lists of seconds, one for each call.
"""

from __future__ import annotations

import contextlib
import copy
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

_CALIBRATIONS = 2
"""Calls in which IPEX sees the ranges of values that int8 has to cover."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.int8}

_AUTOCAST = (torch.bfloat16, torch.float16)


def prepare(way: str, dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Prepared:
    """Make a model ready for one path; to be called under `torch.no_grad()`, as the model is.

    Args:
        way: a key of `_WAYS`.
        dtype: in which the path computes.
        model: in eval mode.
        example: an input.

    Returns:
        What to call, and the context to call it in.
    """
    context = torch.autocast(example.device.type, dtype=dtype) if dtype in _AUTOCAST else contextlib.nullcontext()
    return _WAYS[way](dtype, model, example), contextlib.nullcontext() if way == "accel" else context


def _eager(dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Call:  # noqa: ARG001
    return model


def _compile(dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Call:  # noqa: ARG001
    compiled: Call = torch.compile(model)
    return compiled


def _accel(dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Call:  # noqa: ARG001
    return api.optimize(model, dtype=dtype)


def _ipex(dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Call:  # noqa: ARG001
    optimized: Call = _ipex_itself().optimize(model, dtype=dtype)
    return optimized


def _ipex_traced(dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Call:
    optimized = _ipex(dtype, model, example)
    with torch.autocast("cpu", dtype=dtype) if dtype in _AUTOCAST else contextlib.nullcontext():
        return _frozen(optimized, example)


def _ipex_int8(dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Call:  # noqa: ARG001
    """Quantise statically, weights and activations; the input that is measured serves as calibration data."""
    quantization = _ipex_itself().quantization
    mapping = quantization.default_static_qconfig_mapping
    prepared = quantization.prepare(model, mapping, example_inputs=example, inplace=False)
    for _ in range(_CALIBRATIONS):
        prepared(example)
    return _frozen(quantization.convert(prepared), example)


def _ipex_itself() -> Any:
    found = extension.load(torch.__version__)
    if not found.works:
        raise RuntimeError(found.problem or "IPEX is not installed")
    return sys.modules[extension.MODULE]


def _frozen(model: Call, example: torch.Tensor) -> Call:
    frozen: Call = torch.jit.freeze(torch.jit.trace(model, example, check_trace=False))
    return frozen


_WAYS = {
    "eager": _eager,
    "compile": _compile,
    "accel": _accel,
    "ipex": _ipex,
    "ipex traced": _ipex_traced,
    "ipex int8": _ipex_int8,
}


def _laid_out(tensor: torch.Tensor) -> torch.Tensor:
    images = 4
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == images else tensor


def _serve(job: dict[str, Any], answer: Callable[[Any], None]) -> None:
    model, example = models.build(job["model"]), models.examples(job["model"], job["batch"])
    if job["first"]:
        models.tell_apart(model, models.examples(job["model"], models.CLASSES))
    else:
        models.last_layer(model).load_state_dict(torch.load(job["reference"])["last_layer"])
    state = copy.deepcopy(models.last_layer(model).state_dict())  # paths may change a model in place
    model, example = model.to(job["device"]), example.to(job["device"])
    if job["way"] != "eager":
        example = _laid_out(example)
    with torch.no_grad():  # as an unmodified script has it; inference mode alone makes plain torch 3 % faster
        call, context = prepare(job["way"], _DTYPES[job["dtype"]], model, example)
        with context:
            for _ in range(_WARM_UP):
                result = call(example).float().cpu()
            if job["first"]:
                torch.save({"last_layer": state, "result": result}, job["reference"])
            answer(compare(result, torch.load(job["reference"])["result"]))
            for line in sys.stdin:
                answer([_timed(call, example) for _ in range(int(line))])


def _timed(call: Call, example: torch.Tensor) -> float:
    started = time.perf_counter()
    call(example)
    if example.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def compare(result: torch.Tensor, wanted: torch.Tensor) -> dict[str, float]:
    """Hold a path's scores, (batch, 1000), against eager fp32's: top-1 classes, and how far the random rows are off."""
    got, want = result[:, models.CLASSES :], wanted[:, models.CLASSES :]
    return {
        "difference": float((got - want).norm() / want.norm()),
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
