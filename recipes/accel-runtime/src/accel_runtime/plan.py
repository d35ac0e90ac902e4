"""How one model is called: by a program where that is proven to be right, unchanged elsewhere."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import types
import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree as pytree

from accel_runtime import extension, program
from accel_runtime.fitness import not_now, unfit
from accel_runtime.settings import Engine, Precision, warn
from accel_runtime.watch import StaleError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from accel_runtime.report import Entry

_SHAPES = 8
"""Sets of shapes that are prepared for one model. Each takes seconds; torch's own capture stops at as many."""

_WORTH = 10
"""Calls that a program must have served before the next is made after a change of weights."""

_SURPRISES = 4
"""Programs for shapes that had one: something that the model reads, an attribute or a global, has another value."""

_CHURN = 3
"""Programs in a row that served fewer calls than that, after which a model is not optimised any more."""

_preparing = threading.Lock()
"""Held by the one thread that prepares a model; others call theirs unchanged meanwhile."""


class _Thread(threading.local):
    """What this thread is calling.

    Attributes:
        precision: in what it computes; None where script or model decide.
        expected: whether a program has to be made for it.
    """

    precision: Precision | None = None
    expected: bool = True


_thread = _Thread()
_log = logging.getLogger("accel_runtime")


class Plan:
    """Calls one model.

    Args:
        precision: in what programs compute where model and inputs are fp32 and no autocast is on.
        engine: what compiles programs.
        entry: where the calls are counted.
    """

    def __init__(self, model: torch.nn.Module, *, precision: Precision, engine: Engine, entry: Entry) -> None:
        self._model = weakref.ref(model)
        self._given_up = unfit(model)
        whole = all(parameter.dtype is torch.float32 for parameter in model.parameters())
        self._precision = precision if whole else None
        self._engine = engine
        self._entry = entry
        self._problem: str | None = None  # why no program could be made; torch wraps the error
        self._short_lived = 0
        self._forget()

    def call(self, model: torch.nn.Module, args: Any, kwargs: Any, otherwise: Callable[[], Any]) -> Any:
        """Return the result of a call of the model.

        Args:
            model: the plan's own, of which the plan itself keeps a weak reference only.
            args: of the call.
            kwargs: of the call.
            otherwise: makes the call without this package.
        """
        reason = self._given_up or not_now(model, args, kwargs)
        if reason:
            self._entry.left(reason)
            return otherwise()
        key = _signature(args, kwargs)
        with contextlib.nullcontext() if key in self._ready else self._permission(key) as refusal:
            served, result = (False, None) if refusal else self._run(model, args, kwargs, key)
        if served:
            self._entry.served()
            return result
        result = otherwise()  # not in a handler: the script's own error must not be chained to ours
        self._entry.left(refusal or self._refusal(key))
        return result

    def _run(self, model: torch.nn.Module, args: Any, kwargs: Any, key: Hashable) -> tuple[bool, Any]:
        """Return whether a program, made first where there is none, served a call, and its result."""
        _thread.expected = key not in self._ready
        if _thread.expected and (reason := unfit(model)):
            self._refused[key] = reason
            return False, None
        self._problem = None
        try:
            compiled = self._compiled
            with self._computing(), _recurrent_too(_thread.expected):
                result = compiled(model, args, kwargs)
        except StaleError:
            self._renew()
            return False, None
        except Exception as error:  # noqa: BLE001 - the model itself may run where torch's capture fails
            self._ready.discard(key)
            self._refused[key] = self._problem or f"torch cannot capture it: {_first_line(error)}"
            _log.debug("%s is left alone", self._entry.name, exc_info=error)
            return False, None
        self._ready.add(key)
        self._served += 1
        return True, result

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        """Switch autocast on for bf16, unless the script has it on; models may take other branches in it."""
        _thread.precision = None if torch.is_autocast_enabled("cpu") else self._precision
        if _thread.precision is Precision.BF16:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                yield
        else:
            yield

    def _refusal(self, key: Hashable) -> str:
        """Return why a permitted call was not served; a model whose first program failed is not tried again."""
        if key not in self._refused:
            return "its weights changed; the next call prepares it again"
        if not self._ready:
            self._given_up = self._refused[key]
        return self._refused[key]

    @contextlib.contextmanager
    def _permission(self, key: Hashable) -> Iterator[str | None]:
        """Yield why a set of shapes must not be prepared, or None: the first at once, others at their second call."""
        first = not self._sightings
        self._sightings[key] = self._sightings.get(key, 0) + 1
        if key in self._refused:
            yield self._refused[key]
        elif not first and self._sightings[key] == 1:
            yield "shapes that came for the first time"
        elif len(self._ready) >= _SHAPES:
            yield self._for_good(f"more than {_SHAPES} sets of shapes or counts of threads")
        elif not _preparing.acquire(blocking=False):
            yield "another thread was preparing a model"
        else:
            try:
                yield None
            finally:
                _preparing.release()

    def _for_good(self, reason: str) -> str:
        """Return a reason, logged once, why calls without a program run uncompiled from now on; others keep theirs."""
        warn(f"calls of {self._entry.name} without a program run uncompiled from now on: {reason}")
        return reason

    def _forget(self) -> None:
        """Reset to the state of a model that was never called."""
        self._ready: set[Hashable] = set()
        self._refused: dict[Hashable, str] = {}
        self._sightings: dict[Hashable, int] = {}
        self._served = 0
        self._surprises = 0
        self._captured: Callable[..., Any] | None = None

    @property
    def _compiled(self) -> Callable[..., Any]:
        """The model's forward pass as torch captures it: made when first needed, since capturing needs a large import.

        It has a code object of its own: torch keeps what it compiled by that, and weights differ from model to model.
        """
        if self._captured is None:
            code = _forward.__code__.replace(co_name=f"forward_{id(self):x}")
            forward = types.FunctionType(code, _forward.__globals__)
            self._captured = torch.compile(forward, backend=self._make, fullgraph=True, dynamic=False)
        return self._captured

    def _renew(self) -> None:
        self._short_lived = self._short_lived + 1 if self._served < _WORTH else 0
        if self._short_lived >= _CHURN:
            self._given_up = self._for_good("its weights keep changing")
        self._forget()

    def _make(self, graph: torch.fx.GraphModule, inputs: list[Any]) -> Callable[..., Any]:
        """Build a program: the backend that torch's capture calls."""
        started = time.perf_counter()
        if not _thread.expected:
            self._surprises += 1
        if self._surprises > _SURPRISES:
            self._problem = self._for_good("what it computes changes from call to call")
            raise program.UnfitError(self._problem)
        weights = self._weights()
        for engine in self._engines():
            try:
                made = program.make(graph, inputs, weights=weights, precision=_thread.precision, engine=engine)
            except Exception as error:  # noqa: BLE001 - TorchScript and IPEX fail in many ways
                self._problem = str(error) if isinstance(error, program.UnfitError) else _first_line(error)
                continue
            self._entry.made(time.perf_counter() - started)
            return made
        raise program.UnfitError(self._problem)

    def _weights(self) -> frozenset[int]:
        """Return the `id`s of the tensors that may be frozen: those of this moment, since an id may be used again.

        A model may have become unfit since its first program: moved, shared with other processes, quantised.
        """
        model = self._model()
        self._problem = "it was deleted" if model is None else unfit(model)
        if model is None or self._problem:
            raise program.UnfitError(self._problem)
        return frozenset(map(id, (*model.parameters(), *model.buffers())))

    def _engines(self) -> tuple[Engine, ...]:
        """Return the engines to try: IPEX fails for models that torch's own oneDNN Graph compiles."""
        if self._engine is not Engine.IPEX:
            return (Engine.ONEDNN,)
        loaded = extension.load(torch.__version__)
        if loaded.works:
            return Engine.IPEX, Engine.ONEDNN
        warn(f"IPEX is not used: {loaded.problem}")
        return (Engine.ONEDNN,)


def _forward(module: torch.nn.Module, args: Any, kwargs: Any) -> Any:
    """Return the model's forward pass; hooks, which `__call__` would run, are excluded before."""
    return module.forward(*args, **kwargs)


def _signature(args: Any, kwargs: Any) -> Hashable:
    """Return what distinguishes calls that need different programs; torch guards more, this limits their number."""
    leaves, structure = pytree.tree_flatten((args, kwargs))
    mode = (torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"), torch.get_num_threads())
    return (mode, str(structure), tuple(map(_kind, leaves)))


def _kind(leaf: Any) -> Hashable:
    if isinstance(leaf, torch.Tensor):
        return (leaf.dtype, tuple(leaf.shape), leaf.stride())
    if leaf is None or isinstance(leaf, str | int | float):
        return leaf
    return f"{type(leaf).__module__}.{type(leaf).__qualname__}"


def _recurrent_too(preparing: bool) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which torch captures LSTM, GRU and RNN, which its own compiler is slow to unroll."""
    if not preparing:
        return contextlib.nullcontext()
    patched: contextlib.AbstractContextManager[Any] = torch._dynamo.config.patch(allow_rnn=True)
    return patched


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
