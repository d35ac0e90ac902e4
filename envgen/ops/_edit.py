"""`add` and `remove`: edit the lists of a spec, and lock what comes out.

The edited spec is solved before it is written, so that a solve that fails, or is interrupted, leaves all files alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.errors import UserError
from envgen.manifest import values
from envgen.manifest.document import BadValueError
from envgen.manifest.edit import SpecEntry, SpecText, inherited_entries
from envgen.manifest.select import FOLDER, SpecsOnDisk, parse, select
from envgen.names import project_name
from envgen.ops._lock import LockOptions, LockOutcome, solve_specs, write_solved
from envgen.project import shipped
from envgen.project.solve_groups import members
from envgen.suggest import nearest
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envgen.names import NameTable
    from envgen.project.context import Context

_WHEELS = "pypi"
_CONDA = "dependencies"
_SECTIONS = (_CONDA, _WHEELS)
_CLOSE = 3


class EditOptions(Struct, frozen=True, kw_only=True):
    """How to edit.

    Attributes:
        env: name of the spec, or None for the project's only or default one.
        conda: requirements are MatchSpecs of channels; else requirements of wheels, but for packages of recipes.
        dry_run: solve and write nothing.
    """

    env: str | None = None
    conda: bool = False
    dry_run: bool = False


class SpecEdit(Struct, frozen=True, kw_only=True):
    """What became of a spec and its locks.

    Attributes:
        source: path of the spec, from the project's root.
        added: section -> entries that are new in it.
        removed: section -> entries that are gone from it.
        outcomes: of the locks.
    """

    source: str
    added: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outcomes: tuple[LockOutcome, ...]


def add(context: Context, requirements: Sequence[str], options: EditOptions) -> SpecEdit:
    """Add requirements to a spec, and lock it.

    Raises:
        UserError: one cannot be read, or its package is required already; the spec cannot be edited.
        UnsatisfiableError, NetworkError, IntegrityError: as `lock`. Nothing was written then.
    """
    before = _spec_text(context, options.env)
    below = _inherited(context, before)
    table = _names(context, before)
    recipes = shipped.recipes(context.root)
    added: dict[str, list[str]] = {}
    after = before
    for text in dict.fromkeys(requirements):
        section = _CONDA if options.conda or text in recipes else _WHEELS
        _refuse_present(after, below, section, text, table)
        added.setdefault(section, []).append(text)
        after = after.with_entries(section, [text])
    outcomes = _locked(context, before, after, options)
    return SpecEdit(source=before.source, added={k: tuple(v) for k, v in added.items()}, outcomes=outcomes)


def remove(context: Context, names: Sequence[str], options: EditOptions) -> SpecEdit:
    """Remove requirements from a spec, and lock it.

    Raises:
        UserError: the spec does not require one of the names, or cannot be edited.
        UnsatisfiableError, NetworkError, IntegrityError: as `lock`. Nothing was written then.
    """
    before = _spec_text(context, options.env)
    entries = [entry for section in _SECTIONS for entry in before.entries(section)]
    below = _inherited(context, before)
    gone = [entry for name in names for entry in _named(before, below, entries, name)]
    after = before.without({entry.start: entry for entry in gone}.values())
    outcomes = _locked(context, before, after, options)
    removed = {s: tuple(one.text for one in entries if one.section == s and one in gone) for s in _SECTIONS}
    return SpecEdit(source=before.source, removed={k: v for k, v in removed.items() if v}, outcomes=outcomes)


def _spec_text(context: Context, env: str | None) -> SpecText:
    """Read the spec as text; line ends stay what they are."""
    spec = select(context.root, env)
    return SpecText(text=(context.root / spec.source).read_bytes().decode(), source=spec.source)


def _names(context: Context, spec: SpecText) -> NameTable:
    return context.names.overridden(parse(context.root, spec.text, source=spec.source).names)


def _inherited(context: Context, spec: SpecText) -> tuple[SpecEntry, ...]:
    folder = SpecsOnDisk(context.root / FOLDER)
    return tuple(entry for section in _SECTIONS for entry in inherited_entries(spec, section, folder))


def _refuse_present(spec: SpecText, below: Sequence[SpecEntry], section: str, text: str, names: NameTable) -> None:
    """Raise where a package is required already; by markers for other machines, the spec's parser decides.

    Raises:
        UserError: it is, or the text is not a requirement.
    """
    name, has_marker = _new(section, text)
    conda = str(names.conda_name(project_name(name))) if section == _WHEELS else name
    for entry in (*(one for key in _SECTIONS for one in spec.entries(key)), *below):
        if _conda(entry, names) == conda and not (has_marker and entry.section == section):
            remove = f"run `envgen remove {_name(entry)}` first"
            both = f"write a line into `{spec.source}` by hand: both hold"
            raise UserError(
                f"`{name}` is already required in `{entry.source}`, line {entry.line}: `{entry.text}`",
                hint=f"change the version there, or {remove if entry.source == spec.source else both}",
            )


def _new(section: str, text: str) -> tuple[str, bool]:
    """Return the name that a new requirement is about, and whether it has a marker.

    Raises:
        UserError: it cannot be read.
    """
    try:
        if section == _CONDA:
            return values.match_name(values.match_spec(text)), False
        found = values.requirement(text)
    except BadValueError as error:
        hint = error.hint or ("`--conda` adds a package of a channel" if section == _WHEELS else None)
        raise UserError(f"`{text}` cannot be added: {error}", hint=hint) from error
    name = str(project_name(found.name))
    if name == "python":
        raise UserError("`python` is not a wheel", hint="set the minor version with `python:` in the spec")
    return name, found.marker is not None


def _name(entry: SpecEntry) -> str:
    """Return the name of an entry of a spec, whose parser accepted it."""
    if entry.section == _CONDA:
        return values.match_name(entry.text)
    return str(project_name(values.requirement(entry.text).name))


def _conda(entry: SpecEntry, names: NameTable) -> str:
    return _name(entry) if entry.section == _CONDA else str(names.conda_name(project_name(_name(entry))))


def _named(spec: SpecText, below: Sequence[SpecEntry], entries: Sequence[SpecEntry], name: str) -> Iterator[SpecEntry]:
    """Yield the entries of a name; several have markers for different machines.

    Raises:
        UserError: there is none, or only in a spec that this one extends.
    """
    found = [entry for entry in entries if project_name(_name(entry)) == project_name(name)]
    for entry in below if not found else ():
        if project_name(_name(entry)) == project_name(name):
            raise UserError(
                f"`{name}` comes from `{entry.source}`, line {entry.line}, which `{spec.source}` extends",
                hint="remove it there, and run `envgen lock --all`",
            )
    if not found:
        known = {_name(entry) for entry in entries}
        raise UserError(
            f"`{spec.source}` does not require `{name}`",
            hint=nearest(name, known, most=_CLOSE) or f"it requires {', '.join(f'`{one}`' for one in sorted(known))}",
        )
    yield from found


def _locked(context: Context, before: SpecText, after: SpecText, options: EditOptions) -> tuple[LockOutcome, ...]:
    """Solve the edited spec, then write it and its locks.

    Raises:
        UserError: somebody else edited the file meanwhile, or a file cannot be written; the spec is as it was.
    """
    spec = parse(context.root, after.text, source=after.source)
    asked = LockOptions(env=spec.name, dry_run=options.dry_run)
    specs = members(context, spec)
    solved = solve_specs(context, asked, specs)

    def write() -> tuple[LockOutcome, ...]:
        return tuple(outcome for one in specs for outcome in write_solved(context, asked, one, solved[one.name]))

    if options.dry_run:
        return write()
    file = (context.root / before.source).resolve()  # a link stays one
    if file.read_bytes() != before.text.encode():
        raise UserError(f"`{before.source}` was changed during the solve", hint="run the command again")
    mode = file.stat().st_mode & 0o777
    atomic_write(file, after.text, mode=mode)
    try:
        return write()
    except BaseException:
        atomic_write(file, before.text, mode=mode)
        raise
