"""Read `pylock.toml` (PEP 751): https://packaging.python.org/en/latest/specifications/pylock-toml/."""

from __future__ import annotations

from envgen.adopt import fields
from envgen.adopt.adopted import Adopted, PinnedPackage
from envgen.adopt.locked import LockedPackage, take_packages
from envgen.adopt.uv_tables import direct

_DIRECT = ("vcs", "archive", "directory")


def read_pylock(text: str, source: str) -> Adopted:
    """Read a lock of PEP 751.

    Raises:
        SpecError: it cannot be read, or is of another version.
    """
    document = fields.toml_document(text, source)
    found = Adopted(source=source)
    if not str(document.get("lock-version", "")).startswith("1."):
        found.fail(f"{source}: lock-version", f"expected 1.x, got {document.get('lock-version')!r}")
    if requires := document.get("requires-python"):
        found.requires_python(f"{source}: requires-python", str(requires), str(requires))
    packages = []
    for where, package in fields.tables(document.get("packages"), f"{source}: packages"):
        name = fields.text(package.get("name"), f"{where}.name")
        origin = next((fields.table(package[key], f"{where}.{key}") for key in _DIRECT if key in package), None)
        if origin is not None:
            _direct(found, where, name, origin, is_git="vcs" in package)
        elif "version" in package:
            requires = tuple(str(one.get("name")) for _, one in fields.tables(package.get("dependencies"), where))
            pinned = PinnedPackage(name=name, version=str(package["version"]))
            packages.append(LockedPackage(where=where, pinned=pinned, requires=requires))
        else:
            found.left(where, name, "it has neither a version nor a source")
    take_packages(found, packages)
    return found


def _direct(found: Adopted, where: str, name: str, origin: dict[str, object], *, is_git: bool) -> None:
    source = {"git": origin.get("url"), "rev": origin.get("commit-id"), "subdirectory": origin.get("subdirectory")}
    address = direct(source if is_git else origin)
    if address is None:
        found.left(where, name, "its source has no address")
    else:
        found.wheel(where, f"{name} @ {address}")
