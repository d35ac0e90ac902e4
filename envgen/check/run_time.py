"""What happens at run time that no `DT_NEEDED` says: libraries opened by name, and those that a variable replaces."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING

from envgen.check.loader import Where, locate
from envgen.checks import Misfit, several

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.check.subject import Subject

_OPENED = {
    "libnccl.so.2": (("libibverbs.so.1",), "without it NCCL uses TCP in place of InfiniBand and RoCE"),
    "libccl.so.1": (("libze_loader.so",), "without it oneCCL uses the processor alone"),
}
"""Library -> names that it opens, and what it does where one is missing; seen in their strings."""

_CUDNN = "libcudnn.so.9"
_CUDNN_PARTS = ("graph", "ops", "cnn", "adv", "heuristic", "engines_precompiled", "engines_runtime_compiled")
"""Since cuDNN 9: https://docs.nvidia.com/deeplearning/cudnn/backend/latest/api/overview.html"""


def check_opened(subject: Subject) -> Iterator[Misfit]:
    """Yield names that libraries open at run time and that are not in the environment."""
    for binary in subject.binaries.values():
        names, effect = _OPENED.get(binary.called, ((), ""))
        if absent := [name for name in names if name not in subject.providers]:
            yield Misfit(
                rule="OPEN001",
                packages=(subject.owner(binary).name,),
                files=(binary.path,),
                what=f"`{binary.called}` opens {several(absent)}, which the machine must have: {effect}",
            )
        if binary.called == _CUDNN and (lost := _lost_parts(subject, binary.folder)):
            yield Misfit(
                rule="OPEN002",
                packages=(subject.owner(binary).name,),
                files=(binary.path,),
                what=f"`{_CUDNN}` opens {several(lost)}, and its folder does not have it",
            )


def check_replaceable(subject: Subject) -> Iterator[Misfit]:
    """Yield libraries for which LD_LIBRARY_PATH of a machine goes before the environment.

    The loader asks that variable before `DT_RUNPATH`, and where a file has no search path at all. Files with
    `DT_RPATH` are safe from it.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for binary in subject.binaries.values():
        for name in binary.needed:
            where, target = locate(subject, binary, name)
            if target is None or binary.program or (where is Where.FOUND and not binary.runpath):
                continue
            if where is Where.FOUND:
                found[subject.owner(binary).name].add(target.path)
        if binary.called == _CUDNN and binary.runpath:
            parts = (posixpath.join(binary.folder, f"libcudnn_{part}.so.9") for part in _CUDNN_PARTS)
            found[subject.owner(binary).name].update(path for path in parts if path in subject.places)
    if found:
        yield Misfit(
            rule="LDP001",
            packages=tuple(sorted(found)),
            files=tuple(sorted(path for paths in found.values() for path in paths)),
            what=f"libraries of {several(sorted(found))} are found by DT_RUNPATH, and LD_LIBRARY_PATH is "
            "searched before that: a folder in it with files of the same names replaces them",
            remedy="`envgen doctor` compares this machine's variable with the environment",
        )


def _lost_parts(subject: Subject, folder: str) -> list[str]:
    names = [f"libcudnn_{part}.so.9" for part in _CUDNN_PARTS]
    return [name for name in names if posixpath.join(folder, name) not in subject.places]
