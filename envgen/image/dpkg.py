"""Which Debian packages an image holds, where scanners look: `/var/lib/dpkg/status.d`, as distroless images have it.

One file a package instead of dpkg's one database, so that nobody takes the image for a system that dpkg manages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.convert.deb_unpack import merged
from envgen.errors import ArtifactError
from envgen.image.entries import file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from envgen.image.entries import File

FOLDER = "var/lib/dpkg/status.d"


def status(controls: Mapping[str, Mapping[str, bytes]], *, paths: Collection[str]) -> Iterator[File]:
    """Describe packages.

    Args:
        controls: package -> its control files, by name.
        paths: everything in the image, merged into `/usr`; digests of files that were left out are left out too.

    Raises:
        ArtifactError: a package does not say what it is.
    """
    for name, control in controls.items():
        if "control" not in control:
            raise ArtifactError(f"`{name}` has no control file")
        yield file(f"{FOLDER}/{name}", _stanza(control["control"]))
        if "md5sums" in control:
            yield file(f"{FOLDER}/{name}.md5sums", _present(control["md5sums"], paths))


def _stanza(control: bytes) -> bytes:
    """Insert the line `Status: ... installed` after the first one, as dpkg does."""
    first, _, rest = control.strip(b"\n").partition(b"\n")
    return first + b"\nStatus: install ok installed\n" + rest + b"\n"


def _present(md5sums: bytes, paths: Collection[str]) -> bytes:
    lines = md5sums.splitlines(keepends=True)
    return b"".join(
        line
        for line in lines
        if merged(line.split(maxsplit=1)[1].decode(errors="surrogateescape").rstrip("\n")) in paths
    )
