"""Everything that is looked at before a machine is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from envgen.system.accelerators import Accelerators
    from envgen.system.device_files import DeviceFiles
    from envgen.system.host import HostFacts
    from envgen.system.processor import Processor
    from envgen.system.programs import Program


class Space(Struct, frozen=True, kw_only=True):
    """A place on disk: what it is for, the folder, its free bytes, and whether this user may write there."""

    purpose: str
    folder: Path
    free: int
    writable: bool = True


class Mirror(Struct, frozen=True, kw_only=True):
    """Where artifacts come from.

    Attributes:
        placeholder: of the lock: `ENVGEN_PYPI`.
        url: without secrets; None where nobody sets it.
        source: who sets it.
        problem: why it cannot be reached; None where it can.
        hint: what to do then.
    """

    placeholder: str
    url: str | None
    source: str | None
    problem: str | None
    hint: str


class Machine(Struct, frozen=True, kw_only=True):
    """Everything that was looked at.

    Attributes:
        host: platform, glibc and microarchitecture.
        processor: its name and features.
        accelerators: GPUs, as their drivers' libraries say.
        files: GPUs, as the kernel shows them.
        visible: the variable CUDA_VISIBLE_DEVICES; None where it is not set.
        programs: of those that somebody may need, the ones that are there.
        spaces: places on disk.
        cache: bytes in envgen's store; None where measuring them takes too long.
        mirrors: that the lock needs.
        replaced: library of the environment -> file of another installation that the loader takes for it.
    """

    host: HostFacts
    processor: Processor
    accelerators: Accelerators
    files: DeviceFiles
    visible: str | None
    programs: tuple[Program, ...]
    spaces: tuple[Space, ...]
    cache: int | None
    mirrors: tuple[Mirror, ...]
    replaced: Mapping[str, Path] = field(default_factory=dict)

    def has(self, *names: str) -> bool:
        """Return whether one of some programs is installed."""
        return any(program.name in names for program in self.programs)
