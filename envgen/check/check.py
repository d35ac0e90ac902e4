"""All rules over one lock, and what the spec accepts of what they find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.check import closure, cuda_versions, extensions, families, floors, ownership, run_time, symbols
from envgen.checks import Severity
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from envgen.check.subject import Subject
    from envgen.checks import Misfit

_RULES = (
    ownership.check_readable,
    ownership.check_paths,
    ownership.check_scripts,
    families.check_openmp,
    families.check_families,
    families.check_other_cuda,
    cuda_versions.check_minors,
    cuda_versions.check_built_against,
    closure.check_closure,
    closure.check_versions,
    closure.check_order,
    floors.check_glibc,
    floors.check_cxx,
    floors.check_level,
    extensions.check_extensions,
    symbols.check_symbols,
    run_time.check_opened,
    run_time.check_replaceable,
)

_ORDER = list(Severity)


class Accepted(Struct, frozen=True, kw_only=True):
    """What a spec accepts: a rule, of all packages or of one.

    Attributes:
        rule: identifier.
        package: name of a package, empty for all.
        reason: of the spec.
    """

    rule: str
    package: str
    reason: str

    def covers(self, misfit: Misfit) -> bool:
        """Return whether a finding is accepted."""
        return misfit.rule == self.rule and (not self.package or self.package in misfit.packages)

    def __str__(self) -> str:
        return f"{self.rule} {self.package}".rstrip()


def find_misfits(subject: Subject) -> tuple[Misfit, ...]:
    """Apply every rule; errors first, then by rule and packages."""
    found = [misfit for rule in _RULES for misfit in rule(subject)]
    return tuple(sorted(found, key=lambda m: (_ORDER.index(m.severity), m.rule, m.packages, m.files)))


def accept(misfits: Iterable[Misfit], accepted: Mapping[str, str]) -> tuple[tuple[Misfit, ...], tuple[str, ...]]:
    """Return the findings with the spec's reasons, and the entries that no finding answers to.

    Args:
        misfits: of one platform.
        accepted: rule, or rule and package with a space between -> reason.
    """
    entries = list(_entries(accepted))
    used: set[str] = set()
    found = []
    for misfit in misfits:
        entry = next((entry for entry in entries if entry.covers(misfit)), None)
        if entry:
            used.add(str(entry))
        found.append(replace(misfit, accepted=entry.reason) if entry else misfit)
    return tuple(found), tuple(str(entry) for entry in entries if str(entry) not in used)


def _entries(accepted: Mapping[str, str]) -> Iterator[Accepted]:
    """Return the narrower entries first: their reason is the more exact one."""
    for key in sorted(accepted, key=len, reverse=True):
        rule, _space, package = key.partition(" ")
        yield Accepted(rule=rule, package=package, reason=accepted[key])
