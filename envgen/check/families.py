"""Libraries of which a process may hold one: OpenMP runtimes, CUDA's libraries, MKL, SYCL, MPI."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from envgen.checks import Misfit, several
from envgen.packages import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from envgen.check.binary import Binary
    from envgen.check.subject import Part, Subject

_LIBRARY = re.compile(r"(?P<stem>lib[A-Za-z][\w+]*?)(?:[-.][0-9a-f]{6,8})?\.so(?:\.(?P<major>\d+))?(?:\.[\d.]+)?")
"""`libcudnn.so.9`, and `libcudart-b5a066d7.so.12.2.140` or `libcudart.e8e8b82a.so.12` as auditwheel renames copies."""

_ONE_OF = {
    "libcudart": "CUDA",
    "libcublas": "CUDA",
    "libcublasLt": "CUDA",
    "libcudnn": "CUDA",
    "libcufft": "CUDA",
    "libcurand": "CUDA",
    "libcusolver": "CUDA",
    "libcusparse": "CUDA",
    "libnccl": "CUDA",
    "libnvJitLink": "CUDA",
    "libnvrtc": "CUDA",
    "libmkl_core": "ONE",
    "libmkl_rt": "ONE",
    "libmpi": "ONE",
    "libsycl": "ONE",
}
"""Library -> prefix of the rules about it."""

_MAJOR_OF_CUDA = {"libcudart", "libcublas", "libcublasLt", "libnvrtc"}
"""Libraries whose major version is that of CUDA; `libcudnn.so.9` is there for CUDA 12 and for 13."""

_KMPC, _GNU = "__kmpc_fork_call", "GOMP_parallel"
_BY_NAME = {"llvm-openmp": _KMPC, "intel-openmp": _KMPC, "libgomp": _GNU}
"""Conda packages that are OpenMP runtimes, for those whose files were not read."""


def check_openmp(subject: Subject) -> Iterator[Misfit]:
    """Yield what is wrong with the OpenMP runtimes, which are recognised by what they define."""
    llvm, gnu = _runtimes(subject)
    if len({_identity(part, one) for part, one in llvm}) > 1:
        yield Misfit(
            rule="OMP001",
            packages=_names(llvm),
            files=_paths(llvm),
            what=f"{_each(llvm)} each contain an OpenMP runtime of LLVM's kind; a process that loads two of them ends "
            "(`OMP: Error #15`) or hangs",
            remedy="remove or pin packages so that one of them stays",
        )
    if llvm and gnu:
        yield Misfit(
            rule="OMP002",
            packages=_names([*gnu, *llvm]),
            files=_paths([*gnu, *llvm]),
            what=f"{_each(gnu)} and {_each(llvm)}: a process that loads both has two pools of threads, "
            "and may hang where it forks after using one of them",
        )
    if len({_identity(part, one) for part, one in gnu}) > 1:
        yield Misfit(
            rule="OMP003",
            packages=_names(gnu),
            files=_paths(gnu),
            what=f"{_each(gnu)} each contain a copy of libgomp: each copy starts as many threads as there are cores",
        )


def check_families(subject: Subject) -> Iterator[Misfit]:
    """Yield what of CUDA, MKL, SYCL and MPI is there more than once."""
    copies: dict[str, dict[str, dict[str, Binary]]] = defaultdict(lambda: defaultdict(dict))
    for binary in subject.binaries.values():
        match = _LIBRARY.fullmatch(binary.called)
        if match and match["stem"] in _ONE_OF and not binary.program:
            copies[match["stem"]][match["major"] or ""][binary.path] = binary
    for stem, majors in sorted(copies.items()):
        for found in majors.values():
            if len(found) > 1:
                yield _twice(subject, stem, tuple(found.values()))
        if len(majors) > 1:
            yield _majors(subject, stem, {major: tuple(found.values()) for major, found in majors.items()})


def check_other_cuda(subject: Subject) -> Iterator[Misfit]:
    """Yield packages all of whose files for CUDA need another major version of it than is there."""
    there = {m["stem"]: m["major"] for name in subject.providers if (m := _cuda(name))}
    wanted: dict[str, dict[str, list[Binary]]] = defaultdict(lambda: defaultdict(list))
    for name, binaries in subject.needers.items():
        if (match := _cuda(name)) and match["stem"] in there:
            for binary in binaries:
                key = "" if name in subject.providers else name
                wanted[subject.owner(binary).name][key].append(binary)
    for package, names in wanted.items():
        if "" not in names:
            needing = list({b.path: b for found in names.values() for b in found}.values())
            yield Misfit(
                rule="CUDA006",
                packages=(package,),
                files=tuple(binary.path for binary in needing),
                what=f"{several(b.name for b in needing)} of `{package}` need {several(names)}; "
                f"{several(f'{stem}.so.{there[stem]}' for stem in sorted(_stems(names)))} is there",
                remedy=f"pin a version of `{package}` for this CUDA, or add the libraries that it needs",
            )


def _cuda(name: str) -> re.Match[str] | None:
    match = _LIBRARY.fullmatch(name)
    return match if match and match["major"] and match["stem"] in _MAJOR_OF_CUDA else None


def _stems(names: Iterable[str]) -> set[str]:
    return {match["stem"] for name in names if (match := _cuda(name))}


def _twice(subject: Subject, stem: str, copies: tuple[Binary, ...]) -> Misfit:
    """Distinguish copies that answer to one file name from those that were renamed to be private."""
    parts = [(subject.owner(one), one) for one in copies]
    which = f"{_each(parts)} each bring `{copies[0].called}`"
    if _is_contested(subject, copies):
        return Misfit(
            rule=f"{_ONE_OF[stem]}001",
            packages=_names(parts),
            files=_paths(parts),
            what=f"{which}: the package imported first decides which one all of them get",
            remedy="remove or pin packages so that one of them stays",
        )
    return Misfit(
        rule=f"{_ONE_OF[stem]}002",
        packages=_names(parts),
        files=_paths(parts),
        what=f"{which}: a process that uses both packages loads it twice",
    )


def _is_contested(subject: Subject, copies: Iterable[Binary]) -> bool:
    """Return whether one file name leads to copies with different bytes, in different folders."""
    own = {one.path: one.content or one.path for one in copies}
    targets: dict[str, set[str]] = defaultdict(set)
    for path, target in subject.places.items():
        if target in own:
            targets[posixpath.basename(path)].add(own[target])
    return any(len(found) > 1 for found in targets.values())


def _majors(subject: Subject, stem: str, majors: Mapping[str, tuple[Binary, ...]]) -> Misfit:
    parts = [(subject.owner(one), one) for copies in majors.values() for one in copies]
    rule = "CUDA003" if _ONE_OF[stem] == "CUDA" else "ONE002"
    what = ", ".join(f"`{one.called}` of `{part.name}`" for part, one in parts)
    return Misfit(rule=rule, packages=_names(parts), files=_paths(parts), what=f"several versions: {what}")


_Brought = list[tuple["Part", "Binary | None"]]


def _runtimes(subject: Subject) -> tuple[_Brought, _Brought]:
    """Return the runtimes of LLVM's kind, and those of GNU."""
    llvm: _Brought = []
    gnu: _Brought = []
    for binary in subject.binaries.values():
        if binary.program or not binary.exports:
            continue
        if _KMPC in binary.exports:
            llvm.append((subject.owner(binary), binary))
        elif _GNU in binary.exports:
            gnu.append((subject.owner(binary), binary))
    for part in subject.parts.values():
        if (part.files is None or not part.files.binaries) and (kind := _known(part, subject)):
            (llvm if kind == _KMPC else gnu).append((part, None))
    return llvm, gnu


def _known(part: Part, subject: Subject) -> str | None:
    """Name the runtime that a package brings by its name alone: torch's wheels have GNU's on Linux, LLVM's on macOS."""
    if isinstance(part.package, Wheel) and part.package.project == "torch":
        return _GNU if subject.target.platform.is_linux else _KMPC
    return _BY_NAME.get(part.name)


def _identity(part: Part, binary: Binary | None) -> str:
    return (binary.content or binary.path) if binary else part.name


def _names(brought: Iterable[tuple[Part, Binary | None]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.name for part, _binary in brought))


def _paths(brought: Iterable[tuple[Part, Binary | None]]) -> tuple[str, ...]:
    return tuple(binary.path for _part, binary in brought if binary)


def _each(brought: Iterable[tuple[Part, Binary | None]]) -> str:
    return several(part.name for part, _binary in brought)
