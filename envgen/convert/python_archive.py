"""A relocatable archive of CPython becomes the conda packages `python` and `python_abi`.

Nothing of it is run. What it needs of the machine is measured from its files: other libraries than those in it and the
C library are a fault of the archive, but for extension modules, which are left out.
"""

from __future__ import annotations

import re
import tarfile
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen import limits
from envgen.convert import elf
from envgen.convert.package import PLACEHOLDER, seal
from envgen.convert.patterns import compile_pattern
from envgen.errors import ArtifactError
from envgen.glibc import C_LIBRARIES
from envgen.paths import parse_prefix_path
from envgen.platforms import dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from envgen.convert.package import FileMode
    from envgen.digest import Sha256
    from envgen.manifest.archive_recipe import ArchiveRecipe
    from envgen.platforms import Platform, PythonMinor

BUILDER_VERSION = 1
"""Counts changes of this code that change the bytes it makes."""

_VERSION = re.compile(r'^#define\s+PY_VERSION\s+"([^"]+)"', re.MULTILINE)
_PREFIX = re.compile(r"""^ *'prefix': '([^']+)'""", re.MULTILINE)
_NO_TAR = "file could not be opened successfully"
_MACHINES = {"x86_64": 62, "aarch64": 183}
"""`e_machine` of the ELF header, by the machine of a platform."""


class ArchivePlan(Struct, frozen=True, kw_only=True):
    """What an archive is made into.

    Attributes:
        recipe: how.
        python: the minor version that it must have.
        platform: it must be for.
        sha256: of the archive.
    """

    recipe: ArchiveRecipe
    python: PythonMinor
    platform: Platform
    sha256: Sha256


def build_python_archive(
    archive: Path, plan: ArchivePlan, dest: Path, *, what: str, warn: Callable[[str], object]
) -> tuple[Path, ...]:
    """Build both packages into folders of `dest`, and return them.

    Args:
        archive: the file, verified.
        plan: what to make of it.
        dest: an empty folder.
        what: the archive is called in messages.
        warn: told of modules that are left out.

    Raises:
        ArtifactError: it is damaged, or not a relocatable CPython of this version and platform.
        MissingLibrariesError: programs or libraries of it need libraries that are not in it.
    """
    package, recipe = dest / "python", plan.recipe
    package.mkdir()
    _unpack(archive, package, plan, what)
    version = _checked_version(package, plan, what)
    _link_names(package, plan.python)
    if left_out := _leave_out(package):
        warn(f"`{what}`: left out {', '.join(left_out)}, which need libraries that the archive lacks")
    glibc = elf.relocate(package, libraries="lib", keep=True)
    modes = dict(_relocated(package, plan, what))
    about = {"summary": recipe.summary, "license": recipe.license, "home": recipe.home}
    tag, minor = plan.python.tag, str(plan.python)
    index: dict[str, Any] = {
        "name": recipe.name,
        "version": version,
        "build": f"h{plan.sha256[:8]}_0",
        "build_number": 0,
        "subdir": plan.platform,
        "arch": plan.platform.machine,
        "platform": "linux",
        "depends": [f"__glibc >={dotted(glibc)}"],
        "constrains": [f"python_abi {minor}.* *_{tag}"],
        "license": recipe.license,
    }
    seal(package, index=index, placeholders=modes, about=about)
    abi = dest / "python_abi"
    abi.mkdir()
    of_abi: dict[str, Any] = {"depends": [], "constrains": [f"python {minor}.*"], "license": recipe.license}
    names = {"name": "python_abi", "version": minor, "build": f"3_{tag}", "build_number": 0}
    seal(abi, index={**names, **of_abi, "subdir": "noarch", "noarch": "generic"}, placeholders={}, about=about)
    return package, abi


def _unpack(archive: Path, package: Path, plan: ArchivePlan, what: str) -> None:
    """Unpack what is below the root of the archive, the folder with `bin/python3.12`."""
    drop = [compile_pattern(pattern) for pattern in plan.recipe.drop]
    try:
        with tarfile.open(archive) as tar:
            members = [*_bounded(tar)]
            root = _root(members, plan, what)
            for member in members:
                path = member.name.removeprefix("./")
                if not path.startswith(root) or path == root or member.isdir():
                    continue
                path = parse_prefix_path(path.removeprefix(root))
                if "__pycache__" in path.split("/") or any(pattern.fullmatch(path) for pattern in drop):
                    continue
                inside = member.linkname.removeprefix("./").removeprefix(root) if member.islnk() else member.linkname
                # `data` refuses absolute names, `..`, devices, and links out of the folder (PEP 706)
                tar.extract(member.replace(name=path, linkname=inside, deep=False), package, filter="data")
    except (tarfile.TarError, EOFError, ValueError, KeyError) as error:
        # tarfile lists what each compression says that it tried
        why = "not a tar archive with gzip, bzip2, xz or nothing" if str(error).startswith(_NO_TAR) else str(error)
        raise ArtifactError(f"failed to unpack `{what}`: {why}") from error


