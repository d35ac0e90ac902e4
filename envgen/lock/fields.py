"""What the words of a lock may be: each parser takes a text and raises `ValueError` with what was expected and got."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from envgen import limits
from envgen.documents import read_json
from envgen.manifest.values import environment_name
from envgen.moments import parse_moment
from envgen.names import parse_conda_name, parse_project_name, project_name

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from envgen.names import ProjectName
    from envgen.platforms import Platform

_MD5 = re.compile(r"[0-9a-f]{32}")
_CONDA_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._!+~-]*")
_BUILD = re.compile(r"[0-9A-Za-z_.+]+")  # CEP 26
_WHEEL = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._!+-]*\.whl")
_SOURCE = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._!+-]*(?:\.tar\.gz|\.zip|\.tar\.bz2|\.tgz)")
_ARCHIVE = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._!+~%-]*(?:\.conda|\.tar\.bz2)")
"""Names of files begin with no point and hold no slash: they become paths in the store."""

_NOARCH = "noarch"


def wheel_version(text: str) -> str:
    """Check a version of PEP 440."""
    Version(_bounded(text))  # its error is a ValueError
    return text


def conda_version(text: str) -> str:
    """Check the letters of a conda version: rattler, which knows the rest, takes too long to import for a reader."""
    if not _CONDA_VERSION.fullmatch(_bounded(text)):
        raise ValueError(f"expected a version, got {text!r}")
    return text


def build_string(text: str) -> str:
    """Check the build string of a conda package."""
    if not _BUILD.fullmatch(_bounded(text)):
        raise ValueError(f"expected a build string, got {text!r}")
    return text


def _bounded(text: str) -> str:
    """Refuse a version or build string that is too long for a file name."""
    if len(text) > limits.VERSION:
        raise ValueError(f"expected at most {limits.VERSION} characters, got {len(text)}")
    return text


def wheel_file(text: str, *, project: ProjectName, version: str) -> str:
    """Check the file name of a wheel, which says the project and version too."""
    try:
        name, said, _, _ = parse_wheel_filename(text)
    except InvalidWheelFilename:
        is_its = False
    else:
        is_its = bool(_WHEEL.fullmatch(text)) and (str(name), said) == (project, Version(version))
    if not is_its:
        raise ValueError(f"expected the file name of a wheel of {project} {version}, got {text!r}")
    return text


def source_file(text: str, *, project: ProjectName) -> str:
    """Check the file name of a source archive of a project."""
    stem = text.removesuffix(".zip").removesuffix(".tar.gz").removesuffix(".tar.bz2").removesuffix(".tgz")
    if not _SOURCE.fullmatch(text) or not any(project_name(stem[:at]) == project for at in _dashes(stem)):
        raise ValueError(f"expected the file name of a source archive of {project}, got {text!r}")
    return text


def _dashes(text: str) -> list[int]:
    return [at for at, letter in enumerate(text) if letter == "-" and at]


def archive_file(text: str) -> str:
    """Check the file name of a conda package."""
    if not _ARCHIVE.fullmatch(text):
        raise ValueError(f"expected the file name of a `.conda` or `.tar.bz2`, got {text!r}")
    return text


def subdir(text: str, *, platform: Platform) -> str:
    """Check the subdir of a package for a platform."""
    if text not in (platform, _NOARCH):
        raise ValueError(f"expected {platform} or {_NOARCH}, got {text!r}")
    return text


def requires(texts: Mapping[str, str]) -> dict[ProjectName, str]:
    """Check what a wheel requires: projects, with specifiers of PEP 440."""
    for specifiers in set(texts.values()):
        if len(specifiers) > limits.REQUIREMENT:
            raise ValueError(f"expected at most {limits.REQUIREMENT} characters, got {len(specifiers)}")
        SpecifierSet(specifiers)  # its error is a ValueError
    return {parse_project_name(project): specifiers for project, specifiers in texts.items()}


def depends(texts: Mapping[str, str]) -> dict[str, str]:
    """Check the names of what a conda package depends on."""
    return {parse_conda_name(name): rest for name, rest in texts.items()}


def md5(text: str) -> str:
    """Check an md5."""
    if not _MD5.fullmatch(text):
        raise ValueError(f"not an md5: {text!r}")
    return text


def count(text: str) -> int:
    """Read a whole number that is not below zero."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"expected a whole number, got {text!r}")
    return int(text)


def moment(text: str) -> dt.datetime:
    """Read an aware moment."""
    found = parse_moment(text)
    if found.tzinfo is None:
        raise ValueError(f"expected a time with an offset from UTC, got {text!r}")
    return found


def virtual_packages(text: str) -> dict[str, str]:
    """Read virtual packages and their versions from JSON."""
    return {
        parse_conda_name(name): (build_string if name == "__archspec" else conda_version)(_text(value))
        for name, value in _mapping(text).items()
    }


def renamed(text: str) -> dict[str, str]:
    """Read conda names of projects from JSON."""
    return {parse_project_name(project): parse_conda_name(_text(name)) for project, name in _mapping(text).items()}


def extras(text: str) -> dict[ProjectName, tuple[str, ...]]:
    """Read extras of projects from JSON."""
    return {parse_project_name(project): _texts(found) for project, found in _mapping(text).items()}


def shared(text: str) -> dict[str, tuple[str, ...]]:
    """Read names of packages by environment from JSON."""
    return {
        environment_name(name): tuple(map(parse_conda_name, _texts(found))) for name, found in _mapping(text).items()
    }


def overrides(text: str) -> dict[ProjectName, tuple[str, ...]]:
    """Read requirements without markers by their project from JSON."""
    found = extras(text)
    for project, requirements in found.items():
        if any(project_name(Requirement(requirement).name) != project for requirement in requirements):
            raise ValueError(f"expected requirements on `{project}`, got {', '.join(requirements)}")
    return found


def constraints(text: str) -> dict[ProjectName, str]:
    """Read specifiers of PEP 440 by their project from JSON."""
    return requires(plain(text))


def projects(text: str) -> dict[ProjectName, tuple[ProjectName, ...]]:
    """Read lists of projects by project from JSON."""
    return {project: tuple(map(parse_project_name, found)) for project, found in extras(text).items()}


def project_list(text: str) -> tuple[ProjectName, ...]:
    """Read projects from JSON."""
    return tuple(map(parse_project_name, _texts(read_json(text))))


def substitutes(text: str) -> dict[ProjectName, ProjectName]:
    """Read projects by project from JSON."""
    return {parse_project_name(project): parse_project_name(other) for project, other in plain(text).items()}


def reasons(text: str) -> dict[ProjectName, str]:
    """Read reasons by project from JSON."""
    return {parse_project_name(project): reason for project, reason in plain(text).items()}


def plain(text: str) -> dict[str, str]:
    """Read texts by text from JSON."""
    return {key: _text(value) for key, value in _mapping(text).items()}


def _mapping(text: str) -> dict[str, Any]:
    found = read_json(text)  # its error is a ValueError
    if not isinstance(found, dict):
        raise ValueError(f"expected a mapping, got {found!r}")  # noqa: TRY004  what `Node.parsed` makes a complaint of
    return found


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"expected a list, got {value!r}")  # noqa: TRY004  as above
    return tuple(map(_text, value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {value!r}")  # noqa: TRY004  as above
    return value
