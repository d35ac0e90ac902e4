"""Whether libraries of torch define the C++ symbols that extensions of torch were compiled against."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen.checks import Misfit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from envgen.check.binary import Binary
    from envgen.check.subject import Subject

TORCH_LIBRARY = re.compile(r"lib(?:torch|c10)\w*\.so")

_TORCH_SYMBOL = re.compile(rb"_Z(?:T[IVST])?N?[KVRO]*(?:2at|3c10|5torch)")
"""Mangled names of the namespaces `at`, `c10` and `torch`: functions, data, type information and virtual tables."""

_SHOWN = 3


def extensions_of_torch(subject: Subject) -> dict[str, tuple[Binary, ...]]:
    """Return package -> its files that are linked with libraries of torch, packages that bring those left out."""
    brings = {subject.owner(b).name for b in subject.binaries.values() if TORCH_LIBRARY.fullmatch(b.called)}
    found: dict[str, list[Binary]] = {}
    for binary in subject.binaries.values():
        package = subject.owner(binary).name
        if package not in brings and any(TORCH_LIBRARY.fullmatch(name) for name in binary.needed):
            found.setdefault(package, []).append(binary)
    return {package: tuple(files) for package, files in found.items()}


def torch_libraries(subject: Subject) -> tuple[Binary, ...]:
    """Return the libraries of torch."""
    return tuple(b for b in subject.binaries.values() if TORCH_LIBRARY.fullmatch(b.called))


def missing_symbols(undefined: Mapping[bytes, bool], defined: Iterable[set[bytes]]) -> tuple[str, ...]:
    """Return which symbols of torch are wanted, not weakly, and defined nowhere.

    Args:
        undefined: symbol -> whether it is weak.
        defined: symbols that libraries define.
    """
    wanted = {name for name, weak in undefined.items() if not weak and _TORCH_SYMBOL.match(name)}
    for symbols in defined:
        wanted -= symbols
    return tuple(sorted(name.decode("ascii", "backslashreplace") for name in wanted))


def check_symbols(subject: Subject) -> Iterator[Misfit]:
    """Yield the packages that this torch lacks symbols for."""
    torch = next((subject.owner(b) for b in torch_libraries(subject)), None)
    for package, files in sorted(subject.lacking.items()):
        for path, names in sorted(files.items()):
            listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
            yield Misfit(
                rule="ABI001",
                packages=(package, torch.name if torch else "torch"),
                files=(path,),
                what=f"`{path.rpartition('/')[2]}` of `{package}` needs symbols that "
                f"`{torch.shown if torch else 'torch'}` does not define: {listed}",
                remedy=f"pin versions of `{package}` and `torch` that were built together",
            )
