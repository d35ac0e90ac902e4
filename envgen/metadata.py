"""METADATA of a wheel: reading it, and choosing the requirements that hold for a target.

Where a fact is not known when an environment is locked (the patch release of Python, the kernel), a requirement
counts if it can hold at all: the result may be stricter than on some machine, never looser.
"""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from envgen import limits
from envgen.errors import ArtifactError, InvalidMetadataError
from envgen.lenient import parse_requirement, parse_specifiers
from envgen.names import ProjectName, project_name
from envgen.versions import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from packaging.metadata import RawMetadata
    from packaging.requirements import Requirement

    from envgen.platforms import PythonMinor, Target

_NEEDED = ("name", "version", "requires-dist", "requires-python")
"""Fields that decide where a wheel fits, as METADATA spells them in lower case."""

ANY_PATCH = (0, 99)
"""The least patch release of a Python, and one that no Python reaches."""

_EMPTY = "UNKNOWN"
"""What old tools wrote for a field without a value."""

_ANY_KERNEL = ("0", "9999")
"""A kernel older than any, and one newer than any."""

_IDLE = re.compile(
    rb"^(?:Classifier: (?!License)|Project-URL: |License-File: |Dynamic: |Author-email: |Platform: )"
    rb"[^\r\n]*\r?\n(?![ \t])",
    re.MULTILINE,
)
"""Fields of one line that nobody asks for: half of the lines, each of which takes time to parse."""

_QUOTED = re.compile(r"[\"']([^\"']*)[\"']")


class WheelMetadata(Struct, frozen=True, kw_only=True):
    """The part of a METADATA file that decides where a wheel fits.

    Attributes:
        name: normalised.
        version: as in the file, local part included.
        requires: every `Requires-Dist`, whatever its marker, in the file's order.
        requires_python: empty where the file says nothing.
        license: an SPDX expression, else the words of the file where they fit on a line, else its classifier.
        provides_extra: every `Provides-Extra`, normalised.
    """

    name: ProjectName
    version: Version
    requires: tuple[Requirement, ...]
    requires_python: SpecifierSet
    license: str | None
    provides_extra: frozenset[str] = frozenset()


def parse_metadata(raw: bytes) -> WheelMetadata:
    """Read a METADATA file. Fields that decide nothing may be wrong; the others may be spelled as `lenient` allows.

    Raises:
        InvalidMetadataError: a field that counts is missing, there twice, or not readable; all faults are told.
    """
    from packaging.metadata import parse_email  # noqa: PLC0415  imports `email`; who shows locks reads no METADATA

    fields, unparsed = parse_email(_fields_of(raw))
    reader = _FieldReader(fields=fields, faults=[f"`{name}` cannot be parsed" for name in _NEEDED if name in unparsed])
    metadata = reader.read()
    if metadata is None:
        name = fields.get("name")
        of = f" of `{name}` {fields.get('version', '')}".rstrip() if name else ""
        raise InvalidMetadataError(f"metadata{of} is invalid: {'; '.join(reader.faults)}")
    return metadata


def _fields_of(raw: bytes) -> bytes:
    """Return METADATA without most of what decides nothing: the description behind its fields, and some of these."""
    ends = (raw.find(blank) + len(blank) for blank in (b"\n\n", b"\r\n\r\n") if blank in raw)
    return _IDLE.sub(b"", raw[: min(ends, default=len(raw))])


@lru_cache(maxsize=1 << 14)  # releases of a project repeat most of their requirements
def _requirement(text: str) -> Requirement:
    return parse_requirement(text)


def parse_metadata_of(raw: bytes, project: ProjectName, version: str) -> WheelMetadata:
    """Read the METADATA file of a wheel whose name and version are known.

    Local parts of versions are not compared: builders put them into the file name alone.

    Raises:
        InvalidMetadataError: see `parse_metadata`.
        ArtifactError: it is the METADATA of something else.
    """
    found = parse_metadata(raw)
    if (found.name, found.version.public) != (project, Version(version).public):
        raise ArtifactError(f"METADATA of `{project}` {version} has `{found.name}` {found.version}")
    return found


def active_requirements(
    meta: WheelMetadata, target: Target, extras: Collection[str] = (), python_full: str | None = None
) -> tuple[Requirement, ...]:
    """Choose the requirements whose markers hold, in the file's order.

    An extra may ask for further extras of its own project (`spam[ham,eggs]; extra == "all"`): they are followed, and
    such a requirement itself is left out.

    Args:
        meta: of the wheel.
        target: what markers are evaluated for.
        extras: that somebody asks of the wheel.
        python_full: full version of Python (`3.11.2`), where it is known. Otherwise a requirement counts if its
            marker holds for any patch release.

    Raises:
        InexpressibleError: a marker cannot be evaluated, or a requirement names a URL.
    """
    wanted = {str(canonicalize_name(extra)) for extra in extras}
    while True:
        active = [r for r in meta.requires if holds(r, target, wanted, python_full)]
        own = {str(canonicalize_name(e)) for r in active if project_name(r.name) == meta.name for e in r.extras}
        if own <= wanted:
            break
        wanted |= own
    found = tuple(r for r in active if not _is_own(r, meta))
    for requirement in found:
        if requirement.url:
            raise InexpressibleError(f"`{requirement}` refers to a URL, not to versions")
    return found


def locked_requires(
    meta: WheelMetadata, target: Target, extras: Collection[str], python_full: str | None = None
) -> dict[ProjectName, str]:
    """Map what a wheel requires to PEP 440 specifiers, sorted by name: what a lock keeps of it.

    Several requirements on one project become one text. Raises as `active_requirements` does.
    """
    found: dict[ProjectName, SpecifierSet] = {}
    for requirement in active_requirements(meta, target, extras, python_full):
        name = project_name(requirement.name)
        found[name] = found.get(name, SpecifierSet()) & requirement.specifier
    return {name: intern(str(found[name])) for name in sorted(found)}  # releases repeat most of them


