"""The C library that a compiler links programs with: of all Debian recipes, the one that has its own for that alone."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from envgen.convert.deb_unpack import Unpacking
from envgen.errors import ArtifactError
from envgen.glibc import Glibc, glibc_of

if TYPE_CHECKING:
    from envgen.debs import Deb

_LINKED = re.compile(r"(ld-linux[\w-]*|lib(c|m|mvec|resolv))\.so\.\d+")
"""What a linker asks for; since glibc 2.34 the others are empty archives of `libc6-dev`."""


def unpack_c_library(deb: Deb, stream: BinaryIO, *, folder: Path, licenses: Path) -> Glibc:
    """Write the libraries of `libc6` that programs are linked with to a folder, unchanged.

    They are not relocated: nothing loads them, since a program runs with the loader and the C library of its machine.

    Args:
        deb: `libc6`.
        stream: the file, seekable.
        folder: is made; outside of the tree whose files get search paths.
        licenses: see `Unpacking`.

    Returns:
        The version of the library: programs that are linked with it need this one at most.

    Raises:
        ArtifactError: it has no C library, or is not the package that was locked.
    """
    with tempfile.TemporaryDirectory(dir=licenses.parent.parent) as place:
        unpacking = Unpacking(root=Path(place), licenses=licenses)
        unpacking.add(deb, stream)
        folder.mkdir(parents=True)
        for path in (Path(place, name) for name in unpacking.paths()):
            if _LINKED.fullmatch(path.name) and not path.is_symlink():  # `/lib64` has a link to the loader
                path.replace(folder / path.name)
    if not (folder / "libc.so.6").is_file():
        raise ArtifactError(f"`{deb.name}` {deb.version} does not contain `libc.so.6`")
    return glibc_of("GLIBC_" + deb.version.rpartition(":")[2].partition("-")[0])
