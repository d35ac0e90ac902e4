"""conda-lock's models of a lock, without the rest of conda-lock.

Its package imports the whole program, with a copy of poetry and what that needs: 0.45 s of processor time, of which the
models need a quarter. So they are imported below packages whose own module does not run, and which are forgotten then.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conda_lock.lockfile.v1.models import Lockfile

_PACKAGES = ("conda_lock", "conda_lock.lockfile")
MODELS = "conda_lock.lockfile.v1.models"


_LOCK = threading.Lock()
"""Held while the models are imported: another thread would find hollow packages."""


def faults_of(content: Mapping[str, Any]) -> list[str]:
    """Return what the models find wrong in a document; an empty one is wrong."""
    model = lockfile_model()
    from pydantic import ValidationError  # noqa: PLC0415  comes with conda-lock, and only writers need it

    try:
        model.model_validate(content)
    except ValidationError as error:
        return [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    return []


def lockfile_model() -> type[Lockfile]:
    """Import the model that parses a lock of format 1, and return it."""
    with _LOCK:
        try:
            with _hollow(_PACKAGES):
                return _imported()
        except ImportError:  # a release whose models need more of the package
            return _imported()


def _imported() -> type[Lockfile]:
    from conda_lock.lockfile.v1.models import Lockfile  # noqa: PLC0415  only who writes a lock needs it

    found: type[Lockfile] = Lockfile
    return found


@contextmanager
def _hollow(names: tuple[str, ...]) -> Iterator[None]:
    """Register packages without running them, unless they were imported before."""
    added = [name for name in names if name not in sys.modules]
    try:
        for name in added:
            if spec := find_spec(name):
                sys.modules[name] = module_from_spec(spec)
        yield
    finally:
        for name in added:
            sys.modules.pop(name, None)
