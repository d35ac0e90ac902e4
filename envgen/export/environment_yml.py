"""`environment.yml` of conda and mamba: exact conda packages, and below `pip:` the wheels with their digests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envgen.export.export_input import Exported, condas, not_confined, pip_options
from envgen.export.pip_lines import pip_lines, unpinned
from envgen.export.yaml_text import dump

if TYPE_CHECKING:
    from envgen.export.export_input import ExportInput
    from envgen.lock.model import Lock


def render(inputs: ExportInput) -> Exported:
    """Write the packages of one lock."""
    lock = inputs.lock
    local = [inputs.channel] if inputs.channel and lock.built else []
    document = {
        "name": lock.environment,
        "channels": [*local, *map(inputs.channel_name, lock.channels), "nodefaults"],
        "dependencies": _dependencies(lock, pip_options(inputs.indexes_of(lock))),
    }
    head = f"# {lock.environment} for {lock.platform}. Made by `envgen export`.\n"
    return Exported(text=dump(document, head=head), notes=(*_notes(lock), *unpinned(lock), *not_confined(inputs, lock)))


def _dependencies(lock: Lock, options: list[str]) -> list[Any]:
    exact = [f"{p.name}={p.version}={p.build}" for p in sorted(condas(lock), key=lambda p: p.name)]
    wheels = list(pip_lines(lock))
    return [*exact, {"pip": [*options, *wheels]}] if wheels else [*exact]


def _notes(lock: Lock) -> tuple[str, ...]:
    if not lock.wheels or any(package.name == "pip" for package in condas(lock)):
        return ()
    return ("conda installs the wheels with pip: one of the channels must have the conda package `pip`",)
