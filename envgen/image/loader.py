"""Start the Python of an image on this machine, also where the machine's C library is too old for it, or elsewhere.

The base of the image has one that fits, with the dynamic loader that belongs to it: a program that the loader is asked
to start uses that C library, and everything else as usual. NixOS, and the sandbox in which Nix builds, have no loader
at the path that programs name.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from envgen.convert.deb_unpack import Unpacking
from envgen.errors import UserError
from envgen.glibc import NO_GLIBC
from envgen.manifest.debian_recipe import C_LIBRARY
from envgen.resolve.image_base import fetch_base
from envgen.system.host import probe_host

if TYPE_CHECKING:
    from collections.abc import Collection

    from envgen.glibc import Glibc
    from envgen.prefix.contents import LinkPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair

_NEEDS = re.compile(r"__glibc\s*>=\s*(\d+)\.(\d+)")


def start_command(context: Context, python: LinkPackage, pair: LockPair, scratch: Path) -> tuple[str, ...]:
    """Return the command that starts a Python on this machine.

    Args:
        context: the world.
        python: its package, for the platform of this machine.
        pair: the locks that it is from.
        scratch: a folder that need not exist; takes the C library where the machine's does not start it.

    Raises:
        LockError, UserError, GoneError, NetworkError, IntegrityError: as `unpack_loader`.
    """
    program = os.path.realpath(python.directory / "bin/python")
    needed, host = _needed(python), probe_host().glibc or NO_GLIBC
    if needed <= host and has_loader(Path(program)):
        return (program,)
    loader = unpack_loader(context, pair, scratch)
    return (str(loader), "--inhibit-cache", "--library-path", str(loader.parent), program)


def has_loader(program: Path) -> bool:
    """Return whether this machine has the loader that a program names; a script, or a static program, names none."""
    with program.open("rb") as stream:
        try:
            named = [one.get_interp_name() for one in ELFFile(stream).iter_segments() if isinstance(one, InterpSegment)]
        except ELFError:
            return True
    return all(map(os.path.exists, named))


def _needed(python: LinkPackage) -> Glibc:
    found = (match for text in python.record.depends if (match := _NEEDS.match(text)))
    return max(((int(match[1]), int(match[2])) for match in found), default=NO_GLIBC)


def unpack_loader(context: Context, pair: LockPair, scratch: Path, *, beside: Collection[str] = ()) -> Path:
    """Unpack the C library of the base that is locked, and return its dynamic loader, which lies beside it.

    Args:
        context: the world.
        pair: the locks.
        scratch: a folder that need not exist; takes the files.
        beside: Debian packages to unpack as well, those that the base has.

    Raises:
        LockError: no base is locked.
        UserError: the base has no C library.
        GoneError, NetworkError, IntegrityError: as the archive of Debian says.
    """
    unpacking = Unpacking(root=scratch / "root", licenses=scratch / "licenses", drop=())
    for deb, file in fetch_base(context, pair, only=(C_LIBRARY, *beside)).items():
        with file.open("rb") as stream:
            unpacking.add(deb, stream)
    libc = next(unpacking.root.rglob("libc.so.6"), None)
    if libc is None:
        raise UserError(
            f"the image base of `{pair.lock.environment}` has no C library",
            hint=f"remove `{C_LIBRARY}` from `image.base.exclude`",
        )
    loader, *_ = sorted(libc.parent.glob("ld-linux-*.so.*"))
    return loader
