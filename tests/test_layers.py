"""The import rule of envgen, proven over the syntax tree of every module.

Imports inside functions and under `TYPE_CHECKING` count: a back edge that only type checkers see still ties two
rooms together.
"""

from __future__ import annotations

import ast
import graphlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_LINES = 400

VOCABULARY = "vocabulary"
VOCABULARY_MODULES = frozenset(
    {
        "__init__",
        "builds",
        "cuda",
        "debs",
        "digest",
        "documents",
        "errors",
        "checks",
        "events",
        "glibc",
        "indexes",
        "inflate",
        "lenient",
        "licenses",
        "limits",
        "meant",
        "metadata",
        "moments",
        "names",
        "packages",
        "paths",
        "platforms",
        "printable",
        "pythons",
        "records",
        "sizes",
        "references",
        "structs",
        "suggest",
        "template_sandbox",
        "template_syntax",
        "templates",
        "together",
        "urls",
        "versions",
        "whiteout",
        "wheels",
    }
)
ROOMS = (
    VOCABULARY,
    "manifest",
    "adopt",
    "system",
    "oci",
    "sources",
    "solve",
    "lock",
    "export",
    "sign",
    "convert",
    "prefix",
    "check",
    "project",
    "prepare",
    "resolve",
    "create",
    "image",
    "diff",
    "bundle",
    "publish",
    "merge",
    "diagnose",
    "audit",
    "verify",
    "report",
    "ops",
    "cli",
)
"""Every room, in the direction of the flow: a room may import itself and what stands before it."""

NARROWER = {
    VOCABULARY: (),
    "manifest": (VOCABULARY,),
    "adopt": (VOCABULARY, "manifest"),
    "solve": (VOCABULARY, "manifest"),
    "lock": (VOCABULARY, "manifest", "system.fs"),
    "export": (VOCABULARY, "lock"),
    "convert": (VOCABULARY, "manifest", "system", "lock"),
    "prefix": (VOCABULARY, "system"),
    "check": (VOCABULARY,),
    "report": (VOCABULARY,),
    "oci": (VOCABULARY, "system"),
    "sign": (VOCABULARY, "system", "lock", "export", "oci"),
    "audit": (VOCABULARY, "manifest", "system", "lock"),
    # libraries want a home before `ops` can be imported, and the last door words what a machine refused
    "cli": (VOCABULARY, "ops", "system.home", "system.os_faults"),
}
"""Rooms that see less than everything before them; `room.module` names one module of a room."""

STRANGERS = (frozenset({"create", "image"}),)
"""Rooms of which none may see another, wherever they stand in the flow."""

CONFINED = {
    "click": ("cli.*",),
    "rich": ("cli.*",),
    "subprocess": ("system.process",),
    "os.system": (),
    "os.popen": (),
    "os.execv": ("system.process",),
    "os.execve": ("system.process",),
    "os.execvpe": ("system.process",),
    "urllib3": ("system.http", "system.pools"),
    "pyreqwest": ("system.bulk",),
    "urllib.request": ("system.http",),
    "http.client": ("system.pools",),
    "requests": (),
    "httpx": (),
    "os.environ": ("cli.group", "__main__", "system.rattler_certificates"),  # rattler reads nothing else
    "os.environb": (),
    "os.getenv": (),
    "hashlib": ("digest",),
    "dataclasses": ("structs", "convert.wheel_stream", "convert.wheel_unpack"),  # 0.4 ms a class; a Struct has no ABC
    "datetime.datetime.now": ("cli.*",),
    "datetime.datetime.utcnow": (),
    "datetime.date.today": (),
    "time.time": (),
    "time.time_ns": (),
    "importlib.import_module": ("cli.commands", "ops"),  # an import that this test cannot see
    "__import__": (),
}
"""What only some modules may touch (`room.*` is a whole room): other code receives it as an argument or calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One module: its dotted name below `envgen`, what it imports of envgen, and the foreign names it touches."""

    name: str
    imports: frozenset[str]
    touches: frozenset[str]

    @property
    def room(self) -> str:
        return room_of(self.name)


