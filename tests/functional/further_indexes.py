"""Further wheel indexes for functional tests, as those of torch and of a team are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.structs import replace
from tests.builders.index import Index
from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.builders.server import Faults
    from tests.command import Outcome, Project

HEAD = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
dependencies: [python]
"""
LINUX = "cp311-cp311-linux_x86_64"
MANYLINUX = "cp311-cp311-manylinux_2_28_x86_64"


def wheel(
    name: str, version: str, tag: str = "py3-none-any", *, requires: tuple[str, ...] = (), code: str = ""
) -> tuple[str, bytes]:
    module = name.replace("-", "_")
    made = make_wheel(name, version, files={f"{module}.py": code or "x = 1\n"}, requires=requires, tag=tag)
    return wheel_filename(name, version, tag), made


def torch_index() -> Index:
    """Make an index like that of torch: HTML alone, relative links, hashes in fragments, flavours in local versions."""
    index = Index(prefix="/whl", style="html")
    for flavour, tag in (("cpu", MANYLINUX), ("cu126", MANYLINUX), ("rocm6.4", MANYLINUX), ("xpu", LINUX)):
        requires = ("pytorch-triton-xpu ==3.4.0", "eggs") if flavour == "xpu" else ("eggs",)
        index.add(*wheel("torch", f"2.8.0+{flavour}", tag, requires=requires))
        index.add(*wheel("torchvision", f"0.23.0+{flavour}", tag, requires=("torch ==2.8.0",)))
    index.add(*wheel("torch", "2.7.1+xpu", LINUX))
    index.add(*wheel("pytorch-triton-xpu", "3.4.0", MANYLINUX))
    return index


def publish(registries: Registries, *indexes: Index, faults: Faults | None = None) -> None:
    """Serve further indexes beside the default one."""
    registries.publish(faults)
    content = registries.server.content
    assert isinstance(content, dict)
    for index in indexes:
        content |= index.site()
        types = registries.server.faults.content_types
        registries.server.faults = replace(registries.server.faults, content_types={**types, **index.content_types()})


def spec(project: Project, registries: Registries, pypi: str, indexes: str, *, more: str = "") -> None:
    text = indexes.replace("@", registries.server.url)
    project.spec("demo", f"{HEAD}pypi: [{pypi}]\nindexes:\n{text}\n{more}")


def lock_text(project: Project) -> str:
    return project.locks()["demo.linux-64.conda-lock.yml"].decode()


def said(outcome: Outcome) -> str:
    return " ".join((outcome.out + outcome.err).split())


XPU = '  pytorch: {url: "@/whl/simple", projects: [torch, torchvision, pytorch-triton-xpu]}'
"""The index of torch for a spec."""
