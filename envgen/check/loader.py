"""Where the dynamic loader finds a library: `ld.so(8)`, for a process that starts from nothing.

Of a file without `DT_RUNPATH` the loader obeys `DT_RPATH`, that of each file that led to it, and that of the program;
then `LD_LIBRARY_PATH`, which is not set here; then `DT_RUNPATH`; then the folders of the system. A library that is
loaded already answers to its SONAME whatever the search path: `import torch` loads what torchvision asks for.
"""

from __future__ import annotations

import posixpath
import re
from enum import Enum
from typing import TYPE_CHECKING

from envgen.glibc import C_LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.check.binary import Binary
    from envgen.check.subject import Subject

DRIVER = re.compile(
    r"lib(?:cuda|nvidia-[\w-]+|nvcuvid|nvoptix|cudadebugger|GLX_nvidia|EGL_nvidia)\.so(?:\.[\d.]+)?"
    r"|lib(?:ze_[\w-]+|igc|igdgmm|hsa-runtime64|amdhip64)\.so(?:\.[\d.]+)?"
)
"""What drivers of GPUs bring: https://docs.nvidia.com/datacenter/cloud-native/container-toolkit lists NVIDIA's."""

STANDARD = frozenset(
    {
        "libgcc_s.so.1", "libstdc++.so.6", "libX11.so.6", "libXext.so.6", "libXrender.so.1", "libICE.so.6",
        "libSM.so.6", "libGL.so.1", "libgobject-2.0.so.0", "libgthread-2.0.so.0", "libglib-2.0.so.0", "libz.so.1",
        "libexpat.so.1", "libatomic.so.1", "libnsl.so.1",
    }
)  # fmt: skip
"""What wheels may expect of every Linux system beside glibc: `lib_whitelist` of auditwheel's policies."""


class Where(Enum):
    """Where a needed library is found."""

    FOUND = "by the search path"
    LOADED = "in the environment, and off the search path"
    SYSTEM = "on the system"
    NOWHERE = "nowhere"


def locate(subject: Subject, binary: Binary, name: str) -> tuple[Where, Binary | None]:
    """Find what a file gets when it needs a library by name."""
    for folder in search_path(subject, binary):
        if target := subject.places.get(posixpath.normpath(f"{folder}/{name}")):
            return Where.FOUND, subject.binaries[target]
    if is_of_system(name):
        return Where.SYSTEM, None
    if there := subject.providers.get(name):
        return Where.LOADED, there[0]
    return Where.SYSTEM if name in STANDARD else Where.NOWHERE, None


def is_of_system(name: str) -> bool:
    """Return whether a library is of glibc or of a driver, which no environment brings."""
    return bool(C_LIBRARIES.fullmatch(name) or DRIVER.fullmatch(name))


def search_path(subject: Subject, binary: Binary) -> tuple[str, ...]:
    """List the folders of the prefix in which the loader looks for what a file needs, in its order."""
    if binary.runpath:
        return tuple(_placed(binary, binary.runpath))
    chain = [binary, *leading(subject, binary), *_python(subject)]
    return tuple(dict.fromkeys(folder for one in chain for folder in _placed(one, one.rpath)))


def leading(subject: Subject, binary: Binary) -> Iterator[Binary]:
    """Yield the files that need a file, and those that need them, nearest first."""
    seen, waiting = {binary.path}, [binary]
    for one in waiting:
        for needer in subject.needers.get(one.called, ()):
            if needer.path not in seen:
                seen.add(needer.path)
                waiting.append(needer)
                yield needer


def is_of_programs(subject: Subject, binary: Binary) -> bool:
    """Return whether nothing but programs leads to a file, so that no Python process loads it."""
    seen, waiting, roots = {binary.path}, [binary], []
    for one in waiting:
        found = [n for n in subject.needers.get(one.called, ()) if locate(subject, n, one.called)[1] in (one, None)]
        roots += [] if found else [one]
        waiting += [needer for needer in found if needer.path not in seen]
        seen.update(needer.path for needer in found)
    return all(root.program for root in roots)


def _python(subject: Subject) -> Iterator[Binary]:
    """Yield the program whose `DT_RPATH` counts for all that is imported."""
    version = subject.target.python
    for path in (f"bin/python{version}", "bin/python3", "bin/python"):
        if target := subject.places.get(path):
            yield subject.binaries[target]
            return


def _placed(binary: Binary, folders: tuple[str, ...]) -> Iterator[str]:
    """Replace `$ORIGIN` by the file's folder; folders outside the prefix are left out."""
    for folder in folders:
        step = folder.replace("${ORIGIN}", "$ORIGIN")
        if step.startswith("$ORIGIN"):
            path = posixpath.normpath(posixpath.join(binary.folder or ".", "." + step.removeprefix("$ORIGIN")))
            if not path.startswith(".."):
                yield path
