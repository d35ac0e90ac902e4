"""Typed access to the documents of other tools: what is of another kind is a fault with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from envgen.documents import DocumentError, read_toml, read_yaml
from envgen.errors import Fault, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def toml_document(text: str, source: str) -> dict[str, Any]:
    """Parse a TOML file.

    Raises:
        SpecError: it is not one.
    """
    try:
        return read_toml(text)
    except ValueError as error:
        raise SpecError((Fault(where=source, what=f"not TOML: {error}"),), hint="nothing was written") from error


def yaml_document(text: str, source: str) -> dict[str, Any]:
    """Parse a YAML file that holds a mapping.

    Raises:
        SpecError: it is not one.
    """
    try:
        found = read_yaml(text)
    except (yaml.YAMLError, DocumentError) as error:
        what = f"not YAML: {str(error).splitlines()[0]}"
        raise SpecError((Fault(where=source, what=what),), hint="nothing was written") from error
    return table(found, source)


def table(value: Any, where: str) -> dict[str, Any]:
    """Return a mapping; nothing at all is an empty one.

    Raises:
        SpecError: it is something else.
    """
    return {str(key): item for key, item in _typed(value if value is not None else {}, dict, "a table", where).items()}


def items(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield the place and the value of each item of a list; nothing at all is an empty one.

    Raises:
        SpecError: it is something else.
    """
    listed = _typed(value if value is not None else [], list, "a list", where)
    yield from ((f"{where}[{at}]", item) for at, item in enumerate(listed))


def tables(value: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place and the mapping of each item of a list of mappings.

    Raises:
        SpecError: it is something else.
    """
    yield from ((place, table(item, place)) for place, item in items(value, where))


def texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each item of a list of texts.

    Raises:
        SpecError: it is something else.
    """
    yield from ((place, text(item, place)) for place, item in items(value, where))


def text(value: Any, where: str) -> str:
    """Return a text; numbers are taken as they are written.

    Raises:
        SpecError: it is something else.
    """
    return str(_typed(value, (str, int, float), "text", where))


def _typed(value: Any, kind: type | tuple[type, ...], name: str, where: str) -> Any:
    if not isinstance(value, kind):
        what = f"expected {name}, got {type(value).__name__}"
        raise SpecError((Fault(where=where, what=what),), hint="nothing was written")
    return value


def each(value: Any, where: str, take: Callable[[str, str], None]) -> None:
    """Call `take` with each text of a list and its place."""
    for place, found in texts(value, where):
        take(place, found)
