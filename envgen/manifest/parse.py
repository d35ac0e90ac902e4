"""Read `environments/<env>.yaml` into an `EnvSpec`, telling every fault of it at once.

A section is one entry of `SECTIONS` and one function of this module that turns its value into a field of the spec.
"""

from __future__ import annotations

import datetime as dt
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from envgen.manifest import values
from envgen.manifest.adjust_parse import parse_conflicts, parse_exclude, parse_reasons, parse_substitutes
from envgen.manifest.audit_parse import parse_audit
from envgen.manifest.builds_parse import parse_builds
from envgen.manifest.check_parse import parse_check
from envgen.manifest.document import BadValueError, Document, Value
from envgen.manifest.env_spec import EnvSpec
from envgen.manifest.extends import SpecReader
from envgen.manifest.image_parse import parse_image
from envgen.manifest.index_parse import parse_indexes
from envgen.manifest.license_parse import parse_policy
from envgen.manifest.python_archive import RECIPE as ARCHIVE
from envgen.manifest.python_archive import parse_archives
from envgen.manifest.variables import parse_env
from envgen.metadata import contradict, holds
from envgen.names import project_name
from envgen.platforms import Platform, PythonMinor, Target
from envgen.versions import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from packaging.requirements import Requirement

    from envgen.manifest.extends import SpecFolder
    from envgen.manifest.python_archive import PythonArchive

SECTIONS = (
    "name",
    "extends",
    "solve-group",
    "description",
    "python",
    "python-archive",
    "platforms",
    "channels",
    "dependencies",
    "pypi",
    "indexes",
    "names",
    "overrides",
    "constraints",
    "exclude",
    "substitutes",
    "conflicts",
    "trust-record",
    "allow-older",
    "builds",
    "build-constraints",
    "exclude-newer",
    "env",
    "image",
    "licenses",
    "check",
    "audit",
    "keep-wheels",
    "default",
)
_REQUIRED = ("name", "python", "platforms")
_JOIN = "combine both, for example `>=1,<2`"
_FACTS = ("glibc", "macos", "cuda", "archspec")
_STAND_IN = PythonMinor(3, 11)
"""Lets the sections below `python:` be checked when it is wrong; `Document.check` raises before anybody sees it."""


def parse_spec(text: str, *, source: str, folder: SpecFolder | None = None) -> EnvSpec:
    """Parse a spec.

    Args:
        text: of the file.
        source: path of the file relative to the project root, with forward slashes; its stem is the environment's name.
        folder: has the specs that this one extends; None where it extends none.

    Raises:
        SpecError: all faults, each with its line and, where there is one, the nearest valid word.
    """
    document = Document(source)
    reader = SpecReader(document=document, keys=SECTIONS, folder=folder)
    sections = reader.sections(text, name=stem(source))
    for key in _REQUIRED:
        if key not in sections:
            document.add(1, f"`{key}:` is missing", _example(key, source))
    python = _parsed_python(sections.get("python")) or _STAND_IN
    targets = _targets(sections.get("platforms"), python)
    limit = value.parsed(values.moment_or_age) if (value := _given(sections, "exclude-newer")) else None
    spec = EnvSpec(
        name=_name(sections.get("name"), source),
        python=python,
        python_archive=_archives(sections, targets),
        targets=targets,
        channels=_channels(sections.get("channels")),
        dependencies=_dependencies(sections.get("dependencies")),
        pypi=_requirements(sections.get("pypi"), targets.values(), joins=True),
        indexes=parse_indexes(sections.get("indexes")),
        names=_names(sections.get("names")),
        overrides=_requirements(sections.get("overrides"), targets.values(), values.override),
        constraints=_requirements(sections.get("constraints"), targets.values(), values.constraint),
        exclude=parse_exclude(sections.get("exclude")),
        substitutes=parse_substitutes(sections.get("substitutes")),
        conflicts=parse_conflicts(sections.get("conflicts")),
        trust_record=parse_reasons(sections.get("trust-record"), values.project_key),
        allow_older=parse_reasons(sections.get("allow-older"), values.project_key),
        builds=parse_builds(_given(sections, "builds")),
        build_constraints=_requirements(sections.get("build-constraints"), targets.values(), values.constraint),
        exclude_newer=limit if isinstance(limit, dt.datetime) else None,
        cooldown=limit if isinstance(limit, dt.timedelta) else None,
        image=parse_image(value) if (value := sections.get("image")) else None,
        licenses=parse_policy(value) if (value := _given(sections, "licenses")) else None,
        accept=parse_check(value) if (value := _given(sections, "check")) else {},
        audit=parse_audit(_given(sections, "audit")),
        solve_group=value.parsed(values.group_name) if (value := _given(sections, "solve-group")) else None,
        description=(value.parsed(values.description) or "") if (value := _given(sections, "description")) else "",
        env=parse_env(_given(sections, "env")),
        keep_wheels=_flag(sections, "keep-wheels"),
        default=_flag(sections, "default"),
        source=source,
        bases=reader.bases,
    )
    document.check()
    return spec


