"""Write a lock: laid out, checked by conda-lock's own models, read back by our own reader, and searched for leaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from envgen.errors import LockError
from envgen.lock.cep37 import document
from envgen.lock.conda_lock_models import faults_of
from envgen.lock.leaks import refuse_leaks
from envgen.lock.model import file_name
from envgen.lock.read import read_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from envgen.lock.model import Lock

_WIDE = 1 << 20
"""No line is folded, so that a changed value is one changed line."""


class _WithoutAliases(yaml.representer.SafeRepresenter):
    """Writes equal objects out, without `&id001`."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the name and the argument are PyYAML's
        return True


class _Plain(_WithoutAliases, yaml.SafeDumper):
    """PyYAML's own emitter, whose output depends on no C library."""


_Quick = type("_Quick", (_WithoutAliases, getattr(yaml, "CSafeDumper", yaml.SafeDumper)), {})
"""The emitter of the C library, ten times as fast: good enough to recognise what the other one wrote."""


def is_text_of(lock: Lock, text: str) -> bool:
    """Return whether a text is what `render_lock` would write; False also where the C library writes otherwise."""
    return _laid_out(lock, document(lock), _Quick) == text


def render_lock(
    lock: Lock, *, old: str | None = None, check: Callable[[Mapping[str, Any]], Sequence[str]] = faults_of
) -> str:
    """Write a lock as text: the same lock gives the same bytes everywhere.

    conda-lock's models check it, which take 0.15 s to import; a text that was written before and would be written again
    is not checked again.

    Args:
        lock: what to write.
        old: text of the lock that was there before.
        check: returns what the models find wrong, as `faults_of`; it need not do so in this process.

    Raises:
        LockError: CEP 37 does not allow what the lock says, or it holds something that must not leave this machine.
    """
    where = file_name(lock.environment, lock.platform)
    if old and is_text_of(lock, old):
        refuse_leaks(old, where=where)
        return old
    content = document(lock)
    _check(content, where, check)
    text = _laid_out(lock, content, _Plain)
    refuse_leaks(text, where=where)
    if read_lock(text, source=where) != lock:
        raise LockError(f"{where}: not written: it would not be read back unchanged")
    return text


def _laid_out(lock: Lock, content: dict[str, Any], dumper: type) -> str:
    head = f"# Made by `envgen lock` from {lock.source}. Do not edit.\n"
    return head + str(yaml.dump(content, Dumper=dumper, sort_keys=False, width=_WIDE, allow_unicode=False))


def _check(content: dict[str, Any], where: str, check: Callable[[Mapping[str, Any]], Sequence[str]]) -> None:
    """Check the document against CEP 37, as conda-lock's models have it, and against what they leave out.

    Raises:
        LockError: it breaks one of the rules.
    """
    if faults := check(content):
        raise LockError("\n".join([f"{where}: violates CEP 37:", *faults]))
    seen: set[tuple[str, str]] = set()
    for package in content["package"]:
        key = (package["manager"], package["name"])
        if key in seen:
            raise LockError(f"{where}: violates CEP 37: `{key[1]}` is listed twice")
        seen.add(key)
