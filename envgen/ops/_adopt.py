"""`init --from FILE`: a file of another tool becomes a spec, and with `keep` a lock with the same versions."""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.adopt.formats import UNREAD, companions, is_file_name, read_adopted
from envgen.adopt.locked import required_exactly
from envgen.errors import Fault, SpecError, UserError
from envgen.manifest import values
from envgen.manifest.document import BadValueError
from envgen.manifest.edit import quoted
from envgen.manifest.parse import parse_spec
from envgen.manifest.select import FOLDER
from envgen.names import CondaName, project_name
from envgen.ops._init import init_defaults
from envgen.ops._lock import LockOptions, LockOutcome, solve_specs, write_solved
from envgen.ops._schema import MODELINE, refuse_other_schema, write_schema
from envgen.packages import Wheel
from envgen.project import shipped
from envgen.project.starter import NewSpec, starter_text
from envgen.pythons import DEFAULT
from envgen.resolve.upgrade import Upgrade
from envgen.solve.task import Preference
from envgen.structs import replace
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from envgen.adopt.adopted import Adopted, AdoptedLine, PinnedPackage
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import NameTable
    from envgen.platforms import Platform
    from envgen.project.context import Context

_SECTIONS = ("constraints", "overrides", "build-constraints")
_CHANNEL = "conda-forge"
_SHOWN = 3
"""Lines that an error names."""

_FOLDER = re.compile(r"^(?P<head>[^;]*?@ )?(?P<path>\.\.?/[^\s;\[]*)(?P<rest>.*)$")


class AdoptOptions(Struct, frozen=True, kw_only=True):
    """What to take over, and what a person says beside it.

    Attributes:
        file: of another tool.
        name: of the environment; that in the file, or that of the folder, without.
        python: the minor version; what the file says without.
        platforms: those to lock; what the file says, or this machine's, without.
        channels: conda channels, before those of the file.
        dependencies: MatchSpecs beside those of the file.
        pypi: requirements beside those of the file.
        cuda: newest CUDA of the machines' driver; what the file says without.
        groups: extras and dependency groups of a project to take over.
        keep: lock at once, with the versions of the file or of a lock beside it.
        schema: also write the JSON Schema of specs, and name it in the first line of the spec.
    """

    file: Path
    name: str | None = None
    python: str | None = None
    platforms: Sequence[Platform] = ()
    channels: Sequence[str] = ()
    dependencies: Sequence[str] = ()
    pypi: Sequence[str] = ()
    cuda: str | None = None
    groups: Sequence[str] = ()
    keep: bool = False
    schema: bool = False


class MovedPackage(Struct, frozen=True, kw_only=True):
    """A package whose version is not that of the other tool's lock; `now` is None where it is not needed."""

    platform: Platform
    name: str
    was: str
    now: str | None


class AdoptResult(Struct, frozen=True, kw_only=True):
    """What became of a file.

    Attributes:
        source: path of the spec, from the project's root.
        lines: of the file, with their fate.
        outcomes: of the locks; empty without `keep`.
        kept: versions that the locks have from the file.
        moved: versions that they have not.
        free: versions were to be kept, and neither the file nor a lock beside it has any.
        unkept: versions that the file locks and nobody asked to keep.
        schema: path of the schema that was written, from the root of the project, or None.
    """

    source: str
    lines: tuple[AdoptedLine, ...]
    outcomes: tuple[LockOutcome, ...] = ()
    kept: int = 0
    moved: tuple[MovedPackage, ...] = ()
    free: bool = False
    unkept: int = 0
    schema: str | None = None


def is_adoptable(text: str, directory: Path) -> bool:
    """Return whether `--from` was given a file of another tool rather than the name of a spec that ships."""
    return text not in shipped.shipped_specs() and (is_file_name(text) or (directory / text).is_file())


