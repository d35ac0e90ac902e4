"""What a file of another tool asks for, in the words of a spec, with the fate of each of its lines."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct, field
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from envgen.errors import Fault, SpecError
from envgen.manifest import values
from envgen.manifest.document import BadValueError
from envgen.manifest.index_parse import index_url
from envgen.manifest.variables import variable_name, variable_value
from envgen.names import project_name
from envgen.pythons import SERVED
from envgen.urls import display, without_secrets_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from packaging.requirements import Requirement

    from envgen.platforms import Platform

    Read = Callable[[str], str]
    """Reads a file by its path, which counts from the folder of the adopted one; raises `SpecError`."""

_MINORS = tuple(f"3.{minor}" for minor in range(9, 15))
_PATCHES = 25
"""Patch releases that a minor version is tried with; none has had more."""


class Fate(StrEnum):
    """What becomes of a line."""

    TAKEN = "taken"
    CHANGED = "changed"
    LEFT = "left out"


class AdoptedLine(Struct, frozen=True, kw_only=True):
    """One line, or one value, of a file.

    Attributes:
        where: file and line, or file and key.
        text: of it.
        fate: what becomes of it.
        to: section of the spec that it goes to; empty where it goes nowhere.
        why: it is changed or left out, or what was chosen for it.
    """

    where: str
    text: str
    fate: Fate
    to: str = ""
    why: str = ""


class PinnedPackage(Struct, frozen=True, kw_only=True):
    """A package as a lock of another tool has it.

    Attributes:
        name: project or conda name.
        version: as locked.
        build: build string of a conda package; None for a wheel.
        platform: that it is locked for; None for all.
    """

    name: str
    version: str
    build: str | None = None
    platform: Platform | None = None


class Adopted(Struct, kw_only=True):
    """The parts of a spec, as a reader collects them.

    Attributes:
        source: what messages call the file.
        name: that the file gives the environment, or None.
        python: the minor version, or None where the file does not say.
        platforms: that the file names.
        facts: `glibc`, `cuda` -> what the machines have.
        channels: conda channels, strongest first.
        sections: section of the spec -> its entries.
        indexes: name -> address and projects.
        exclude_newer: as written, or None.
        env: variables, as a spec writes them.
        pinned: versions of a lock.
        lines: the fate of everything, in the file's order.
    """

    source: str
    name: str | None = None
    python: str | None = None
    platforms: list[Platform] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    channels: list[str] = field(default_factory=list)
    sections: dict[str, list[str]] = field(default_factory=dict)
    indexes: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    exclude_newer: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    pinned: list[PinnedPackage] = field(default_factory=list)
    lines: list[AdoptedLine] = field(default_factory=list)

    def took(self, where: str, text: str, to: str, why: str = "", *, changed: bool = False) -> None:
        """Write down that a line was taken over."""
        fate = Fate.CHANGED if changed else Fate.TAKEN
        self.lines.append(AdoptedLine(where=where, text=without_secrets_in(text), fate=fate, to=to, why=why))

    def left(self, where: str, text: str, why: str) -> None:
        """Write down that a line was left out."""
        self.lines.append(AdoptedLine(where=where, text=without_secrets_in(text), fate=Fate.LEFT, why=why))

    def variable(self, where: str, name: str, text: str) -> None:
        """Adopt a variable whose value is written as in a spec, or write down why not."""
        try:
            self.env[variable_name(name)] = variable_value(text)
        except BadValueError as error:
            self.env.pop(name, None)
            self.left(where, name, str(error))
        else:
            self.took(where, f"{name}={text}", "env")

    def wheel(self, where: str, text: str, *, section: str = "pypi", written: str | None = None, why: str = "") -> None:
        """Adopt a requirement, or write down why not.

        Args:
            where: it stands.
            text: of the requirement, as the spec will have it.
            section: that it goes to.
            written: how the file has it, where that differs.
            why: it differs.

        Raises:
            SpecError: it contradicts one that was taken before.
        """
        shown = written or text
        parse = values.requirement if section == "pypi" else values.constraint
        try:
            new = parse(text)
        except BadValueError as error:
            self.left(where, shown, _reason(error))
            return
        entries = self.sections.setdefault(section, [])
        before = [(at, old) for at, old in enumerate(map(parse, entries)) if _same(old, new)]
        if not before:
            entries.append(text)
            self.took(where, shown, section, why, changed=text != shown)
            return
        at, old = before[0]
        self._join(where, section, at, (old, new))

    def conda(self, where: str, text: str, *, written: str | None = None, why: str = "") -> None:
        """Adopt a MatchSpec, or write down why not; `python` sets the version of Python."""
        shown = written or text
        try:
            name = values.match_name(values.match_spec(text))
        except BadValueError as error:
            self.left(where, shown, _reason(error))
            return
        entries = self.sections.setdefault("dependencies", [])
        if name == "python":
            self.requires_python(where, text, values.match_version(text))
        elif text in entries:
            self.left(where, shown, "is listed twice")
        elif name in map(values.match_name, entries):
            self.fail(
                where, f"`{name}` is required twice, by different MatchSpecs", "combine both, for example `>=1,<2`"
            )
        else:
            entries.append(text)
            self.took(where, shown, "dependencies", why, changed=text != shown)

    def requires_python(self, where: str, text: str, specifier: str) -> None:
        """Choose a minor version: one that needs no channel where one fits, else the oldest that fits.

        Raises:
            SpecError: no Python that there is fits.
        """
        fitting = _fitting(specifier)
        if not fitting:
            self.fail(where, f"no available version of Python satisfies `{text}`", "pass `--python VERSION`")
        self.python = next((served for served in SERVED if served in fitting), fitting[0])
        others = len(fitting) > 1
        why = f"one minor version: {self.python} is chosen, `--python` chooses another" if others else ""
        self.took(where, text, "python", why, changed=others)

    def channel(self, where: str, text: str) -> None:
        """Adopt a channel, or write down why not."""
        if text in {"defaults", "nodefaults"}:
            why = (
                "its terms are those of its owner, and its address is a setting of conda" if text == "defaults" else ""
            )
            self.left(where, text, why or "there are no default channels here")
            return
        try:
            found = values.channel(text)
        except ValueError as error:
            self.left(where, text, _reason(error))
            return
        if found not in self.channels:
            self.channels.append(found)
            self.took(where, text, "channels")

    def platform(self, where: str, text: str) -> None:
        """Adopt a platform, or write down why not."""
        try:
            found = values.platform(text)
        except BadValueError as error:
            self.left(where, text, str(error))
            return
        if found not in self.platforms:
            self.platforms.append(found)
            self.took(where, text, "platforms")

    def index(self, where: str, name: str, url: str, projects: Sequence[str]) -> None:
        """Adopt an index, with the projects that come from it; without any it is left out."""
        shown = f"{name} {display(url)}"
        if not projects:
            self.left(where, shown, f"which projects come from it is not known: list them, `{_index_example(name)}`")
        elif why := _why_not(url):
            self.left(where, shown, why)
        else:
            name = name if self.indexes.get(name, (url,))[0] == url else f"{name}-{len(self.indexes) + 1}"
            self.indexes[name] = (url, sorted({*map(project_name, projects)}))
            self.took(where, shown, "indexes", f"for {', '.join(self.indexes[name][1])} alone", changed=True)

    def default_index(self, where: str, url: str) -> None:
        """Write down that the default index is a setting of machines."""
        self.left(where, url, "the default index is a setting of each machine: ENVGEN_PYPI, or `index-url` of pip")

    def fail(self, where: str, what: str, hint: str | None = None) -> NoReturn:
        """Raise a fault of the file.

        Raises:
            SpecError: always.
        """
        raise SpecError((Fault(where=where, what=what, hint=hint),), hint="nothing was written")

    def _join(self, where: str, section: str, at: int, pair: tuple[Requirement, Requirement]) -> None:
        """Join two requirements on a project into one."""
        old, new = pair
        written = self.sections[section][at]
        if str(old) == str(new):
            self.left(where, str(new), "is listed twice")
            return
        if old.url or new.url or old.marker or new.marker or _contradict(old, new):
            self.fail(where, f"`{new}` contradicts `{written}`", "keep one of them")
        extras = sorted(old.extras | new.extras)
        joined = f"{old.name}{'[' + ','.join(extras) + ']' if extras else ''} {old.specifier & new.specifier}".strip()
        self.sections[section][at] = joined
        self.took(where, str(new), section, f"joined with `{written}`: `{joined}`", changed=True)


def _same(old: Requirement, new: Requirement) -> bool:
    """Return whether two requirements may hold on one machine; by different markers, the spec's parser decides."""
    both = old.marker is not None and new.marker is not None and old.marker != new.marker
    return project_name(old.name) == project_name(new.name) and not both


def _contradict(old: Requirement, new: Requirement) -> bool:
    pins = [{s.version for s in one.specifier if s.operator == "==" and "*" not in s.version} for one in (old, new)]
    return bool(pins[0] and pins[1] and pins[0] != pins[1])


def _fitting(version: str) -> list[str]:
    """List the minor versions of Python that a specifier allows, oldest first; conda's `3.11.*` and `|` count too."""
    allowed = []
    for part in version.split("|"):
        text = part.strip().replace(" ", "")
        try:
            allowed.append(SpecifierSet(text if text[:1] in "<>=!~" else f"=={text}"))
        except InvalidSpecifier:
            continue
    return [one for one in _MINORS if any(s.contains(f"{one}.{patch}") for s in allowed for patch in range(_PATCHES))]


def _why_not(url: str) -> str:
    """Return why an index cannot have an address; empty where it can."""
    try:
        index_url(url)
    except ValueError as error:
        return _reason(error)
    return ""


def _reason(error: ValueError) -> str:
    hint = error.hint if isinstance(error, BadValueError) else None
    return f"{error}; {hint}" if hint else str(error)


def _index_example(name: str) -> str:
    return f"indexes: {{{name}: {{url: …, projects: […]}}}}"
