"""The same PyTorch code on whatever accelerates it: NVIDIA GPUs, or oneDNN and IPEX on CPUs.

    import accel_runtime

    device = accel_runtime.device()              # a GPU that was tried and works, else the CPU
    model = accel_runtime.optimize(model.eval()) # CPU: captured, frozen, bf16 where the CPU has it

An unmodified script gains the same by `accel run SCRIPT`. Importing this package imports no torch and does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accel_runtime.api import AccelError, backend, device, optimize

__version__ = "0.1.0"

__all__ = ["AccelError", "__version__", "backend", "device", "optimize"]


def __getattr__(name: str) -> Any:
    """Return a public function, imported at its first use: importing torch must not become slower."""
    if name in __all__:
        from accel_runtime import api  # noqa: PLC0415 - see the docstring

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
