"""What the words of a spec may be: each parser takes a text and raises `BadValueError` with what to write instead."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from envgen.manifest.document import BadValueError
from envgen.moments import in_bounds, parse_moment
from envgen.names import project_name
from envgen.platforms import X86_64_LEVELS, Platform, PythonMinor
from envgen.printable import one_line
from envgen.references import named_in, parse_reference
from envgen.suggest import nearest
from envgen.urls import display, has_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.names import ProjectName

_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NUMBERS = re.compile(r"(\d+)\.(\d+)")
_CUDA = re.compile(r"\d+(\.\d+)?")
_ARCHSPEC = re.compile(r"[a-z0-9_]+")
_PROJECT = re.compile(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]")  # PEP 508
_CONDA_NAME = re.compile(r"(?!_?_?$)[a-z0-9_.-]+")  # CEP 26
_PATH = re.compile(
    r"(?P<path>\.\.?/(?:[^\s\[;]*/)?(?P<name>[A-Za-z0-9][\w.-]*?)/?)(?P<extras>\[[\w, .-]*\])?(?P<rest>\s*;.*)?"
)
"""A folder of the project, `./libs/mylib[extra]`: the folder is called like the project."""

_ONE_EQUALS = re.compile(r"(?P<name>[\w.-]+(\[[\w, .-]*\])?)\s*=?\s*(?P<version>\d[\w.+!*]*)\s*(?P<rest>;.*)?")

_AGE = re.compile(r"(?P<count>[1-9]\d{0,3}) (?P<unit>day|week)s?")
_WEEK = 7


def python_minor(text: str) -> PythonMinor:
    """Read `3.11`."""
    try:
        return PythonMinor.parse(text)
    except ValueError as error:
        minor = ".".join(text.split(".")[:2])
        hint = f"write the minor version only: `{minor}`" if _NUMBERS.fullmatch(minor) and minor != text else None
        raise BadValueError(str(error), hint=hint) from error


def environment_name(text: str) -> str:
    """Check the name of an environment: it becomes part of file names."""
    if not _ENVIRONMENT.fullmatch(text):
        raise BadValueError(f"not an environment name: {text!r}", hint="use letters, digits, `.`, `_` and `-`")
    return text


def group_name(text: str) -> str:
    """Check the name of a solve group."""
    if not _ENVIRONMENT.fullmatch(text):
        raise BadValueError(f"not a name of a group: {text!r}", hint="use letters, digits, `.`, `_` and `-`")
    return text


def description(text: str) -> str:
    """Check a line for readers."""
    if one_line(text) != text:
        raise BadValueError(f"expected one line of printable text, got {text!r}")
    return text


def platform(text: str) -> Platform:
    """Read a conda subdir."""
    try:
        return Platform(text)
    except ValueError as error:
        known = ", ".join(Platform)
        raise BadValueError(
            f"unknown platform `{text}`", hint=nearest(text, tuple(Platform)) or f"known are {known}"
        ) from error


def two_numbers(text: str) -> tuple[int, int]:
    """Read `2.36`, a version of glibc or macOS."""
    match = _NUMBERS.fullmatch(text)
    if not match:
        raise BadValueError(f"expected a version such as `2.36`, got {text!r}")
    return int(match[1]), int(match[2])


def cuda(text: str) -> str:
    """Read `12.8`, the newest CUDA version that the machines' driver supports."""
    if not _CUDA.fullmatch(text):
        raise BadValueError(f"expected a CUDA version such as `12.8`, got {text!r}")
    return text


def archspec_of(platform: Platform) -> Callable[[str], str]:
    """Make the parser of microarchitectures of a platform; names beside the levels (`zen4`) are let through."""

    def archspec(text: str) -> str:
        if not _ARCHSPEC.fullmatch(text):
            raise BadValueError(f"not a microarchitecture: {text!r}", hint=nearest(text, X86_64_LEVELS))
        if text in X86_64_LEVELS and platform.machine.lower() not in {"x86_64", "amd64"}:
            raise BadValueError(f"`{text}` is not a microarchitecture of {platform} ({platform.machine})")
        return text

    return archspec


def requirement(text: str) -> Requirement:
    """Read a PEP 508 requirement, or the path of a project of the repository."""
    if text.startswith(("-e", "--editable")):
        raise BadValueError(
            "editable installs cannot be locked",
            hint="require the folder of the project, such as `./libs/mylib`",
        )
    if text.startswith("-"):
        raise BadValueError(f"`{text.split(maxsplit=1)[0]}` is an option of pip, not a requirement")
    if path := _PATH.fullmatch(text):
        text = f"{_named(path['name'])}{path['extras'] or ''} @ {path['path']}{path['rest'] or ''}"
    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        raise BadValueError(f"{str(error).partition(chr(10))[0]}: {text!r}", hint=_equals_hint(text)) from error
    if found.url:
        try:
            parse_reference(found.url)
        except ValueError as error:
            raise BadValueError(f"`{found.name} @ …`: {error}") from error
        if (egg := named_in(found.url)) and canonicalize_name(egg) != canonicalize_name(found.name):
            raise BadValueError(f"`{found.name} @ …`: `#egg={egg}` has another name")
    return found


def _named(file: str) -> str:
    """Name the project of a folder, which is called like it, or of a wheel or archive."""
    if not file.endswith((".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz")):
        return file
    name, dash, _ = file.partition("-") if file.endswith(".whl") else file.rpartition("-")
    if not dash:
        raise BadValueError(f"`{file}` does not name a project", hint=f"write `NAME @ ./…/{file}`")
    return name