def _archives(sections: Mapping[str, Value], targets: Collection[Platform]) -> dict[Platform, PythonArchive]:
    """Read which archives Python comes from: for each Linux platform, or for none."""
    value = _given(sections, ARCHIVE)
    found = parse_archives(value)
    lacking = [platform for platform in targets if platform.is_linux and platform not in found]
    if value and lacking and not value.document.faults:
        value.fault(f"`{ARCHIVE}`: no archive for {lacking[0]}", "add one, or remove the platform")
    return found


def stem(source: str) -> str:
    """Name the environment that a file must hold."""
    return PurePosixPath(source).stem


def _flag(sections: Mapping[str, Value], key: str) -> bool:
    value = _given(sections, key)
    return bool(value.boolean()) if value else False


def _given(sections: Mapping[str, Value], key: str) -> Value | None:
    value = sections.get(key)
    return None if value is None or value.is_empty else value


def _example(key: str, source: str) -> str:
    return {
        "name": f"`name: {stem(source)}`",
        "python": '`python: "3.11"`',
        "platforms": '`platforms: {linux-64: {glibc: "2.36"}}`',
    }[key]


def _name(value: Value | None, source: str) -> str:
    found = value.parsed(values.environment_name) if value else None
    if value and found and found != stem(source):
        value.fault(
            f"`name: {found}` differs from the file's name", f"rename the file to `{found}.yaml`, or change `name`"
        )
    return found or ""


def _parsed_python(value: Value | None) -> PythonMinor | None:
    return value.parsed(values.python_minor) if value else None


def _targets(section: Value | None, python: PythonMinor) -> dict[Platform, Target]:
    if section is None:
        return {}
    found: dict[Platform, Target] = {}
    for key, value in section.fields().items():
        try:
            platform = values.platform(key)
        except BadValueError as error:
            value.fault(str(error), error.hint)
            continue
        found[platform] = _target(value, platform, python)
    if not found and not section.document.faults:
        section.fault("`platforms`: no platform is listed", _example("platforms", section.document.source))
    return found


def _target(value: Value, platform: Platform, python: PythonMinor) -> Target:
    facts = value.fields(_FACTS)
    for key in ("glibc", "macos"):
        if key in facts and key != _libc(platform):
            facts.pop(key).fault(f"`{key}` does not apply to {platform}", f"use `{_libc(platform)}`")
    return Target(
        platform=platform,
        python=python,
        glibc=facts["glibc"].parsed(values.two_numbers) if "glibc" in facts else None,
        macos=facts["macos"].parsed(values.two_numbers) if "macos" in facts else None,
        cuda=facts["cuda"].parsed(values.cuda) if "cuda" in facts else None,
        archspec=facts["archspec"].parsed(values.archspec_of(platform)) if "archspec" in facts else None,
    )


def _libc(platform: Platform) -> str:
    if platform.is_linux:
        return "glibc"
    return "cuda" if platform is Platform.WIN_64 else "macos"


def _channels(section: Value | None) -> tuple[str, ...]:
    found: dict[str, Value] = {}
    for item in section.items(own_first=True) if section else ():
        text = item.parsed(values.channel)
        if text is None:
            continue
        if text in found:
            item.fault(f"channel `{text}` is already listed, in {found[text].place_from(item)}")
        found.setdefault(text, item)
    return tuple(found)


def _dependencies(section: Value | None) -> tuple[str, ...]:
    """Read the MatchSpecs; two on one package are a fault in one file, and both hold where they are of two."""
    first: dict[str, Value] = {}
    found: list[str] = []
    for item in section.items() if section else ():
        text = item.parsed(values.match_spec)
        if text is None:
            continue
        name = values.match_name(text)
        if name in first and first[name].document is item.document:
            item.fault(f"`{name}` is already required, in line {first[name].line}", _JOIN)
        first.setdefault(name, item)
        found.append(text)
    return tuple(found)


def _requirements(
    section: Value | None,
    targets: Collection[Target],
    parse: Callable[[str], Requirement] = values.requirement,
    *,
    joins: bool = False,
) -> tuple[Requirement, ...]:
    """Read the requirements; two on one project are a fault only where both hold on one platform.

    With `joins`, both hold where they are of two files, unless no version can meet them.
    """
    found: list[Requirement] = []
    first: dict[tuple[Platform, str], tuple[Value, Requirement]] = {}
    for item in section.items() if section else ():
        requirement = item.parsed(parse)
        if requirement is None:
            continue
        found.append(requirement)
        name = project_name(requirement.name)
        try:
            mine = [(target.platform, name) for target in targets if holds(requirement, target)]
        except InexpressibleError as error:
            item.fault(f"`{item.key}`: {error}")
            continue
        for clash in [key for key in mine if key in first][:1]:
            other, its = first[clash]
            if not joins or other.document is item.document:
                what = f"`{name}` is already required for {clash[0]}, in {other.place_from(item)}"
                item.fault(what, _JOIN)
            elif contradict(its, requirement):
                what = f"`{requirement}` contradicts `{its}` in {other.place_from(item)}"
                item.fault(what, "remove one of them, or the base that has it")
        first.update({key: (item, requirement) for key in mine if key not in first})
    return tuple(found)


def _names(section: Value | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in section.fields().items() if section else ():
        conda, project = value.parsed(values.conda_name), value.checked(key, values.project)
        if conda is not None and project is not None:
            found[str(project_name(project))] = conda
    return found
