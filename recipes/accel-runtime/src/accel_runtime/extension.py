"""Intel Extension for PyTorch: loaded only where it is used; its output goes to the log."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import io
import logging
import os
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = "intel_extension_for_pytorch"

_log = logging.getLogger("accel_runtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """Whether IPEX can be used.

    Attributes:
        version: that is installed; None where none is.
        problem: why it cannot be used; None where it can, or where it is not installed.
    """

    version: str | None = None
    problem: str | None = None

    @property
    def works(self) -> bool:
        """Whether it is installed and has no known problem."""
        return self.version is not None and self.problem is None


def find(torch_version: str) -> Extension:
    """Return whether an IPEX is installed that fits a torch; it is not imported.

    Importing one that does not fit ends in an error of its own, or in a crash: it is bound to one minor version.
    """
    try:
        if importlib.util.find_spec(MODULE) is None:
            return Extension()
        version = importlib.metadata.version("intel-extension-for-pytorch")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return Extension(version="unknown", problem="its installation is broken: it has no metadata")
    if _minor(version) != _minor(torch_version):
        return Extension(version=version, problem=f"it needs torch {_minor(version)}, this is {torch_version}")
    return Extension(version=version)


@functools.cache
def load(torch_version: str) -> Extension:
    """Return whether IPEX can be used, after importing it; its output goes to the log at level debug.

    Side effects of IPEX itself, once in a process: it registers passes over TorchScript and replaces torch's list of
    operations that CPU autocast treats. Neither changes what a model computes in fp32.
    """
    found = find(torch_version)
    if not found.works:
        return found
    with held_output() as said:
        try:
            importlib.import_module(MODULE)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - torch works without it
            found = Extension(version=found.version, problem=f"it cannot be imported: {type(error).__name__}: {error}")
    for line in said:
        _log.debug("IPEX: %s", line)
    return found


@contextlib.contextmanager
def held_output() -> Iterator[list[str]]:
    """Yield a list that has, afterwards, the lines that Python and C++ wrote to standard output and error."""
    lines: list[str] = []
    stream = io.StringIO()
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(tempfile.TemporaryFile())
        sys.stdout.flush()
        sys.stderr.flush()
        for number in (1, 2):
            with contextlib.suppress(OSError):  # a process may have closed them
                saved = os.dup(number)
                stack.callback(os.close, saved)
                stack.callback(os.dup2, saved, number)
                os.dup2(held.fileno(), number)
        stack.enter_context(contextlib.redirect_stdout(stream))
        stack.enter_context(contextlib.redirect_stderr(stream))
        try:
            yield lines
        finally:
            held.seek(0)
            lines += (held.read().decode(errors="replace") + stream.getvalue()).splitlines()


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
