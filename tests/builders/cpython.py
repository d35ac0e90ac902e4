"""A relocatable archive of CPython, made of the interpreter of the test run: as much of it as a start takes."""

from __future__ import annotations

import io
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.builders.stubs import BASE_PYTHON
from tests.builders.tree import MOMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
_SYSCONFIG = b"""\
build_time_vars = {'LIBDIR': '/built/for/this/lib',
 'other': 'a/built/for/this',
 'prefix': '/built/for/this'}
"""
_PACKAGES = ("collections", "encodings", "importlib", "re", "json")


def cpython_files() -> dict[str, bytes]:
    """Collect the files: path below the root -> bytes."""
    base, lib = BASE_PYTHON.parent.parent, Path(sysconfig.get_path("stdlib"))
    found = {f"bin/python{MINOR}": BASE_PYTHON.read_bytes()}
    own = (file for file in lib.glob("*.py") if not file.name.startswith("_sysconfigdata"))
    modules = [*own, *(file for name in _PACKAGES for file in (lib / name).rglob("*.py"))]
    found |= {f"lib/python{MINOR}/{file.relative_to(lib).as_posix()}": file.read_bytes() for file in modules}
    found |= {f"lib/{file.name}": file.read_bytes() for file in sorted((base / "lib").glob(f"libpython{MINOR}.so.*"))}
    header = Path(sysconfig.get_path("include"), "patchlevel.h")
    version = f'#define PY_VERSION "{sys.version.split()[0]}"\n'.encode()
    found[f"include/python{MINOR}/patchlevel.h"] = header.read_bytes() if header.is_file() else version
    found[f"lib/python{MINOR}/_sysconfigdata__linux_x.py"] = _SYSCONFIG
    return found


def make_archive(files: Mapping[str, bytes], *, root: str = "python/", links: Mapping[str, str] | None = None) -> bytes:
    """Write a `.tar.gz` with some files below a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(root + path)
            info.size, info.mtime = len(data), int(MOMENT.timestamp())
            info.mode = 0o755 if path.startswith("bin/") else 0o644
            tar.addfile(info, io.BytesIO(data))
        for path, target in (links or {}).items():
            info = tarfile.TarInfo(root + path)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return out.getvalue()