def adopt(context: Context, options: AdoptOptions, directory: Path) -> AdoptResult:
    """Write a spec that asks for what a file of another tool asks for, and with `keep` its locks.

    Args:
        context: the world; the project is the folder, whatever stands above it.
        options: what to take over.
        directory: of the project.

    Raises:
        SpecError: the file, or one that it includes, cannot be read or contradicts itself.
        UserError: the environment exists, or the format is not known.
        UnsatisfiableError, NetworkError, IntegrityError: as `lock`. Nothing was written then.
    """
    context = replace(context, root=directory)
    found = _read(options)
    if not found.pinned:
        _read_companion(options, found)
    _refuse_nothing(found)
    _from_root(found, options.file, directory)
    name = _name(found, options, directory)
    source = f"{FOLDER}/{name}.yaml"
    file = directory / source
    if file.exists():
        raise UserError(f"`{source}` already exists", hint="choose another name, or edit the file")
    if options.schema:
        refuse_other_schema(directory)
    text = starter_text(_new_spec(found, options, name), today=context.now.date())
    text = MODELINE + text if options.schema else text
    spec = _parsed(text, source)
    if options.keep:
        done = _kept(context, found, spec, text)
    else:
        atomic_write(file, text)
        done = AdoptResult(source=source, lines=tuple(found.lines), unkept=len(found.pinned))
    return replace(done, schema=write_schema(directory)) if options.schema else done


def _kept(context: Context, found: Adopted, spec: EnvSpec, text: str) -> AdoptResult:
    """Solve with the versions of the file, then write the spec and its locks."""
    names = context.names.overridden(spec.names)
    wishes = {platform: dict(_wishes(found, platform, names)) for platform in spec.targets}
    options = LockOptions(env=spec.name, upgrade=Upgrade(wishes=wishes))
    solved = solve_specs(context, options, (spec,))[spec.name]
    compared = [one for _, new in solved for one in _compared(found, new.lock)]
    file = context.root / spec.source
    atomic_write(file, text)
    try:
        outcomes = write_solved(context, options, spec, solved)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    moved = tuple(one for one in compared if one.now != one.was)
    return AdoptResult(
        source=spec.source,
        lines=tuple(found.lines),
        outcomes=outcomes,
        kept=len(compared) - len(moved),
        moved=moved,
        free=not found.pinned,
    )


def _read(options: AdoptOptions) -> Adopted:
    return read_adopted(options.file.name, lambda path: _text(options.file.parent, path), options.groups)


def _read_companion(options: AdoptOptions, found: Adopted) -> None:
    """Adopt the versions of the lock that belongs to a file, or note that they are left out."""
    folder, name = options.file.parent, options.file.name
    there = [lock for lock in companions(name) if (folder / lock).is_file()]
    for lock in there[:1] if options.keep else ():
        beside = read_adopted(lock, lambda path: _text(folder, path))
        found.pinned += beside.pinned or required_exactly(beside)
        found.took(lock, f"{len(found.pinned)} versions", "the first lock", "the lock beside the file")
    for lock in there[1:] if options.keep else ():
        found.left(lock, "versions", f"those of `{there[0]}` count")
    for lock in there if not options.keep else ():
        found.left(lock, "versions", "`--keep` keeps them in the first lock")
    for lock in UNREAD.get(name, ()) if not found.pinned else ():
        if (folder / lock).is_file():
            found.left(lock, "versions", "there is no reader: export it as `requirements.txt`, and take that over")


def _refuse_nothing(found: Adopted) -> None:
    """Raise where a file asks for nothing that a spec can have, since it is then not what it was taken for.

    Raises:
        SpecError: it does; the first lines that were left out are named.
    """
    if found.python or found.channels or found.pinned or any(found.sections.values()):
        return
    left = "".join(f"; `{line.text}` was left out: {line.why}" for line in found.lines[:_SHOWN])
    found.fail(found.source, f"it asks for no Python, no channel and no package{left}")


