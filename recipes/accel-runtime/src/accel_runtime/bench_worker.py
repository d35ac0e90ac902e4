"""One path of `accel bench` in a process of its own: what one path loads or sets must not reach the others.

`argv[1]` is JSON: what to load first; the answer is `{}` when it is loaded. Then each line of the input is a job, in
JSON, for which a process is forked. It answers with one line of JSON: what was prepared, or `error`. The lines that
follow are numbers for that process: it calls the model as many times, and answers with a list of seconds. 0 ends it.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import json
import os
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

import torch

from accel_runtime import api, extension, models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Call = Callable[[torch.Tensor], torch.Tensor]
    Prepared = tuple[Call, contextlib.AbstractContextManager[Any]]

_WARM_UP = 4
"""Calls before the first that counts: TorchScript compiles in the second and third, caches fill in the first."""

_QUICK_WARM_UP, _QUICK_TRACED = 1, 3
"""The same in a quick run; `accel_runtime.optimize` makes the calls that TorchScript needs itself."""

_CALIBRATIONS = 2
"""Calls in which IPEX observes the ranges of values that int8 must cover."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.int8}

_AUTOCAST = (torch.bfloat16, torch.float16)


def prepare(way: str, dtype: torch.dtype, model: torch.nn.Module, example: torch.Tensor) -> Prepared:
    """Return a model prepared for one path; call it under `torch.no_grad()`, as the model itself.

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
    """Return the model in int8, weights and activations, calibrated on the input that is measured."""
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


_TRACED, _INT8 = "ipex traced", "ipex int8"

_WAYS = {
    "eager": _eager,
    "compile": _compile,
    "accel": _accel,
    "ipex": _ipex,
    _TRACED: _ipex_traced,
    _INT8: _ipex_int8,
}


def _laid_out(tensor: torch.Tensor) -> torch.Tensor:
    images = 4
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == images else tensor


def _warm_up(job: dict[str, Any]) -> int:
    if not job.get("quick"):
        return _WARM_UP
    return _QUICK_TRACED if job["way"] in (_TRACED, _INT8) else _QUICK_WARM_UP


def _serve(job: dict[str, Any], lines: Iterable[bytes], answer: Callable[[Any], None]) -> None:
    os.environ.update(job["variables"])
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
            for _ in range(_warm_up(job)):
                result = call(example).float().cpu()
            if job["first"]:
                torch.save({"last_layer": state, "result": result}, job["reference"])
            answer(compare(result, torch.load(job["reference"])["result"]))
            for line in lines:
                if not (calls := int(line)):
                    break
                answer([_timed(call, example) for _ in range(calls)])


def _timed(call: Call, example: torch.Tensor) -> float:
    started = time.perf_counter()
    call(example)
    if example.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def compare(result: torch.Tensor, wanted: torch.Tensor) -> dict[str, float]:
    """Return how scores, (batch, 1000), differ from eager fp32's: top-1 classes, and norm over the random rows."""
    got, want = result[:, models.CLASSES :], wanted[:, models.CLASSES :]
    return {
        "difference": float((got - want).norm() / want.norm()),
        "top1_agreement": float((result.argmax(dim=-1) == wanted.argmax(dim=-1)).float().mean()),
    }


def _load(preload: dict[str, Any]) -> None:
    """Import what the paths of this host need; a failure is repeated, and shown, by the path that needs it."""
    with contextlib.suppress(Exception):
        importlib.import_module("torch._dynamo")
    if preload["model"] == "resnet50":
        with contextlib.suppress(Exception):
            importlib.import_module("torchvision")
    if preload["ipex"]:
        extension.load(torch.__version__)


def _answered(job: dict[str, Any], lines: Iterable[bytes], answer: Callable[[Any], None]) -> None:
    try:
        _serve(job, lines, answer)
    except Exception as error:  # noqa: BLE001 - the parent shows it in the path's line
        answer({"error": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"})


def _forked(job: dict[str, Any], lines: Iterable[bytes], answer: Callable[[Any], None]) -> None:
    """Run a job in a child process, and answer with an error where it dies."""
    child = os.fork()
    if not child:
        try:
            _answered(job, lines, answer)
        finally:
            os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        answer({"error": f"the process was ended by signal {-code}" if code < 0 else f"the process exited with {code}"})


def main() -> None:
    """Read what to load from `argv[1]`, then jobs from the input."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not get between the answers
    warnings.simplefilter("ignore")
    lines = open(0, "rb", buffering=0)  # noqa: SIM115 - unbuffered: a child must find what comes after its job
    _load(json.loads(sys.argv[1]))

    def answer(value: Any) -> None:
        channel.write(json.dumps(value) + "\n")

    answer({})
    for line in lines:
        match json.loads(line):
            case dict(job):
                _forked(job, lines, answer)
            case 0:
                pass  # the process that it was for has ended already
            case _:
                answer({"error": "the process has ended"})


if __name__ == "__main__":
    main()