def override(text: str) -> Requirement:
    """Read a PEP 508 requirement that stands for others: by versions, not by an address."""
    found = requirement(text)
    if found.url:
        raise BadValueError(f"an override cannot have a URL: {text!r}", hint="require it under `pypi`")
    return found


def constraint(text: str) -> Requirement:
    """Read a PEP 508 requirement that narrows versions and asks for nothing."""
    found = requirement(text)
    if found.url:
        raise BadValueError(f"a constraint cannot have a URL: {text!r}", hint="require it under `pypi`")
    if found.extras:
        raise BadValueError(
            f"a constraint cannot have extras: {text!r}",
            hint="require the extra under `pypi`",
        )
    return found


def match_spec(text: str) -> str:
    """Check a MatchSpec with rattler's own parser, and return it as written."""
    if _CONDA_NAME.fullmatch(text) and not text.startswith("__"):
        return text
    if "://" in text:
        raise BadValueError(f"a direct URL cannot be locked: {text!r}", hint="name the package and add its channel")
    import rattler.exceptions  # noqa: PLC0415  takes 70 ms, and most specs hold bare names

    try:
        found = rattler.MatchSpec(text)
    except rattler.exceptions.InvalidMatchSpecError as error:
        raise BadValueError(f"{error}: {text!r}") from error
    name = match_name(text)
    if name.startswith("__"):
        raise BadValueError(
            f"`{name}` is a virtual package", hint="set what the target machines have under `platforms`"
        )
    if re.search(r"[<>=,;\s]", found.build or "") or not _CONDA_NAME.fullmatch(name):
        raise BadValueError(f"not a MatchSpec: {text!r}", hint="for example `numpy >=1.26,<3` or `blas * *mkl`")
    return text


def match_name(text: str) -> str:
    """Name the package that a MatchSpec is about; `match_spec` lets only exact names pass."""
    if _CONDA_NAME.fullmatch(text):
        return text
    import rattler  # noqa: PLC0415  as above

    name = rattler.MatchSpec(text).name
    return str(name.normalized) if name else ""


def match_rest(text: str) -> str:
    """Return what a MatchSpec says beside the name, in rattler's words; empty where it is a name alone."""
    if _CONDA_NAME.fullmatch(text):
        return ""
    import rattler  # noqa: PLC0415  as above

    return str(rattler.MatchSpec(text)).partition(" ")[2]


def match_version(text: str) -> str:
    """Return the versions that a MatchSpec allows, in rattler's words: `>=1,<2`, `3.11.*`; empty for any."""
    if _CONDA_NAME.fullmatch(text):
        return ""
    import rattler  # noqa: PLC0415  as above

    return str(rattler.MatchSpec(text).version or "")


def channel(text: str) -> str:
    """Check a channel: a name, a URL, or a path relative to the project."""
    url = urlsplit(text)
    if "@" in url.netloc or has_token(text) or "@" in text.partition("/")[0]:
        raise BadValueError(
            "the channel's URL contains credentials, which would end up in the repository",
            hint="remove them and store them with `rattler auth`, `conda token` or in `~/.netrc`",
        )
    if "://" in text and (url.query or url.fragment):
        raise BadValueError("the channel's URL holds a query or a fragment, which may be a secret", hint="remove it")
    if not text or any(c.isspace() for c in text):
        raise BadValueError(f"not a channel: {display(text)!r}")
    if "://" in text and url.scheme not in {"http", "https", "file", "oci", "s3"}:
        raise BadValueError(f"unsupported URL scheme: {display(text)!r}", hint="use https:// or file://")
    return text.rstrip("/")


def project(text: str) -> str:
    """Check the name of a project of the wheel index."""
    if not _PROJECT.fullmatch(text):
        raise BadValueError(f"not a project name: {text!r}")
    return text


def project_key(text: str) -> ProjectName:
    """Read the name of a project in any spelling, and normalise it."""
    return project_name(project(text))


def conda_name(text: str) -> str:
    """Check the name of a conda package."""
    if not _CONDA_NAME.fullmatch(text):
        raise BadValueError(
            f"not a conda package name: {text!r}", hint="use lower case letters, digits, `.`, `_` and `-`"
        )
    return text


def moment(text: str) -> dt.datetime:
    """Read a date or an RFC 3339 time as a moment in UTC.

    A date includes the whole of that day, as it does for uv and rattler: `2026-11-22` is 2026-11-23T00:00:00Z. The
    day is UTC's, not that of the machine's time zone, so that the answer is the same everywhere.
    """
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return _instant(text)
    try:
        start = in_bounds(dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC))
    except ValueError as error:
        raise BadValueError(f"{text!r}: {error}") from error
    return start + dt.timedelta(days=1)


def moment_or_age(text: str) -> dt.datetime | dt.timedelta:
    """Read a moment as `moment` does, or an age such as `7 days` or `2 weeks`."""
    if found := _AGE.fullmatch(text):
        return dt.timedelta(days=int(found["count"]) * (_WEEK if found["unit"] == "week" else 1))
    return moment(text)


def _instant(text: str) -> dt.datetime:
    try:
        found = parse_moment(text)
    except ValueError as error:
        raise BadValueError(
            f"neither a date nor an RFC 3339 time: {text!r}", hint="for example `2026-11-22`, or `7 days`"
        ) from error
    if found.tzinfo is None:
        raise BadValueError(f"the time has no time zone: {text!r}", hint=f"write `{text}Z` for UTC")
    return found.astimezone(dt.UTC)


def _equals_hint(text: str) -> str | None:
    match = _ONE_EQUALS.fullmatch(text)
    return (
        f"write `{match['name']} =={match['version']}{' ' + match['rest'] if match['rest'] else ''}`" if match else None
    )
