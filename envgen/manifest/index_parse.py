"""Read the section `indexes:` of a spec: wheel indexes beside the default one, and which projects come from each.

indexes:
pytorch: {url: "https://index.example/whl/cpu", projects: [torch, torchvision]}
team:    {url: "${TEAM_INDEX}", projects: ["acme-*"]}
wheels:  {url: ./wheelhouse, projects: [acme-kernels]}     # a folder, from the project's root
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from envgen.indexes import NamedIndex, is_index_name, matches
from envgen.manifest.adjust_parse import parse_reason
from envgen.manifest.document import BadValueError
from envgen.urls import display, has_token, is_cut

if TYPE_CHECKING:
    from envgen.manifest.document import Value

_KEYS = ("url", "projects", "undated")
_SHAPE = '`indexes: {team: {url: "${TEAM_INDEX}", projects: ["acme-*"]}}`'
_PATTERN = re.compile(r"[A-Za-z0-9*](?:[A-Za-z0-9._*-]*[A-Za-z0-9*])?")
_SEPARATORS = re.compile(r"[-_.]+")
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_SCHEME = re.compile(r"(https?|file)://.")
_DEFAULT = "pypi"


def parse_indexes(section: Value | None) -> dict[str, NamedIndex]:
    """Parse `indexes: {name: {url, projects}}`; its faults go into the document."""
    found: dict[str, NamedIndex] = {}
    patterns: list[tuple[str, str, Value]] = []
    for key, value in section.fields(hint=_SHAPE).items() if section else ():
        name = value.checked(key, _name)
        fields = value.fields(_KEYS, hint=_SHAPE)
        for missing in [needed for needed in ("url", "projects") if needed not in fields]:
            value.fault(f"`{value.key}.{missing}` is missing", _SHAPE)
        url = fields["url"].parsed(index_url) if "url" in fields else None
        projects = _projects(fields["projects"]) if "projects" in fields else {}
        if name is None or url is None:
            continue
        patterns += [(name, pattern, item) for pattern, item in projects.items()]
        undated = parse_reason(fields["undated"], key="undated") if "undated" in fields else None
        found[name] = NamedIndex(name=name, url=url, projects=tuple(projects), undated=undated)
    _refuse_shared(patterns)
    return {name: found[name] for name in sorted(found)}


def index_url(text: str) -> str:
    """Check the address of an index: it stands in the repository, so it holds no secret."""
    plain = _VARIABLE.sub("x", text)
    url = urlsplit(plain)
    is_free = text.startswith(("./", "../", "/")) or _VARIABLE.match(text) is not None
    if _has_login(text) or has_token(plain) or is_cut(plain):
        raise BadValueError(
            "the URL contains credentials, which would end up in the repository",
            hint="put them in `~/.netrc` or keyring, or write a variable: `${TEAM_INDEX}`",
        )
    if url.query or url.fragment:
        raise BadValueError("the URL contains a query or a fragment, which may be a secret", hint="remove it")
    if any(c.isspace() for c in text) or not (is_free or _SCHEME.match(text)):
        hint = 'for example `https://...`, `./folder` in the project, or `"${TEAM_INDEX}"`'
        raise BadValueError(f"not the address of an index: {display(text)!r}", hint=hint)
    return text.rstrip("/")


def _has_login(text: str) -> bool:
    """Return whether a URL holds a login beyond variables, and a user whose password is one."""
    login, at, _ = text.partition("://")[2].partition("/")[0].rpartition("@")
    user, colon, password = login.partition(":")
    return bool(at) and not _VARIABLE.fullmatch(password if colon else user)


def _name(text: str) -> str:
    if not is_index_name(text):
        raise BadValueError(f"not the name of an index: {text!r}", hint="use lower-case letters, digits and `-`")
    if text == _DEFAULT:
        raise BadValueError(
            "`pypi` is the default index, which all other projects come from",
            hint="choose another name here; ENVGEN_PYPI sets the address of the default index",
        )
    return text


def _projects(section: Value) -> dict[str, Value]:
    """Read patterns, each with its place."""
    found: dict[str, Value] = {}
    items = section.items(hint='`projects: [torch, "acme-*"]`')
    for item in items:
        pattern = item.parsed(_pattern)
        if pattern in found:
            item.fault(f"`{item.key}`: `{pattern}` is already listed, in {found[pattern].place_from(item)}")
        elif pattern is not None:
            found[pattern] = item
    if not items and (section.is_empty or section.is_list):
        section.fault(f"`{section.key}`: no project is listed", '`projects: [torch, "acme-*"]`')
    return found


def _pattern(text: str) -> str:
    if not _PATTERN.fullmatch(text):
        raise BadValueError(f"not a project name or pattern: {text!r}", hint='for example `torch` or `"acme-*"`')
    if not text.strip("*"):
        raise BadValueError(
            f"`{text}` covers every project", hint="for another default index set ENVGEN_PYPI, or pip's `index-url`"
        )
    return _SEPARATORS.sub("-", text).lower()


def _refuse_shared(patterns: list[tuple[str, str, Value]]) -> None:
    """Report what two indexes name, as far as their patterns show; `index_of` finds the rest by name."""
    for at, (name, pattern, item) in enumerate(patterns):
        shared = (one for one in patterns[:at] if one[0] != name and _overlap(one[1], pattern))
        for other, its, first in list(shared)[:1]:
            what = f"`{item.key}`: `{pattern}` is already covered by `{its}` of `{other}`, in {first.place_from(item)}"
            item.fault(what, "list each project under one index")


def _overlap(one: str, other: str) -> bool:
    return matches(one, other) or matches(other, one)
