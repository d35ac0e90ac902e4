"""Debian packages: one `.deb` of an archive, and where archives stand in locks."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from envgen.digest import Sha256

_PLAIN = re.compile(r"\d+(?:\.\d+)*")


class DebianArea(StrEnum):
    """One of Debian's archives."""

    DEBIAN = "debian"
    SECURITY = "debian-security"

    @classmethod
    def of_suite(cls, suite: str) -> DebianArea:
        """Name the archive that holds a suite: `bookworm-security` lies in an archive of its own."""
        return cls.SECURITY if suite.endswith("-security") else cls.DEBIAN

    @property
    def placeholder(self) -> str:
        """Return the placeholder of the archive's address in locks."""
        return "${ENVGEN_DEBIAN_SECURITY}" if self is DebianArea.SECURITY else "${ENVGEN_DEBIAN}"


class Deb(Struct, frozen=True, kw_only=True):
    """One `.deb`.

    Attributes:
        name: of the binary package.
        version: in Debian's form, `[epoch:]upstream[-revision]`.
        architecture: Debian's name of it (`amd64`), or `all`.
        archive: which archive offers it.
        path: below the archive's address, `pool/...`.
        sha256: of the `.deb`.
        size: bytes of the `.deb`.
    """

    name: str
    version: str
    architecture: str
    archive: DebianArea
    path: str
    sha256: Sha256
    size: int

    @property
    def url(self) -> str:
        """Return the address with the archive's placeholder."""
        return f"{self.archive.placeholder}/{self.path}"

    @property
    def upstream(self) -> str:
        """Return the numeric part of the upstream version: `23.0.1` of `1:23.0.1+dfsg-1`.

        Raises:
            ValueError: the upstream version is no dotted number before its first `+`.
        """
        upstream = self.version.rpartition("-")[0] or self.version
        plain = (upstream.partition(":")[2] or upstream).partition("+")[0]
        if not _PLAIN.fullmatch(plain):
            raise ValueError(f"version {self.version!r} of {self.name} has no plain upstream version")
        return plain

    @property
    def revision(self) -> str:
        """Return Debian's part of the version (`6+deb12u9`); empty for a native package."""
        return self.version.rpartition("-")[2] if "-" in self.version else ""
