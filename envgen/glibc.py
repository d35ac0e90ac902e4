"""The C library of GNU: what it brings, and which version of it a symbol asks for."""

from __future__ import annotations

import re

Glibc = tuple[int, int]

C_LIBRARIES = re.compile(
    r"(?:libc|libm|libpthread|libdl|librt|libutil|libresolv|libanl|libmvec|libBrokenLocale|ld-linux[\w-]*)\.so\.\d+"
)
"""Names of the libraries that the C library brings."""

_GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?")
_MARKERS = {"GLIBC_ABI_DT_RELR": (2, 36)}
"""Version names without a number, and the glibc that first had them: https://sourceware.org/glibc/wiki/Release/2.36"""

NO_GLIBC: Glibc = (0, 0)


def glibc_of(name: str) -> Glibc:
    """Return the glibc that first had a symbol version such as `GLIBC_2.34`; `NO_GLIBC` for other libraries' ones."""
    if match := _GLIBC.fullmatch(name):
        return int(match[1]), int(match[2])
    return _MARKERS.get(name, NO_GLIBC)
