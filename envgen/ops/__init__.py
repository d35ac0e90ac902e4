"""The public Python interface: one function for each verb, and the types that they take and return.

    from envgen import ops

    context = ops.open_context(directory=Path.cwd(), environment=os.environ, now=dt.datetime.now(dt.UTC))
    result = ops.lock(context, ops.LockOptions(env="train"))

A verb and its types are imported when they are first used: `envgen --help` must not load the solver.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envgen.adopt.adopted import AdoptedLine, Fate
    from envgen.audit.findings import Vulnerability
    from envgen.create.activate import Shell
    from envgen.create.place import Place
    from envgen.diagnose.diagnosis import Diagnosis
    from envgen.diagnose.findings import Level
    from envgen.diagnose.machine import Machine
    from envgen.diff.comparison import Comparison, Difference
    from envgen.diff.delta import Delta, Entry, EntryChange
    from envgen.export.export_input import Exported
    from envgen.export.formats import FORMATS
    from envgen.image.assemble import PlannedImage, WrittenImage
    from envgen.image.inputs import ImageInputs
    from envgen.image.layer_plan import PlannedLayer
    from envgen.image.made_layers import ImageChange, MadeLayer
    from envgen.lock.graph import Chain, Graph, Need, Node
    from envgen.lock.stack import Component
    from envgen.oci.compress import Compression
    from envgen.ops._adopt import AdoptOptions, AdoptResult, MovedPackage, adopt, is_adoptable
    from envgen.ops._audit import AuditOptions, AuditReport, audit
    from envgen.ops._build import build
    from envgen.ops._bundle import BundleOptions, BundlePlan, BundleResult, bundle
    from envgen.ops._check import CheckedLock, CheckReport, check
    from envgen.ops._clean import CleanOptions, CleanResult, clean
    from envgen.ops._completion import environment_names, machine_names, package_names, revision_names
    from envgen.ops._create import CreateOptions, PlannedCreate, chosen_environments, create
    from envgen.ops._diff import DiffOptions, diff
    from envgen.ops._doctor import DoctorReport, doctor
    from envgen.ops._edit import EditOptions, SpecEdit, add, remove
    from envgen.ops._env import (
        EnvironmentListing,
        EnvironmentRemoval,
        EnvironmentState,
        ListedEnvironment,
        list_environments,
        remove_environment,
        rename_environment,
    )
    from envgen.ops._export import ExportOptions, export
    from envgen.ops._image import ImageOptions, ImageResult, image
    from envgen.ops._init import InitField, InitOptions, InitResult, check_init_field, init, init_defaults
    from envgen.ops._licenses import LicenseReport, LicenseVerdict, licenses
    from envgen.ops._list import ListedPackage, LockListing, list_packages
    from envgen.ops._lock import LockOptions, LockOutcome, LockResult, LockVerdict, lock
    from envgen.ops._merge_lock import install_merge_driver, merge_lock, settle_locks
    from envgen.ops._outdated import OutdatedLock, OutdatedPackage, outdated
    from envgen.ops._publish import PublishOptions, PublishResult, publish
    from envgen.ops._report import ReportOptions, report
    from envgen.ops._run import run, shell_hook
    from envgen.ops._schema import SchemaKind, schema, schema_text
    from envgen.ops._sign import SignOptions, SignResult, sign, verify_signatures
    from envgen.ops._sign_files import SignedFile
    from envgen.ops._tree import Explanation, LockTree, tree, why
    from envgen.ops._verify import Verified, VerifyOptions, is_in_registry, verify
    from envgen.prefix.foreign import ForeignPackage
    from envgen.prefix.kernel import KernelChange
    from envgen.prepare.plan import PlannedPackage, Work
    from envgen.project.context import Context, open_context
    from envgen.report.model import Report, ReportedBudget
    from envgen.resolve.upgrade import Upgrade
    from envgen.sign.images import SignedImage
    from envgen.system.store import Cleaned, StoreKind
    from envgen.verify.findings import Deviation, LockComparison
    from envgen.verify.subject import VerifySubject

__all__ = [
    "FORMATS",
    "AdoptOptions",
    "AdoptResult",
    "AdoptedLine",
    "AuditOptions",
    "AuditReport",
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
    "Deviation",
    "Diagnosis",
    "DiffOptions",
    "Difference",
    "DoctorReport",
    "EditOptions",
    "Entry",
    "EntryChange",
    "EnvironmentListing",
    "EnvironmentRemoval",
    "EnvironmentState",
    "Explanation",
    "ExportOptions",
    "Exported",
    "Fate",
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
    "ListedEnvironment",
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
    "MovedPackage",
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
    "Upgrade",
    "Verified",
    "VerifyOptions",
    "VerifySubject",
    "Vulnerability",
    "Work",
    "WrittenImage",
    "add",
    "adopt",
    "audit",
    "build",
    "bundle",
    "check",
    "check_init_field",
    "chosen_environments",
    "clean",
    "create",
    "diff",
    "doctor",
    "environment_names",
    "export",
    "image",
    "init",
    "init_defaults",
    "install_merge_driver",
    "is_adoptable",
    "is_in_registry",
    "licenses",
    "list_environments",
    "list_packages",
    "lock",
    "machine_names",
    "merge_lock",
    "open_context",
    "outdated",
    "package_names",
    "publish",
    "remove",
    "remove_environment",
    "rename_environment",
    "report",
    "revision_names",
    "run",
    "schema",
    "schema_text",
    "settle_locks",
    "shell_hook",
    "sign",
    "tree",
    "verify",
    "verify_signatures",
    "why",
]

_HOMES = {
    "adopt.adopted": ("AdoptedLine", "Fate"),
    "audit.findings": ("Vulnerability",),
    "create.activate": ("Shell",),
    "create.place": ("Place",),
    "diagnose.diagnosis": ("Diagnosis",),
    "diagnose.findings": ("Level",),
    "diagnose.machine": ("Machine",),
    "diff.comparison": ("Comparison", "Difference"),
    "diff.delta": ("Delta", "Entry", "EntryChange"),
    "export.export_input": ("Exported",),
    "export.formats": ("FORMATS",),
    "image.assemble": ("PlannedImage", "WrittenImage"),
    "image.inputs": ("ImageInputs",),
    "image.layer_plan": ("PlannedLayer",),
    "image.made_layers": ("ImageChange", "MadeLayer"),
    "lock.graph": ("Chain", "Graph", "Need", "Node"),
    "lock.stack": ("Component",),
    "oci.compress": ("Compression",),
    "ops._adopt": ("AdoptOptions", "AdoptResult", "MovedPackage", "adopt", "is_adoptable"),
    "ops._audit": ("AuditOptions", "AuditReport", "audit"),
    "ops._build": ("build",),
    "ops._check": ("CheckReport", "CheckedLock", "check"),
    "ops._bundle": ("BundleOptions", "BundlePlan", "BundleResult", "bundle"),
    "ops._clean": ("CleanOptions", "CleanResult", "clean"),
    "ops._completion": ("environment_names", "machine_names", "package_names", "revision_names"),
    "ops._create": ("CreateOptions", "PlannedCreate", "chosen_environments", "create"),
    "ops._diff": ("DiffOptions", "diff"),
    "ops._doctor": ("DoctorReport", "doctor"),
    "ops._edit": ("EditOptions", "SpecEdit", "add", "remove"),
    "ops._env": (
        "EnvironmentListing",
        "EnvironmentRemoval",
        "EnvironmentState",
        "ListedEnvironment",
        "list_environments",
        "remove_environment",
        "rename_environment",
    ),
    "ops._export": ("ExportOptions", "export"),
    "ops._image": ("ImageOptions", "ImageResult", "image"),
    "ops._init": ("InitField", "InitOptions", "InitResult", "check_init_field", "init", "init_defaults"),
    "ops._licenses": ("LicenseReport", "LicenseVerdict", "licenses"),
    "ops._list": ("ListedPackage", "LockListing", "list_packages"),
    "ops._lock": ("LockOptions", "LockOutcome", "LockResult", "LockVerdict", "lock"),
    "ops._merge_lock": ("install_merge_driver", "merge_lock", "settle_locks"),
    "ops._outdated": ("OutdatedLock", "OutdatedPackage", "outdated"),
    "ops._publish": ("PublishOptions", "PublishResult", "publish"),
    "ops._report": ("ReportOptions", "report"),
    "ops._run": ("run", "shell_hook"),
    "ops._schema": ("SchemaKind", "schema", "schema_text"),
    "ops._sign": ("SignOptions", "SignResult", "sign", "verify_signatures"),
    "ops._sign_files": ("SignedFile",),
    "ops._tree": ("Explanation", "LockTree", "tree", "why"),
    "ops._verify": ("Verified", "VerifyOptions", "is_in_registry", "verify"),
    "prefix.foreign": ("ForeignPackage",),
    "prefix.kernel": ("KernelChange",),
    "prepare.plan": ("PlannedPackage", "Work"),
    "project.context": ("Context", "open_context"),
    "report.model": ("Report", "ReportedBudget"),
    "resolve.upgrade": ("Upgrade",),
    "sign.images": ("SignedImage",),
    "system.store": ("Cleaned", "StoreKind"),
    "verify.findings": ("Deviation", "LockComparison"),
    "verify.subject": ("VerifySubject",),
}
"""Module below `envgen` -> names that it defines."""

_MODULES = {name: module for module, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:  # a type checker would take any name for one that is there

    def __getattr__(name: str) -> Any:
        """Import what a name stands for, once."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"envgen.{_MODULES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """List what is exported."""
        return sorted(__all__)
