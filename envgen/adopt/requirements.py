"""Read `requirements.txt` and `.in`: the format of pip.

https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct, field

from envgen.adopt.adopted import Adopted
from envgen.names import project_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.adopt.adopted import Read

_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION = re.compile(r"(?P<name>--?[a-z][a-z-]*)(?:\s*=\s*|\s+|(?<=-[rcefi]))?(?P<value>.*)")
_NO_PROJECT = re.compile(r"pkg[-_]resources\s*==\s*0\.0\.0$")
_LOCAL = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(\[.*\])?\s*===?\s*[^;\s]*\+")
_HASH = re.compile(r"\s+--hash[=\s]\S+")
_PER_LINE = re.compile(r"\s+--(config-settings?|global-option|install-option)\b.*")
_EGG = re.compile(r"#(?:.*&)?egg=([A-Za-z0-9._-]+)")
_SHORT = {"-r": "--requirement", "-c": "--constraint", "-e": "--editable", "-i": "--index-url", "-f": "--find-links"}
_UNNAMED = "further"
_DEPTH = 20
_WHY = {
    "--find-links": "a folder or page of wheels is an index here: list its projects under `indexes`",
    "--no-index": "name the index that has the projects under `indexes`",
    "--pre": "pre-releases count where a requirement names one, such as `>=2.0rc1`",
    "--no-binary": "wheels come first; a release without one is built",
    "--only-binary": "wheels come first; `--no-build` refuses all others",
    "--prefer-binary": "wheels always come first",
    "--trusted-host": "certificates are always checked",
    "--require-hashes": "locks always have digests",
    "--use-feature": "a setting of pip",
}


class _Reading(Struct, kw_only=True):
    """What is read, and what it says of indexes."""

    found: Adopted
    read: Read
    extra: list[tuple[str, str]] = field(default_factory=list)
    local: list[str] = field(default_factory=list)
    hashes: int = 0


def read_requirements(text: str, source: str, read: Read) -> Adopted:
    """Read a requirements file and all that it includes.

    Raises:
        SpecError: an included file cannot be read or includes itself; requirements contradict each other.
    """
    file = _Reading(found=Adopted(source=source), read=read)
    _walk(file, text, source, "pypi", (source,))
    take_indexes(file.found, file.extra, file.local)
    if file.hashes:
        file.found.left(source, f"hashes of {file.hashes} lines", "the lock holds the digest of each file itself")
    return file.found


def take_lines(found: Adopted, lines: list[tuple[str, str]], read: Read) -> None:
    """Adopt lines of a requirements file that stand in another file, each with its place."""
    file = _Reading(found=found, read=read)
    for where, line in lines:
        _line(file, where, line, "pypi", (found.source,))
    take_indexes(found, file.extra, file.local)


def take_indexes(found: Adopted, extra: list[tuple[str, str]], local: list[str]) -> None:
    """Assign to the one further index the projects that are pinned to a local version, such as `torch==2.8.0+cu126`.

    Args:
        found: what is collected.
        extra: place and address of each further index.
        local: projects with such a pin: the default index has no local versions.
    """
    for where, url in extra:
        found.index(where, index_name(url), url, local if len(extra) == 1 else ())


def index_name(url: str) -> str:
    """Name an index after its path, or else its host: `https://host/whl/cu126` is `cu126`."""
    try:
        parts = urlsplit(url)
    except ValueError:  # which `Adopted.index` tells
        return _UNNAMED
    words = [word for word in re.split(r"[^a-z0-9]+", parts.path.lower()) if word not in {"", "simple", "index"}]
    name = words[-1] if words else (parts.hostname or "").rpartition(".")[0].rpartition(".")[2]
    return name if re.match(r"[a-z]", name) and name != "pypi" else _UNNAMED


def _walk(file: _Reading, text: str, source: str, section: str, trail: tuple[str, ...]) -> None:
    for number, line in _logical(text):
        _line(file, f"{source}:{number}", line, section, trail)


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line, continuations joined and comments removed."""
    start, parts = 0, list[str]()
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        start = start if parts else number
        is_open = raw.endswith("\\") and not raw.lstrip().startswith("#")
        parts.append(raw[:-1] if is_open else raw)
        if is_open:
            continue
        if line := _COMMENT.sub("", " ".join(map(str.strip, parts))).strip():
            yield start, line
        parts = []
    if line := _COMMENT.sub("", " ".join(map(str.strip, parts))).strip():
        yield start, line


def _line(file: _Reading, where: str, line: str, section: str, trail: tuple[str, ...]) -> None:
    if line.startswith("-"):
        _option(file, where, line, section, trail)
        return
    text = _PER_LINE.sub("", _HASH.sub("", line)).strip()
    file.hashes += _HASH.search(line) is not None
    if _NO_PROJECT.match(text):
        file.found.left(where, text, "a mistake of Debian's pip: there is no such project")
        return
    if pinned := _LOCAL.match(text):
        file.local.append(project_name(pinned["name"]))
    if re.match(r"(git|hg|svn|bzr)\+|https?:|file:", text):
        text = _with_name(text)
    changed = _PER_LINE.search(line) is not None
    why = "settings of its build are left out" if changed else ""
    file.found.wheel(where, text, section=section, written=_HASH.sub("", line).strip(), why=why)


def _with_name(url: str) -> str:
    """Write a bare URL as `name @ URL`, by its `#egg=` or its file's name."""
    address, space, marker = url.partition(" ;")
    egg = _EGG.search(address)
    path = address.partition("#")[0].partition("@")[0].rstrip("/")
    name = egg[1] if egg else posixpath.basename(path).partition("-")[0].removesuffix(".git")
    return f"{name} @ {address}{space}{marker}"


def _option(file: _Reading, where: str, line: str, section: str, trail: tuple[str, ...]) -> None:
    match = _OPTION.fullmatch(line)
    name = _SHORT.get(match["name"], match["name"]) if match else line
    value = _unquoted(match["value"]) if match else ""
    if name in {"--requirement", "--constraint"}:
        _include(
            file, where, value, "constraints" if name == "--constraint" or section == "constraints" else section, trail
        )
    elif name == "--editable":
        path = value if value.startswith((".", "git+", "http")) else f"./{value}"
        text = _with_name(path) if path.startswith(("git+", "http")) else path
        file.found.wheel(where, text, written=line, why="code of the repository is built when it changed; not linked")
    elif name == "--index-url":
        file.found.default_index(where, value)
    elif name == "--extra-index-url":
        file.extra.append((where, value))
    else:
        file.found.left(where, line, _WHY.get(name, "an option of pip"))


def _include(file: _Reading, where: str, path: str, section: str, trail: tuple[str, ...]) -> None:
    full = posixpath.normpath(posixpath.join(posixpath.dirname(trail[-1]), path))
    if full in trail or len(trail) > _DEPTH:
        file.found.fail(where, f"`{full}` includes itself: {' -> '.join((*trail, full))}")
    if "://" in path:
        file.found.fail(where, f"`{path}` is on another machine", "download it and include the file")
    file.found.took(where, f"{'-c' if section == 'constraints' else '-r'} {path}", section, "its lines follow")
    _walk(file, file.read(full), full, section, (*trail, full))


def _unquoted(text: str) -> str:
    try:
        return " ".join(shlex.split(text))
    except ValueError:
        return text