@dataclass(slots=True)
class _Reader(ast.NodeVisitor):
    """Collects imports anywhere in a module, and attribute chains that start at an imported name."""

    package: str
    known: frozenset[str]
    imports: set[str] = field(default_factory=set)
    touches: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._take(alias.name)
            self.aliases[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = self.package.split(".")[: len(self.package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            full = f"{base}.{alias.name}"
            self._take(full if full in self.known else base)
            self.touches.add(full)
            self.aliases[alias.asname or alias.name] = full

    def visit_Attribute(self, node: ast.Attribute) -> None:
        parts = [node.attr]
        inner = node.value
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name):
            self.touches.add(".".join([self.aliases.get(inner.id, f"?{inner.id}"), *reversed(parts)]))
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self.touches.add(self.aliases.get(node.id, node.id if node.id.startswith("__") else f"?{node.id}"))

    def _take(self, full: str) -> None:
        self.touches.add(full)
        if full == "envgen" or full.startswith("envgen."):
            self.imports.add(full.removeprefix("envgen").removeprefix(".") or "__init__")


def read(name: str, source: str, known: frozenset[str], *, is_package: bool = False) -> Module:
    """Read one module; `known` holds the full dotted names of all modules, to tell `from package import module`."""
    full = f"envgen.{name}"
    reader = _Reader(package=full if is_package else full.rpartition(".")[0], known=known)
    tree = ast.parse(source)
    for node in ast.walk(tree):  # imports first, wherever they stand: a function may use what is imported below it
        if isinstance(node, ast.Import | ast.ImportFrom):
            reader.visit(node)
    reader.visit(tree)
    return Module(name=name, imports=frozenset(reader.imports), touches=frozenset(reader.touches))


def room_of(name: str) -> str:
    """Name the room of a module, given its dotted name below `envgen`; `__main__` is the command line too."""
    head = name.partition(".")[0]
    if head == "__main__":
        return "cli"
    return VOCABULARY if head in VOCABULARY_MODULES else head


def faults(module: Module) -> list[str]:
    """List what one module does against the rule, in words."""
    back = [f"{module.name} imports {name}" for name in sorted(module.imports) if not _may_import(module, name)]
    touched = [
        f"{module.name} touches {thing}"
        for thing, doors in CONFINED.items()
        if any(t == thing or t.startswith(f"{thing}.") for t in module.touches)
        and not any(module.name == door or _inside(module.room, door) for door in doors)
    ]
    return back + touched


def _may_import(module: Module, name: str) -> bool:
    room, other = module.room, room_of(name)
    if other == room:
        return True
    if not {room, other} <= set(ROOMS) or any({room, other} <= group for group in STRANGERS):
        return False
    if any(part.startswith("_") and not part.startswith("__") for part in name.split(".")):
        return False  # a private module belongs to its room
    if room in NARROWER:
        return any(seen in (name, other) for seen in NARROWER[room])
    return ROOMS.index(other) < ROOMS.index(room)


def _inside(room: str, door: str) -> bool:
    return door == f"{room}.*"


def _names() -> dict[str, Path]:
    package = ROOT / "envgen"
    paths = sorted(p for p in package.rglob("*.py") if "data" not in p.relative_to(package).parts)
    return {".".join(p.relative_to(package).with_suffix("").parts): p for p in paths}


def _modules() -> list[Module]:
    names = _names()
    known = frozenset(f"envgen.{name.removesuffix('.__init__')}" for name in names)
    return [
        read(name.removesuffix(".__init__"), path.read_text(), known, is_package=path.stem == "__init__")
        for name, path in names.items()
    ]


MODULES = _modules()
SOURCES = sorted([*_names().values(), *(ROOT / "tests").rglob("*.py")])


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.name)
def test_module_keeps_the_import_rule(module: Module) -> None:
    assert faults(module) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.name)
def test_module_stands_in_a_room(module: Module) -> None:
    assert module.room in ROOMS


def test_a_class_name_is_defined_once() -> None:
    homes: dict[str, list[str]] = {}
    for name, path in _names().items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(name)
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}


def test_no_two_modules_import_each_other() -> None:
    graph = {m.name: m.imports - {"__init__", m.name} for m in MODULES}
    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_file_is_not_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


BROKEN = [
    ("digest", "from envgen.manifest.env_spec import EnvSpec", "digest imports manifest.env_spec"),
    ("solve.engine", "from envgen import sources", "solve.engine imports sources"),
    ("solve.engine", "def f():\n    from envgen.system.http import Http", "solve.engine imports system.http"),
    (
        "manifest.parse",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from envgen.lock import conda_lock",
        "manifest.parse imports lock.conda_lock",
    ),
    ("lock.diff", "import envgen.system.store", "lock.diff imports system.store"),
    ("create.fit", "from envgen.image import layer", "create.fit imports image.layer"),
    ("image.plan", "from ..create import locate", "image.plan imports create.locate"),
    ("export.pip", "import envgen.manifest.env_spec", "export.pip imports manifest.env_spec"),
    ("ops.lock", "from rich.table import Table", "ops.lock touches rich"),
    ("cli.lock", "from envgen.lock.model import Lock", "cli.lock imports lock.model"),
    ("cli.lock", "from envgen.ops._lock import lock", "cli.lock imports ops._lock"),
    ("system.http", "import subprocess as sp", "system.http touches subprocess"),
    ("sources.pypi", "import urllib3.util", "sources.pypi touches urllib3"),
    ("cli.lock", "import os as o\nhome = o.environ['HOME']", "cli.lock touches os.environ"),
    ("cli.lock", "from os import environ", "cli.lock touches os.environ"),
    (
        "system.store",
        "import datetime as dt\nnow = dt.datetime.now(dt.UTC)",
        "system.store touches datetime.datetime.now",
    ),
    ("lock.diff", "__import__('envgen.cli')", "lock.diff touches __import__"),
    ("nowhere.thing", "from envgen.shelf import box", "nowhere.thing imports shelf.box"),
]


@pytest.mark.parametrize(("name", "source", "fault"), BROKEN, ids=[case[2] for case in BROKEN])
def test_the_rule_sees(name: str, source: str, fault: str) -> None:
    known = {
        "envgen.sources",
        "envgen.lock.conda_lock",
        "envgen.lock.model",
        "envgen.ops._lock",
        "envgen.create.locate",
        "envgen.image.layer",
        "envgen.shelf.box",
    }
    assert faults(read(name, source, frozenset(known))) == [fault]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("lock.files", "from envgen.system import fs"),
        ("system.process", "import subprocess, os\nos.execvpe('a', [], {})"),
        ("cli.console", "import rich.console"),
        (
            "cli.lock",
            "from envgen import ops\nfrom envgen.ops import LockOptions\nfrom envgen.platforms import Platform",
        ),
        ("__main__", "import os, sys\nfrom envgen.cli.main import main\nmain(os.environ)"),
        ("system.fs", "import time\nlimit = time.monotonic()"),
        ("image.plan", "from envgen.prefix.link import link"),
        ("records", "from envgen import digest\nclick = digest.chunks"),
    ],
)
def test_the_rule_allows(name: str, source: str) -> None:
    assert faults(read(name, source, frozenset({"envgen.system.fs", "envgen.digest"}))) == []
