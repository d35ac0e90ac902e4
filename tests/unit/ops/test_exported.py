"""The public Python interface: what `envgen.ops` exports, and that nothing of it is loaded before it is used."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest

from envgen import ops
from tests.command import REPOSITORY

VERBS = (
    "add",
    "adopt",
    "audit",
    "rename_environment",
    "remove_environment",
    "list_environments",
    "build",
    "bundle",
    "check",
    "clean",
    "create",
    "diff",
    "doctor",
    "export",
    "image",
    "init",
    "licenses",
    "list_packages",
    "lock",
    "merge_lock",
    "outdated",
    "publish",
    "remove",
    "report",
    "run",
    "schema",
    "shell_hook",
    "sign",
    "tree",
    "verify",
    "verify_signatures",
    "why",
)
OTHERS = (
    "AdoptOptions",
    "AdoptResult",
    "AdoptedLine",
    "Fate",
    "MovedPackage",
    "is_adoptable",
    "is_in_registry",
    "AuditOptions",
    "AuditReport",
    "ListedEnvironment",
    "EnvironmentState",
    "EnvironmentRemoval",
    "EnvironmentListing",
    "BundleOptions",
    "BundlePlan",
    "BundleResult",
    "Chain",
    "CheckReport",
    "CheckedLock",
    "CleanOptions",
    "CleanResult",
    "Cleaned",
    "Comparison",
    "Component",
    "Compression",
    "Context",
    "CreateOptions",
    "Delta",
    "Diagnosis",
    "DiffOptions",
    "Difference",
    "DoctorReport",
    "EditOptions",
    "Entry",
    "EntryChange",
    "Explanation",
    "ExportOptions",
    "Exported",
    "FORMATS",
    "Deviation",
    "ForeignPackage",
    "Graph",
    "ImageChange",
    "ImageInputs",
    "ImageOptions",
    "ImageResult",
    "InitField",
    "InitOptions",
    "InitResult",
    "KernelChange",
    "Level",
    "LicenseReport",
    "LicenseVerdict",
    "ListedPackage",
    "LockComparison",
    "LockListing",
    "LockOptions",
    "LockOutcome",
    "LockResult",
    "LockTree",
    "LockVerdict",
    "Machine",
    "MadeLayer",
    "Need",
    "Node",
    "OutdatedLock",
    "OutdatedPackage",
    "Place",
    "PlannedCreate",
    "PlannedImage",
    "PlannedLayer",
    "PlannedPackage",
    "PublishOptions",
    "PublishResult",
    "Report",
    "ReportOptions",
    "ReportedBudget",
    "SchemaKind",
    "Shell",
    "SignOptions",
    "SignResult",
    "SignedFile",
    "SignedImage",
    "SpecEdit",
    "StoreKind",
    "VerifySubject",
    "Upgrade",
    "Verified",
    "VerifyOptions",
    "Vulnerability",
    "Work",
    "WrittenImage",
    "check_init_field",
    "chosen_environments",
    "environment_names",
    "init_defaults",
    "install_merge_driver",
    "machine_names",
    "open_context",
    "package_names",
    "revision_names",
    "schema_text",
    "settle_locks",
)


def test_exported_members() -> None:
    assert sorted([*VERBS, *OTHERS]) == sorted(ops.__all__)


@pytest.mark.parametrize("name", ops.__all__)
def test_name_resolves(name: str) -> None:
    assert getattr(ops, name).__module__.startswith("envgen.") if name != "FORMATS" else ops.FORMATS


def test_a_verb_is_a_function_also_after_its_module_was_imported() -> None:
    for module in pkgutil.iter_modules(ops.__path__, "envgen.ops."):
        importlib.import_module(module.name)
    assert {verb: type(getattr(ops, verb)) for verb in VERBS} == dict.fromkeys(VERBS, FunctionType)


def test_type_checkers_are_told_the_same() -> None:
    tree = ast.parse(Path(ops.__file__).read_text(encoding="utf-8"))
    (block,) = (n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    told = {a.name: str(n.module) for n in block.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert told == {name: f"envgen.{module}" for name, module in ops._MODULES.items()}


def test_the_readme_names_what_is_exported() -> None:
    text = (REPOSITORY / "envgen/README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    named = set(re.findall(r"\bops\.(\w+)", example))
    assert named
    assert named <= set(ops.__all__)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'lok'"):
        getattr(ops, "lok")  # noqa: B009  a type checker would refuse it


def test_importing_loads_no_verb() -> None:
    code = "import sys, envgen.ops; print([m for m in sys.modules if m.startswith('envgen.') and m != 'envgen.ops'])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
