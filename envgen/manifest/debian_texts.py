"""What the texts of a Debian recipe may be, before and after they are rendered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen import templates as sandbox
from envgen.manifest.document import BadValueError
from envgen.paths import parse_prefix_path
from envgen.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Collection

VARIABLES = {
    "name": "name of the package",
    "version": "its version: the upstream version of the package that `version-from` names",
    "minor": "the first two numbers of that version",
    "python": "minor version of Python that the spec asks for",
    "platform": "conda subdir, such as linux-64",
    "machine": "such as x86_64",
    "multiarch": "Debian's name of the folder for libraries, such as x86_64-linux-gnu",
    "prefix": "path of the environment; in text files only, as linking replaces it",
    "debian": "folder of Debian's files below the prefix",
}
"""What the texts of a recipe can say."""

_METADATA = "info"
"""Folders of a package and of an environment in which a recipe writes nothing."""

_SYMBOL = re.compile(r"\w+@GLIBC_[0-9.]+", re.ASCII)
_NAME_PART = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._!+~]*")


def template(text: str, known: Collection[str] = VARIABLES.keys()) -> str:
    """Check a text with variables."""
    try:
        used = sandbox.undeclared(text)
    except sandbox.UnsafeTemplateError as error:
        raise BadValueError(str(error)) from error
    if unknown := sorted(used - set(known)):
        raise BadValueError(f"unknown variable `{unknown[0]}`", hint=nearest(unknown[0], known))
    return text


def relative(text: str) -> str:
    """Check a path or pattern before it is rendered."""
    return below(template(text))


def below(text: str) -> str:
    """Check a path or pattern: a path inside a prefix, outside the package's own metadata."""
    try:
        path = parse_prefix_path(text)
    except ValueError as error:
        raise BadValueError(str(error), hint="write a relative path without `..`") from error
    if path.partition("/")[0].lower() == _METADATA:
        raise BadValueError(f"{text!r} is below `{_METADATA}`, where conda keeps the metadata of a package")
    return path


def line(text: str) -> str:
    """Check a rendered MatchSpec, which is one line."""
    if not text.strip() or not text.isprintable():
        raise BadValueError(f"not a MatchSpec: {text!r}")
    return text


def part(text: str) -> str:
    """Check a rendered version or build string: it becomes part of a file's name."""
    if not _NAME_PART.fullmatch(text):
        raise BadValueError(f"expected a version or build string of letters, digits and `._!+~`, got {text!r}")
    return text


def symbol(text: str) -> str:
    """Check a rendered symbol with its version, such as `hypot@GLIBC_2.17`."""
    if not _SYMBOL.fullmatch(text):
        raise BadValueError(f"expected a symbol and its version, such as `hypot@GLIBC_2.17`, got {text!r}")
    return text


def word(text: str) -> str:
    """Check the name of a Debian package or suite; `python` is the one variable that is known before they are."""
    if "${{" in text:
        return template(text, ("python",))
    if not text or not text.isascii() or any(c.isspace() or c in "/()|," for c in text):
        raise BadValueError(f"not a name: {text!r}", hint="write one name per entry, without a version")
    return text
