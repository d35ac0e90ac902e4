"""Keep cuDNN of the environment where `LD_LIBRARY_PATH` would replace it by another one.

`libcudnn.so.9` opens its parts by name when it is first used, and has `DT_RUNPATH`, before which the loader looks into
the folders of that variable. A part that is loaded already is used for its name, so the environment's own parts are
opened first: for this process alone, in 0.14 s, without a change of files or variables.

Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE = "LD_LIBRARY_PATH"

_PARTS = ("graph", "ops", "cnn", "adv", "heuristic", "engines_precompiled", "engines_runtime_compiled")
"""In an order in which each needs only those before it."""

_FOLDER = "nvidia/cudnn/lib"


def keep_own(site: Path, environment: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Return the parts of cuDNN below a site-packages that were loaded, since another installation's would be used."""
    chosen = endangered(site, os.environ if environment is None else environment)
    for part in chosen:
        with contextlib.suppress(OSError):  # torch will raise its own error
            ctypes.CDLL(str(part), mode=os.RTLD_LAZY)
    return chosen


def endangered(site: Path, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return all parts of cuDNN below a site-packages, if the variable replaces one of them; else nothing."""
    folders = [Path(folder or ".") for folder in environment.get(VARIABLE, "").split(":")]
    parts = [path for name in _PARTS if (path := site / _FOLDER / f"libcudnn_{name}.so.9").is_file()]
    return tuple(parts) if any(_is_replaced(part, folders) for part in parts) else ()


def strangers(maps: str, site: Path) -> Iterator[Path]:
    """Yield the loaded files that have the name of a library of NVIDIA's wheels and are others.

    Args:
        maps: `/proc/self/maps`: `7f1c000-7f1d000 r-xp 00000000 fe:00 1234   /opt/cuda/lib64/libcudnn_ops.so.9`.
        site: site-packages of the environment.
    """
    own = {path.name: path.resolve() for path in site.glob("nvidia/*/lib/*.so*")}
    loaded = dict.fromkeys(line[line.index("/") :] for line in maps.splitlines() if "/" in line)
    for path in map(Path, loaded):
        if path.name in own and path.resolve() != own[path.name]:
            yield path


def _is_replaced(part: Path, folders: list[Path]) -> bool:
    """Return whether a folder has another file of a part's name, before the part's own folder."""
    for folder in folders:
        other = folder / part.name
        if other.is_file():
            return not other.samefile(part)
    return False
