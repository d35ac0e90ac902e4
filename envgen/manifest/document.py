"""YAML whose values know their line, read so that every fault of a document is found before any is told.

A `Value` is one node; its getters return `None` (or nothing) where the node is of another kind and write the fault
down, so that a parser goes on and `Document.check` raises all of them at once.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, TypeVar

import yaml
from msgspec import Struct, field

from envgen.documents import DocumentError, compose_yaml
from envgen.errors import Fault, SpecError
from envgen.structs import replace
from envgen.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

T = TypeVar("T")

_TAG = "tag:yaml.org,2002:"
_KINDS = {
    "str": "text",
    "int": "text",
    "float": "text",
    "timestamp": "text",
    "bool": "true or false",
    "null": "nothing",
}
"""What messages call a scalar's tag. Numbers and dates are taken as they are written, so `3.10` stays `3.10`."""

_BOOLEANS = yaml.constructor.SafeConstructor.bool_values


class BadValueError(ValueError):
    """A text that does not mean what its place asks for; `hint` says what would."""

    def __init__(self, what: str, *, hint: str | None = None) -> None:
        super().__init__(what)
        self.hint = hint


class Document(Struct):
    """One document and what was found wrong with it so far.

    Attributes:
        source: what messages call the document: its path relative to the project.
        faults: in the order found; `check` sorts them by line.
        others: documents that values of this one come from.
    """

    source: str
    faults: list[tuple[int, Fault]] = field(default_factory=list)
    others: list[Document] = field(default_factory=list)

    def read(self, text: str) -> Value:
        """Parse the text of the document, which must be one mapping.

        Raises:
            SpecError: not YAML, empty, more than one document, or something else than a mapping.
        """
        try:
            node = compose_yaml(text)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.add(line, *_syntax(text, line, error))
        except yaml.YAMLError as error:
            self.add(1, f"not YAML: {error}".partition("\n")[0])
        except DocumentError as error:
            self.add(1, f"cannot be read: {error}")
        else:
            if isinstance(node, yaml.MappingNode):
                return Value(node=node, document=self, key="", line=_line(node))
            what = "the file is empty" if node is None else "expected a mapping of sections, such as `name: ...`"
            self.add(_line(node) if node else 1, what)
        raise self._error()

    def add(self, line: int, what: str, hint: str | None = None) -> None:
        """Write a fault down; `line` counts from 1."""
        self.faults.append((line, Fault(where=f"{self.source}:{line}", what=what, hint=hint)))

    def check(self) -> None:
        """Raise what was found.

        Raises:
            SpecError: there is at least one fault, here or in another document.
        """
        if any(document.faults for document in (self, *self.others)):
            raise self._error()

    def _error(self) -> SpecError:
        by_line = (sorted(one.faults, key=lambda pair: pair[0]) for one in (self, *self.others))
        return SpecError(tuple(dict.fromkeys(fault for faults in by_line for _, fault in faults)))