def _bounded(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    size = 0
    for number, member in enumerate(tar):
        size += member.size
        if number >= limits.SOURCE_FILES or size > limits.SOURCE:
            raise ValueError(
                f"it has more than {limits.SOURCE_FILES} files or {limits.SOURCE} bytes, which is the limit"
            )
        yield member


def _root(members: list[tarfile.TarInfo], plan: ArchivePlan, what: str) -> str:
    """Return the folder that becomes the prefix, empty or with a slash at the end."""
    programs = [m.name.removeprefix("./") for m in members if re.search(r"(?:^|/)bin/python3\.\d+$", m.name)]
    program = f"bin/python{plan.python}"
    found = sorted((name.removesuffix(program) for name in programs if f"/{name}".endswith(f"/{program}")), key=len)
    if not found:
        there = f"; it has `{min(programs)}`" if programs else ""
        raise ArtifactError(f"`{what}` has no `{program}`{there}", hint="name an archive of the Python of the spec")
    return found[0]


def _checked_version(package: Path, plan: ArchivePlan, what: str) -> str:
    """Read the version from the headers, and compare the machine of the interpreter with the platform."""
    header = package / f"include/python{plan.python}/patchlevel.h"
    match = _VERSION.search(header.read_text(encoding="utf-8", errors="replace")) if header.is_file() else None
    if match is None:
        raise ArtifactError(
            f"`{what}` has no `include/python{plan.python}/patchlevel.h` with a version",
            hint="use an archive with headers, such as one whose name ends with `install_only`",
        )
    program = (package / f"bin/python{plan.python}").resolve()
    with program.open("rb") as stream:
        head = stream.read(20)
    if head[:4] != b"\x7fELF" or int.from_bytes(head[18:20], "little") != _MACHINES[plan.platform.machine]:
        raise ArtifactError(f"`bin/python{plan.python}` of `{what}` is not a program for {plan.platform}")
    return match[1]


def _link_names(package: Path, python: PythonMinor) -> None:
    for name in ("python", "python3"):
        if not (link := package / "bin" / name).exists():
            link.unlink(missing_ok=True)
            link.symlink_to(f"python{python}")


def _leave_out(package: Path) -> list[str]:
    """Remove extension modules that need libraries which are not there, and return their names."""
    known = {path.name for path in package.rglob("*.so*")}
    left_out = []
    for found in elf.find_elves(package):
        lost = [name for name in found.needed if name not in known and not C_LIBRARIES.fullmatch(name)]
        if lost and "/lib-dynload/" in f"/{found.path}":
            (package / found.path).unlink()
            left_out.append(found.path.rpartition("/")[2].partition(".")[0])
    return left_out


def _relocated(package: Path, plan: ArchivePlan, what: str) -> Iterator[tuple[str, FileMode]]:
    """Replace the folder that the archive was built for in texts, and yield the files with the placeholder."""
    data = next(iter(sorted((package / f"lib/python{plan.python}").glob("_sysconfigdata_*.py"))), None)
    match = _PREFIX.search(data.read_text(encoding="utf-8")) if data else None
    if match is None:
        raise ArtifactError(f"`{what}` has no `lib/python{plan.python}/_sysconfigdata_*.py` with a prefix")
    old = re.compile(rf"(?<![\w./-]){re.escape(match[1].rstrip('/'))}(?![\w.-])")
    patterns = [compile_pattern(pattern) for pattern in plan.recipe.relocate]
    for file in sorted(package.rglob("*")):
        path = file.relative_to(package).as_posix()
        if file.is_symlink() or not file.is_file() or not any(pattern.fullmatch(path) for pattern in patterns):
            continue
        try:
            text = file.read_bytes().decode()
        except UnicodeDecodeError:
            continue
        if (changed := old.sub(PLACEHOLDER, text)) != text:
            file.write_bytes(changed.encode())
            yield path, "text"
