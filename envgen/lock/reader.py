"""Values of a foreign document, whose getters check what they return and complain with the path to it."""

from __future__ import annotations

import re
import reprlib
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import yaml
from msgspec import Struct

from envgen.documents import DocumentError, read_yaml
from envgen.errors import LockError
from envgen.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_RENEW = "restore the file from git, or remove it and run `envgen lock`"
"""The hint of most complaints: a lock that cannot be read is never silently replaced."""

_SHOWN = 120
"""Characters of a value that a message shows."""

_CONFLICT = re.compile(r"^(<<<<<<<|>>>>>>>) ", re.MULTILINE)


def load(text: str, *, source: str) -> Field:
    """Parse a lock's YAML.

    Args:
        text: of the file.
        source: what messages call the file: its path relative to the project.

    Raises:
        LockError: it is no YAML, or holds merge conflict markers.
    """
    if _CONFLICT.search(text):
        raise LockError(
            f"{source}: contains merge conflict markers",
            hint="resolve the conflicts in the spec and `git add` it, then run `envgen merge-lock`",
        )
    try:
        value = read_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" in line {mark.line + 1}" if mark else ""
        raise LockError(f"{source}: not YAML{at}: {getattr(error, 'problem', None) or error}", hint=_RENEW) from error
    except DocumentError as error:
        raise LockError(f"{source}: cannot be read: {error}", hint=_RENEW) from error
    return Field(value=value, source=source, path="")


def _short(value: object) -> str:
    """Show a value in a message; one of a lock that somebody made may be as long as its file."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = _SHOWN
    return shown.repr(value)


class Field(Struct, frozen=True, kw_only=True):
    """A value of a document, and where it stands.

    Attributes:
        value: as YAML has it.
        source: what messages call the file.
        path: of the value in the document: `package[3].hash`; empty for the whole.
    """

    value: Any
    source: str
    path: str

    def fail(self, what: str, *, hint: str = _RENEW) -> NoReturn:
        """Return an error about the value."""
        raise LockError(": ".join(filter(None, (self.source, self.path, what))), hint=hint)

    def find(self, key: str) -> Field | None:
        """Return the value of a mapping's key, or None where the key is not there."""
        if key not in self._mapping():
            return None
        return self._member(key)

    def get(self, key: str) -> Field:
        """Return the value of a mapping's key."""
        return self.find(key) or self.fail(f"`{key}` is missing")

    def members(self) -> dict[str, Field]:
        """Return the values of a mapping, whatever its keys are called."""
        for key in self._mapping():
            if not isinstance(key, str):
                self.fail(f"expected text for every key, got {key!r}")
            self._plain(key)
        return {key: self._member(key) for key in self.value}

    def items(self) -> tuple[Field, ...]:
        """Return the values of a list."""
        if not isinstance(self.value, list):
            self.fail(f"expected a list, got {_short(self.value)}")
        return tuple(
            Field(value=value, source=self.source, path=f"{self.path}[{number}]")
            for number, value in enumerate(self.value)
        )

    def text(self) -> str:
        """Return a text."""
        if not isinstance(self.value, str):
            self.fail(f"expected text, got {_short(self.value)}")
        return self._plain(self.value)

    def texts(self) -> dict[str, str]:
        """Return a mapping of text to text."""
        for key, value in self._mapping().items():
            if not isinstance(key, str) or not isinstance(value, str):
                self.fail(f"expected a mapping of text to text, got {key!r}: {value!r}")
            self._plain(key + value)
        return dict(self.value)

    def only_json(self) -> None:
        """Raise for a value that YAML has and JSON has not: an unquoted date, a number as a key."""
        inside = self.members().values() if isinstance(self.value, dict) else ()
        for node in self.items() if isinstance(self.value, list) else inside:
            node.only_json()
        if not isinstance(self.value, (dict, list, str, int, float, type(None))):
            self.fail(f"expected text, got {_short(self.value)}")

    def parsed(self, parse: Callable[[str], T]) -> T:
        """Read a text and return what `parse` makes of it; its `ValueError` becomes the complaint."""
        try:
            return parse(self.text())
        except (ValueError, KeyError) as error:
            self.fail(str(error))

    def _plain(self, text: str) -> str:
        """Refuse line feeds and control characters: no field of a lock needs them."""
        if one_line(text) != text:
            self.fail(f"contains a control character: {_short(text)}")
        return text

    def _mapping(self) -> dict[Any, Any]:
        if not isinstance(self.value, dict):
            self.fail(f"expected a mapping, got {_short(self.value)}")
        return self.value

    def _member(self, key: str) -> Field:
        return Field(value=self.value[key], source=self.source, path=f"{self.path}.{key}" if self.path else key)
