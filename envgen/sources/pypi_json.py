"""PEP 691: the document of a project, taken apart without reading it.

A document can be 10 MB long and list thousands of files, of which a solve looks at a few. Objects for all of it take
four times its size, and most of the time of reading it; so an entry stays a piece of JSON until it is wanted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from envgen import limits
from envgen.documents import read_json
from envgen.urls import display

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

_SHOWN = 60
"""Characters of a foreign value that a message shows."""

Entry = msgspec.Raw | bytes
"""A listed file: JSON, a piece of its document where that could be taken apart."""


class UnexpectedError(ValueError):
    """A page has another shape than the standard says; the text says where, in words."""


class _Page(msgspec.Struct):
    meta: dict[str, Any]
    files: list[msgspec.Raw]
    status: Any = msgspec.field(name="project-status", default=None)


class _Listed(msgspec.Struct):
    filename: Any = None


_PAGE = msgspec.json.Decoder(_Page)
_LISTED = msgspec.json.Decoder(_Listed)


def json_page(body: bytes) -> tuple[list[tuple[Any, Entry]], str | None]:
    """Return the files of a document, each with what it gives as its name, and the status of its project.

    Raises:
        UnexpectedError: it has another shape than the standard says.
        ValueError, RecursionError: it is not JSON, too large or too deep.
    """
    if len(body) > limits.DOCUMENT:
        return _described(body)
    try:
        if not body.isascii():
            body.decode()  # nobody looks at the texts that are passed over
        page = _PAGE.decode(body)
        _check_version(page.meta)
        return [(_LISTED.decode(entry).filename, entry) for entry in page.files], _status(page.status)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # other encodings and numbers that are none, or to be described
        return _described(body)


def named(entries: Iterable[dict[str, Any]]) -> list[tuple[Any, Entry]]:
    """Return files, each with what it gives as its name."""
    return [(entry.get("filename"), json.dumps(entry).encode()) for entry in entries]


def _described(body: bytes) -> tuple[list[tuple[Any, Entry]], str | None]:
    """Read a document as a whole, to say what is wrong with it."""
    document = _expect(read_json(body), dict, "the document")
    _check_version(_expect(document.get("meta"), dict, "`meta`"))
    files = _expect(document.get("files"), list, "`files`")
    entries = [_expect(entry, dict, f"`files[{at}]`") for at, entry in enumerate(files)]
    return named(entries), _status(document.get("project-status"))


def _check_version(meta: Mapping[str, Any]) -> None:
    version = meta.get("api-version")
    if str(version).partition(".")[0] != "1":  # PEP 629: a client must refuse an unknown major version
        raise UnexpectedError(f"`meta.api-version` is {version!r}, expected '1.x'")


def _status(marked: Any) -> str | None:
    status = marked.get("status") if isinstance(marked, dict) else None
    return status if isinstance(status, str) else None


def _expect(value: Any, kind: type[T], what: str) -> T:
    if isinstance(value, kind):
        return value
    raise UnexpectedError(f"{what} is {shown(value)}, expected a {'list' if kind is list else 'mapping'}")


def shown(value: Any) -> str:
    """Render a value of a foreign document on one line, and not too long."""
    text = display(value) if isinstance(value, str) else json.dumps(value)
    return repr(text[:_SHOWN]) if isinstance(value, str) else ascii(text[:_SHOWN])[1:-1]
