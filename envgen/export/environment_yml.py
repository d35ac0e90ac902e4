"""`environment.yml` of conda and mamba: exact conda packages, and below `pip:` the wheels with their digests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envgen.export.material import Exported, condas
from envgen.export.yaml_text import dump

if TYPE_CHECKING:
    from envgen.export.material import Material


def render(material: Material) -> Exported:
    """Write the packages of one lock."""
    lock = material.lock
    local = [material.channel] if material.channel and lock.built else []
    dependencies: list[Any] = [f"{p.name}={p.version}={_build(p)}" for p in sorted(condas(lock), key=lambda p: p.name)]
    has_pip = any(package.name == "pip" for package in condas(lock))
    if lock.wheels:
        dependencies.append({"pip": [f"{w.project}=={w.version} --hash=sha256:{w.sha256}" for w in lock.wheels]})
    document = {"name": lock.environment, "channels": [*local, *lock.channels, "nodefaults"], "dependencies": dependencies}
    head = f"# {lock.environment} for {lock.platform}. Made by `envgen export`.\n"
    notes = ("conda adds a package `pip` of its own to it, which some channel must have",) if _lacks(has_pip, lock) else ()
    return Exported(text=dump(document, head=head), notes=notes)


def _build(package: Any) -> str:
    return str(package.build)


def _lacks(has_pip: bool, lock: Any) -> bool:
    return bool(lock.wheels) and not has_pip