class _FieldReader(Struct, frozen=True, kw_only=True):
    """Reads the fields of a METADATA file and collects what is wrong with them."""

    fields: RawMetadata
    faults: list[str]

    def read(self) -> WheelMetadata | None:
        """Read all fields; the result is None where one of them has a fault."""
        name = self.fields.get("name")
        if not name:
            self._miss("name")
        version, requires, requires_python = self._version(), tuple(self._requires()), self._requires_python()
        if self.faults or not name or version is None:
            return None
        return WheelMetadata(
            name=project_name(name),
            version=version,
            requires=requires,
            requires_python=requires_python,
            license=self._license(),
            provides_extra=frozenset(map(canonicalize_name, self.fields.get("provides_extra", ()))),
        )

    def _miss(self, name: str) -> None:
        """Report a missing field, unless it is there and was not readable."""
        if f"`{name}` cannot be parsed" not in self.faults:
            self.faults.append(f"it has no {name}")

    def _version(self) -> Version | None:
        text = self.fields.get("version", "")
        if not text:
            self._miss("version")
            return None
        if len(text) > limits.VERSION:
            self.faults.append(f"its version has {len(text)} characters, expected at most {limits.VERSION}")
            return None
        try:
            return Version(text)
        except ValueError:  # InvalidVersion, or a number of more digits than Python reads
            self.faults.append(f"`Version: {text}` cannot be parsed")
            return None

    def _requires(self) -> Iterator[Requirement]:
        texts = self.fields.get("requires_dist", ())
        if len(texts) > limits.REQUIREMENTS or max(map(len, texts), default=0) > limits.REQUIREMENT:
            self.faults.append(f"it has {len(texts)} requirements, or one of more than {limits.REQUIREMENT} characters")
            return
        for text in texts:
            try:
                yield _requirement(text)
            except InvalidRequirement:
                self.faults.append(f"`Requires-Dist: {text}` cannot be parsed")

    def _requires_python(self) -> SpecifierSet:
        text = self.fields.get("requires_python", "")
        try:
            return parse_specifiers("" if text == _EMPTY else text)
        except InvalidSpecifier:
            self.faults.append(f"`Requires-Python: {text}` cannot be parsed")
            return SpecifierSet()

    def _license(self) -> str | None:
        expression = self.fields.get("license_expression")
        words = self.fields.get("license", "").strip()
        if expression or (words and words != _EMPTY and "\n" not in words):
            return expression or words
        classifiers = (c.split(" :: ") for c in self.fields.get("classifiers", ()))
        return next((parts[-1] for parts in classifiers if parts[0] == "License"), None)


def _is_own(requirement: Requirement, meta: WheelMetadata) -> bool:
    """Return whether a requirement only asks for extras of the wheel itself; one that excludes it is kept, to fail."""
    own = project_name(requirement.name) == meta.name
    return own and requirement.specifier.contains(meta.version, prereleases=True)


def contradict(one: Requirement, other: Requirement) -> bool:
    """Return whether two requirements on a project name two versions, or two places; ranges are left to the solve."""
    if one.url or other.url:
        return one.url != other.url
    pairs = ((one.specifier, other.specifier), (other.specifier, one.specifier))
    return any(
        not wanted.contains(clause.version, prereleases=True)
        for exact, wanted in pairs
        for clause in exact
        if clause.operator == "==" and not clause.version.endswith(".*")
    )


def holds(
    requirement: Requirement, target: Target, extras: Collection[str] = (), python_full: str | None = None
) -> bool:
    """Return whether a requirement's marker holds on a target, with normalised extras; arguments as above.

    Raises:
        InexpressibleError: the marker cannot be evaluated.
    """
    marker = requirement.marker
    if marker is None:
        return True
    try:
        return _is_true(str(marker), target, tuple(sorted(extras)), python_full)
    except (UndefinedComparison, UndefinedEnvironmentName) as error:
        raise InexpressibleError(f"the marker of `{requirement}` cannot be evaluated: {error}") from error


@lru_cache(maxsize=1 << 16)  # a solve reads thousands of releases, which repeat a few thousand markers
def _is_true(marker: str, target: Target, extras: tuple[str, ...], python_full: str | None) -> bool:
    parsed = Marker(marker)
    return any(
        parsed.evaluate({**environment, "extra": extra})
        for environment in _environments(marker, target, python_full)
        for extra in ("", *extras)
    )


def _environments(marker: str, target: Target, python_full: str | None) -> Iterator[dict[str, str]]:
    """Yield an environment for each case that a marker can tell apart among what is not known yet."""
    asks_patch = "python_full_version" in marker or "implementation_version" in marker
    asks_kernel = "platform_release" in marker or "platform_version" in marker
    fulls = _patches(target.python, marker) if asks_patch and python_full is None else (python_full,)
    kernels = (*_ANY_KERNEL, *_QUOTED.findall(marker)) if asks_kernel else ("",)
    for full, kernel in itertools.product(fulls, kernels):
        yield {**target.marker_environment(full), "platform_release": kernel, "platform_version": kernel}


def _patches(python: PythonMinor, marker: str) -> tuple[str, ...]:
    """List the patch releases at which a marker can change: those it names, their neighbours and the extremes."""
    named = [int(n) for n in re.findall(rf"\b{re.escape(str(python))}\.(\d+)", marker)]
    numbers = {*ANY_PATCH, *(n + step for n in named for step in (-1, 0, 1) if n + step >= 0)}
    return tuple(f"{python}.{n}" for n in sorted(numbers))
