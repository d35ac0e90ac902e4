"""YAML, JSON and TOML from outside, read within bounds: a document is parsed, or refused with a `ValueError`."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import yaml

from envgen import limits

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_NOT_A_VALUE = (ValueError, OverflowError, RecursionError, LookupError, TypeError, AttributeError)
"""What PyYAML's constructors raise for a scalar that is not what its tag says: `!!bool x` is a KeyError."""


class DocumentError(ValueError):
    """A document that is malformed, or larger or deeper than any real one."""


def read_json(text: str | bytes, *, limit: int = limits.DOCUMENT) -> Any:
    """Parse JSON.

    Raises:
        DocumentError: it is too large or too deep.
        ValueError: it is not JSON.
    """
    _check_size(len(text), limit)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise DocumentError("it is nested too deeply") from error


def read_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        DocumentError: it is too large or too deep.
        ValueError: it is not TOML.
    """
    _check_size(len(text), limits.TOML)
    if (longest := max(map(len, text.splitlines()), default=0)) > limits.LINE:
        raise DocumentError(f"a line has {longest} characters, expected at most {limits.LINE}")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise DocumentError("it is nested too deeply") from error


def compose_yaml(text: str) -> yaml.Node | None:
    """Parse YAML into nodes, of which an alias may use one several times.

    Raises:
        DocumentError: it is too large or too deep, aliases counted as often as they are used.
        yaml.YAMLError: it is not YAML.
    """
    _check_size(len(text), limits.DOCUMENT)
    node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    if node is not None:
        _check_nodes(node)
    return node


def read_yaml(text: str) -> Any:
    """Parse YAML into plain values.

    Raises:
        DocumentError: as `compose_yaml`, or a value cannot be, such as the date `2001-99-99`.
        yaml.YAMLError: it is not YAML.
    """
    node = compose_yaml(text)
    if node is None:
        return None
    try:
        return yaml.SafeLoader("").construct_document(node)
    except _NOT_A_VALUE as error:
        raise DocumentError(f"a value cannot be read: {error}") from error


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise DocumentError(f"it has {size} characters, expected at most {limit}")


def _check_nodes(root: yaml.Node) -> None:
    """Count the values, those of aliases as often as they are used, and measure their depth."""
    level: list[yaml.Node] = [root]
    count = depth = 0
    while level:
        inner = [node for node in level if isinstance(node, yaml.CollectionNode)]
        count, depth = count + sum(len(node.value) for node in inner), depth + 1
        if count > limits.NODES:
            raise DocumentError(f"it holds more than {limits.NODES} values, those of aliases included")
        if depth > limits.DEPTH:
            raise DocumentError(f"it is nested more than {limits.DEPTH} levels deep")
        level = [child for node in inner for part in node.value for child in _nodes(part)]


def _nodes(part: yaml.Node | tuple[yaml.Node, yaml.Node]) -> tuple[yaml.Node, ...]:
    """Return an item of a list, or the key and value of a mapping."""
    return part if isinstance(part, tuple) else (part,)