class Value(Struct, frozen=True, kw_only=True):
    """One value of a document.

    Attributes:
        node: the YAML node.
        document: takes the faults.
        key: what messages call the value: `platforms.linux-64.glibc`; empty for the whole document.
        line: where the value's key stands, or the value itself in a list, from 1.
        bases: values of the same key in documents that this one extends, which it is merged with.
    """

    node: yaml.Node
    document: Document
    key: str
    line: int
    bases: tuple[Value, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Return whether nothing stands there, as after `channels:` with all of its entries commented out."""
        return bool(self.node.tag == f"{_TAG}null")

    @property
    def is_list(self) -> bool:
        """Return whether a list stands there."""
        return isinstance(self.node, yaml.SequenceNode)

    def fault(self, what: str, hint: str | None = None) -> None:
        """Write down what is wrong with the value."""
        self.document.add(self.line, what, hint)

    def place_from(self, other: Value) -> str:
        """Write where the value stands for a reader of `other`: `line 7`, with the file where that is another one."""
        same = self.document is other.document
        return f"line {self.line}" if same else f"line {self.line} of `{self.document.source}`"

    def over(self, base: Value) -> Value:
        """Return the value merged with one that it extends: lists and mappings are united, else this one counts."""
        if self.is_empty or base.is_empty:
            return base if self.is_empty else self
        if self._shape() is not base._shape():
            what = f"`{self.key}`: {base.place_from(self)} has {base._kind()}, which {self._kind()} cannot extend"
            self.fault(what, "write the same kind of value in both")
            return self
        return replace(self, bases=(*self.bases, base))

    def beside(self, other: Value) -> Value:
        """Return the value merged with one of equal rank: two texts that differ are a fault."""
        if other.is_empty or self.is_empty:
            return self if other.is_empty else other
        if self._shape() is not yaml.ScalarNode and self._shape() is other._shape():
            nothing = type(self.node)(
                tag=self.node.tag, value=[], start_mark=self.node.start_mark, end_mark=self.node.end_mark
            )
            return replace(self, node=nothing, bases=(self, other))
        if self._shape() is not other._shape() or self.node.value != other.node.value:
            self.fault(
                f"`{self.key}`: {other.place_from(self)} has another value, and both are extended by one spec",
                f"write `{self.key}` in the spec that extends both",
            )
        return self

    def text(self, *, spaces: bool = False) -> str | None:
        """Return a scalar as it is written: numbers and dates are not converted.

        Args:
            spaces: keep those that quotes have at both ends.
        """
        if isinstance(self.node, yaml.ScalarNode) and self._kind() == "text":
            return str(self.node.value) if spaces else str(self.node.value).strip()
        self._unexpected("text", hint=_text_hint(self.node))
        return None

    def boolean(self) -> bool | None:
        """Return `true` or `false`."""
        found = _BOOLEANS.get(str(self.node.value).lower())  # `!!bool x` has the tag, and no value of it
        if self._kind() == "true or false" and found is not None:
            return bool(found)
        self._unexpected("true or false")
        return None

    def parsed(self, parse: Callable[[str], T], *, spaces: bool = False) -> T | None:
        """Read a text and return what `parse` makes of it; a `ValueError` of `parse` becomes the fault."""
        text = self.text(spaces=spaces)
        return None if text is None else self.checked(text, parse)

    def checked(self, text: str, parse: Callable[[str], T]) -> T | None:
        """Return what `parse` makes of a text that belongs to the value, such as its key; its error is the fault."""
        try:
            return parse(text)
        except BadValueError as error:
            self.fault(f"`{self.key}`: {error}", error.hint)
        except ValueError as error:
            self.fault(f"`{self.key}`: {error}")
        return None

    def items(self, *, hint: str | None = None, own_first: bool = False) -> tuple[Value, ...]:
        """Return a list; nothing at all is an empty one.

        Args:
            hint: the shape to write, where something else stands there.
            own_first: whether entries of the list come before those of lists that it extends, instead of after them.
        """
        if self.is_list:
            own = tuple(
                Value(node=node, document=self.document, key=self.key, line=_line(node)) for node in self.node.value
            )
            nothing: tuple[Value, ...] = ()
            below = reduce(_united, (base.items(own_first=own_first) for base in self.bases), nothing)
            return _united(own, below) if own_first else _united(below, own)
        if not self.is_empty:
            self._unexpected("a list", hint)
        return ()

    def fields(self, known: Collection[str] | None = None, *, hint: str | None = None) -> dict[str, Value]:
        """Return a mapping by its keys; nothing at all is an empty one.

        Args:
            known: the keys that may stand there; None where any may.
            hint: the shape to write, where something else than a mapping stands there.
        """
        if not isinstance(self.node, yaml.MappingNode):
            if not self.is_empty:
                self._unexpected("a mapping", hint)
            return {}
        self._own_keys()
        try:
            yaml.constructor.SafeConstructor().flatten_mapping(self.node)  # resolves `<<: *anchor`
        except yaml.constructor.ConstructorError as error:
            self.fault(f"`<<`: {error.problem or error.context}")
        found: dict[str, Value] = {}
        for key, node in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.document.add(_line(key), "expected text as key")
            elif known is not None and key.value not in known:
                what = f"unknown key `{self._path(key.value)}`"
                self.document.add(_line(key), what, nearest(key.value, known))
            else:
                found[key.value] = Value(node=node, document=self.document, key=self._path(key.value), line=_line(key))
        return merged(found, [base.fields(known, hint=hint) for base in self.bases])

    def _own_keys(self) -> None:
        """Report keys that stand twice, before merge keys bring in what they are allowed to override."""
        first: dict[str, int] = {}
        for key, _ in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in first:
                what = f"`{self._path(key.value)}` is already defined, in line {first[key.value]}"
                self.document.add(_line(key), what)
            first.setdefault(key.value, _line(key))

    def _shape(self) -> type[yaml.Node]:
        return type(self.node)

    def _path(self, key: str) -> str:
        return f"{self.key}.{key}" if self.key else key

    def _kind(self) -> str:
        if isinstance(self.node, yaml.MappingNode):
            return "a mapping"
        if isinstance(self.node, yaml.SequenceNode):
            return "a list"
        return _KINDS.get(self.node.tag.removeprefix(_TAG), f"a value tagged {self.node.tag}")

    def _unexpected(self, expected: str, hint: str | None = None) -> None:
        got = f"`{self.node.value}`" if isinstance(self.node, yaml.ScalarNode) and self.node.value else self._kind()
        self.fault(f"`{self.key}`: expected {expected}, got {got}" if self.key else f"expected {expected}", hint)


def merged(own: Mapping[str, Value], bases: Iterable[Mapping[str, Value]]) -> dict[str, Value]:
    """Return fields merged with those of mappings that they extend, which are of equal rank."""
    found = dict(own)
    for base in bases:
        for key, value in base.items():
            if key in own:
                found[key] = found[key].over(value)
            else:
                found[key] = found[key].beside(value) if key in found else value
    return found


def _united(first: tuple[Value, ...], then: tuple[Value, ...]) -> tuple[Value, ...]:
    """Join lists; texts that another document has already are left out."""
    texts = [item.node.value for item in first if isinstance(item.node, yaml.ScalarNode)]
    return (
        *first,
        *(item for item in then if not (isinstance(item.node, yaml.ScalarNode) and item.node.value in texts)),
    )


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _text_hint(node: yaml.Node) -> str | None:
    if isinstance(node, yaml.MappingNode):
        return "put quotes around the text: a colon followed by a space starts a mapping"
    return "put quotes around it" if isinstance(node, yaml.ScalarNode) and node.value else None


def _syntax(text: str, line: int, error: yaml.MarkedYAMLError) -> tuple[str, str | None]:
    """Describe a YAML error, with a hint for the most common mistakes."""
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    if any(part.startswith(("<<<<<<<", ">>>>>>>")) for part in lines):
        return "the file contains merge conflict markers", "resolve the conflict first"
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return "the line is indented with a tab", "indent with spaces"
    if "single document" in (error.context or ""):
        return "a second document starts here", "write one environment per file"
    return f"not YAML: {error.problem or error.context}", None


def items_at(fields: Mapping[str, Value], key: str) -> tuple[Value, ...]:
    """Return the entries of the list at a key; none where the key is missing."""
    return fields[key].items() if key in fields else ()


def texts_at(fields: Mapping[str, Value], key: str, parse: Callable[[str], str]) -> tuple[str, ...]:
    """Return the texts of the list at a key as `parse` makes them; those that it refuses become faults."""
    return tuple(found for item in items_at(fields, key) if (found := item.parsed(parse)) is not None)