def _text(folder: Path, path: str) -> str:
    try:
        return (folder / path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SpecError((Fault(where=path, what="not UTF-8 text"),), hint="nothing was written") from error
    except OSError as error:
        what = f"failed to read the file: {error.strerror}"
        raise SpecError((Fault(where=path, what=what),), hint="nothing was written") from error


def _from_root(found: Adopted, file: Path, directory: Path) -> None:
    """Make paths count from the project's root: those of a file count from its folder."""
    beside = posixpath.relpath(file.parent.resolve().as_posix(), directory.resolve().as_posix())
    if beside == ".":
        return
    found.sections["pypi"] = [_moved_path(text, beside) for text in found.sections.get("pypi", [])]


def _moved_path(text: str, beside: str) -> str:
    match = _FOLDER.match(text)
    if not match:
        return text
    path = posixpath.normpath(posixpath.join(beside, match["path"]))
    return f"{match['head'] or ''}{path if path.startswith('../') else f'./{path}'}{match['rest']}"


def _name(found: Adopted, options: AdoptOptions, directory: Path) -> str:
    """Choose the name of the environment.

    Raises:
        UserError: neither the file nor the folder has one that can be.
    """
    for text in filter(None, (options.name, found.name, directory.name)):
        try:
            return values.environment_name(text)
        except BadValueError:
            if text == options.name:
                raise UserError(f"not the name of an environment: {text!r}", hint="`envgen init NAME`") from None
    raise UserError("neither the file nor the folder names an environment", hint="pass a name: `envgen init NAME`")


def _new_spec(found: Adopted, options: AdoptOptions, name: str) -> NewSpec:
    channels = [*options.channels, *found.channels]
    dependencies = [*found.sections.get("dependencies", []), *options.dependencies]
    if dependencies and not channels:
        channels = [_CHANNEL]
        found.took(
            found.source, _CHANNEL, "channels", "added: the file has conda packages and names no channel that is taken"
        )
    spec = NewSpec(
        name=name,
        python=options.python or found.python or DEFAULT,
        platforms=options.platforms or found.platforms or init_defaults(options.file.parent).platforms,
        channels=channels,
        dependencies=dependencies,
        pypi=[*found.sections.get("pypi", []), *options.pypi],
        cuda=options.cuda or found.facts.get("cuda"),
        glibc=found.facts.get("glibc"),
        head=f"# Taken over from `{found.source}`.\n",
        more=_more(found),
    )
    if spec.added_channel:
        what = f"added: no other source has Python {spec.python} for {' and '.join(spec.platforms)}"
        found.took(found.source, spec.added_channel, "channels", what, changed=True)
    return spec


def _more(found: Adopted) -> str:
    """Write the sections that a starter has not."""
    lines: list[str] = []
    for section in _SECTIONS:
        if texts := found.sections.get(section):
            lines += ["", f"{section}:", *(f"  - {quoted(text)}" for text in texts)]
    if found.indexes:
        lines += ["", "indexes:"]
    for name, (url, projects) in sorted(found.indexes.items()):
        lines.append(f"  {name}: {{url: {json.dumps(url)}, projects: {json.dumps(projects)}}}")
    if found.env:
        lines += ["", "env:", *(f"  {name}: {json.dumps(text)}" for name, text in found.env.items())]
    if found.exclude_newer:
        lines += ["", f"exclude-newer: {quoted(found.exclude_newer)}"]
    return "".join(f"{line}\n" for line in lines)


def _parsed(text: str, source: str) -> EnvSpec:
    try:
        return parse_spec(text, source=source)
    except SpecError as error:
        raise SpecError(
            error.faults, hint="nothing was written; the lines are those of the spec that was made"
        ) from error


def _wishes(found: Adopted, platform: Platform, names: NameTable) -> Iterator[tuple[CondaName, Preference]]:
    for one in _of(found, platform):
        name = names.conda_name(project_name(one.name)) if one.build is None else CondaName(one.name)
        yield name, Preference(version=one.version, build=one.build)


def _of(found: Adopted, platform: Platform) -> Iterator[PinnedPackage]:
    yield from (one for one in found.pinned if one.platform in {None, platform})


def _compared(found: Adopted, lock: Lock) -> Iterator[MovedPackage]:
    """Yield each version of the file beside the one of the lock."""
    now = {_key(p.project if isinstance(p, Wheel) else p.name): p for p in lock.packages}
    for one in _of(found, lock.platform):
        new = now.get(_key(one.name))
        version = new.version if new else None
        yield MovedPackage(platform=lock.platform, name=one.name, was=one.version, now=version)


def _key(name: str) -> str:
    return str(project_name(name))
