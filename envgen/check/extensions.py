"""Which Python extensions the environment's interpreter can import, by the tags in their names (PEP 3149, PEP 384)."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from envgen.check.subject import MACHINES
from envgen.checks import Misfit, several

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.check.binary import Binary
    from envgen.check.subject import Subject

_TAGGED = re.compile(
    r"(?P<module>[^.]+)\.(?P<tag>(?:cpython-\d+[a-z]*|pypy\d+-pp\d+|graalpy[\d-]*|abi3)(?:-[\w-]+)?)\.so"
)


def check_extensions(subject: Subject) -> Iterator[Misfit]:
    """Yield the packages with extensions for other interpreters, where none is there for this one."""
    modules: dict[str, dict[str, list[tuple[Binary, bool]]]] = defaultdict(lambda: defaultdict(list))
    for binary in (*subject.binaries.values(), *subject.foreign):
        if (match := _TAGGED.fullmatch(binary.name)) and "/site-packages/" in f"/{binary.path}":
            fits = binary.machine == MACHINES[subject.target.platform] and _fits(match["tag"], subject)
            modules[subject.owner(binary).name][f"{binary.folder}/{match['module']}"].append((binary, fits))
    for package, found in modules.items():
        importable = [module for module, files in found.items() if any(fits for _binary, fits in files)]
        lost = [binary for module, files in found.items() if module not in importable for binary, _fits in files]
        if lost:
            yield Misfit(
                rule="ABI003" if importable else "ABI002",
                packages=(package,),
                files=tuple(binary.path for binary in lost),
                what=f"{several(binary.name for binary in lost)} of `{package}`: "
                f"expected `cpython-{_digits(subject)}-{_triplet(subject)}` or `abi3`",
            )


def _fits(tag: str, subject: Subject) -> bool:
    if tag.startswith("abi3"):
        return tag in {"abi3", f"abi3-{_triplet(subject)}"}
    return tag in {f"cpython-{_digits(subject)}", f"cpython-{_digits(subject)}-{_triplet(subject)}"}


def _digits(subject: Subject) -> str:
    python = subject.target.python
    return f"{python.major}{python.minor}"


def _triplet(subject: Subject) -> str:
    return subject.target.platform.multiarch
