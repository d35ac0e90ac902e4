"""What the choice of a path depends on, read from this machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from accel_runtime import cpu, extension, gpu, settings
from accel_runtime.choice import choose
from accel_runtime.gpu import Build

if TYPE_CHECKING:
    from accel_runtime.choice import Choice
    from accel_runtime.cpu import Cpu
    from accel_runtime.extension import Extension
    from accel_runtime.gpu import Drivers
    from accel_runtime.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What was found: the user's settings, the drivers, the processor, torch, IPEX, and the path that follows."""

    settings: Settings
    drivers: Drivers
    cpu: Cpu
    torch: str | None
    build: Build
    extension: Extension
    choice: Choice


def look() -> Machine:
    """Return this machine; torch is not imported. Without torch the choice is that of a CPU build."""
    wanted, drivers, processor = settings.read(), gpu.read(), cpu.read()
    version = torch_version()
    build = parse_build(_version_file()) if version else Build(cuda=None)
    found = extension.find(version) if version else extension.Extension()
    choice = choose(wanted, drivers=drivers, build=build, cpu=processor, extension=found)
    return Machine(
        settings=wanted,
        drivers=drivers,
        cpu=processor,
        torch=version,
        build=build,
        extension=found,
        choice=choice,
    )


def torch_version() -> str | None:
    """Return the version of torch that is installed; None without one."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None


def parse_build(text: str) -> Build:
    """Read `torch/version.py`, which says for what torch was built: `cuda: Optional[str] = '12.8'`.

    The architectures are in the binary only; none are known here, and every GPU is accepted.
    """
    match = re.search(r"^cuda\b[^=\n]*=\s*['\"](\d+)\.(\d+)", text, flags=re.MULTILINE)
    return Build(cuda=(int(match[1]), int(match[2])) if match else None)


def _version_file() -> str:
    spec = importlib.util.find_spec("torch")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        file = Path(folder) / "version.py"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return ""
