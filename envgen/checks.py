"""The rules of `envgen check`, and the exceptions that a spec can have for one of them.

An identifier is never used again for another rule: specs accept findings by it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(StrEnum):
    """Meaning of a finding for users of the environment.

    error: something crashes, or cannot be started. `image` and `bundle` refuse it.
    warning: something may crash or be slow, depending on what is used together.
    note: information; no action is needed.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_TITLES = {
    Severity.ERROR: {
        "ABI001": "extensions use symbols that the locked torch does not have",
        "ABI002": "no interpreter of the environment can import the package's extensions",
        "CUDA001": "one CUDA library twice, under one name",
        "GLIBC001": "a file needs a newer glibc than that of the spec or the image",
        "GLIBC002": "a file needs a newer C++ runtime than systems with the spec's glibc have",
        "ISA001": "a file needs a newer processor than the spec's `archspec`",
        "LIB001": "a package cannot work: a library that it needs is missing",
        "LIB005": "a library lacks symbol versions that another one needs",
        "LIB006": "a needed library is not in the image",
        "OMP001": "two OpenMP runtimes of LLVM's kind",
        "ONE001": "MKL, SYCL runtime or MPI twice, under one name",
        "OPEN002": "parts of cuDNN are missing",
        "PATH001": "two packages contain different files at one path",
    },
    Severity.WARNING: {
        "CUDA002": "one CUDA library twice, one of them a private copy",
        "CUDA003": "two major versions of one CUDA library",
        "CUDA004": "minor versions of CUDA differ",
        "CUDA006": "no part of a package works with the locked CUDA",
        "CUDA005": "built against another CUDA version than the locked one",
        "ELF001": "a file contradicts itself",
        "LIB004": "the order of imports decides which of two libraries is loaded",
        "LIB008": "some extensions or programs of a package need a missing library",
        "LINK001": "link scripts that are not run",
        "OMP002": "OpenMP runtimes of GNU and of LLVM's kind",
        "ONE002": "MKL, SYCL runtime or MPI in several versions",
    },
    Severity.NOTE: {
        "ABI003": "extensions for other interpreters",
        "LDP001": "`LD_LIBRARY_PATH` can replace libraries",
        "LIB002": "a part of a package needs a missing library and cannot be loaded",
        "LIB003": "libraries outside the search path",
        "LIB007": "libraries that the system must have",
        "OMP003": "several copies of GNU's OpenMP runtime",
        "OPEN001": "libraries that are opened at run time are missing",
        "PATH002": "packages contain different files at one path; one of them is kept",
    },
}

RULES = {rule: (severity, title) for severity, rules in _TITLES.items() for rule, title in sorted(rules.items())}
"""Identifier -> severity and what it says."""


class Misfit(Struct, frozen=True, kw_only=True):
    """One finding.

    Attributes:
        rule: a key of `RULES`.
        packages: names of the packages concerned; the first is the one whose files are wrong, where one is.
        what: what is there, what is expected.
        files: paths below the prefix.
        remedy: what to write into the spec, where something can be.
        accepted: the spec's reason for accepting it, else None.
    """

    rule: str
    packages: tuple[str, ...]
    what: str
    files: tuple[str, ...] = ()
    remedy: str | None = None
    accepted: str | None = None

    @property
    def severity(self) -> Severity:
        """Return the severity."""
        return RULES[self.rule][0]

    @property
    def title(self) -> str:
        """Return the title of its rule."""
        return RULES[self.rule][1]

    @property
    def is_open(self) -> bool:
        """Return whether it is an error that nobody accepted."""
        return self.severity is Severity.ERROR and self.accepted is None


def several(names: Iterable[str], *, most: int = 4) -> str:
    """Return names in backticks, the first few of many."""
    found = list(dict.fromkeys(names))
    listed = ", ".join(f"`{name}`" for name in found[:most])
    return listed if len(found) <= most else f"{listed} and {len(found) - most} more"
