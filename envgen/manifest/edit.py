"""Edit the lists of a spec in its text: nothing moves but the entries that come and go.

The nodes of YAML know where they stand, so an entry is cut out or put in there, and comments, quotes and line ends of
the rest stay byte for byte. What comes out is read again: where it holds anything else than what was meant, such as in
a list that two sections share by an alias, the edit is refused.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct

from envgen.documents import DocumentError, compose_yaml, read_yaml
from envgen.errors import Fault, SpecError
from envgen.manifest.document import Document
from envgen.manifest.extends import SpecReader

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from envgen.manifest.extends import SpecFolder

_MARK = "\ufeff"
_UNSAFE = re.compile(r"[?:,{}\[\]]")
_NEIGHBOURS = {"pypi": "dependencies", "dependencies": "channels"}
"""Section that does not stand in a spec -> the one that it is written after."""


class SpecEntry(Struct, frozen=True, kw_only=True):
    """One entry of a list of a spec.

    Attributes:
        source: what messages call the file.
        section: key of the list.
        text: what YAML reads.
        line: where it stands, from 1.
        start: offset of its first character.
        end: offset after its last one.
    """

    source: str
    section: str
    text: str
    line: int
    start: int
    end: int


class SpecText(Struct, frozen=True, kw_only=True):
    """A spec as text.

    Attributes:
        text: of the file.
        source: what messages call it.
    """

    text: str
    source: str

    def entries(self, section: str) -> tuple[SpecEntry, ...]:
        """List the texts in a section, in order; nothing where there is none.

        Raises:
            SpecError: the document cannot be edited.
        """
        _, value = self._find(section)
        items = value.value if isinstance(value, yaml.SequenceNode) else []
        return tuple(
            SpecEntry(
                source=self.source,
                section=section,
                text=item.value,
                line=item.start_mark.line + 1,
                start=item.start_mark.index,
                end=item.end_mark.index,
            )
            for item in items
            if isinstance(item, yaml.ScalarNode)
        )

    def with_entries(self, section: str, texts: Sequence[str]) -> SpecText:
        """Return the spec with entries at the end of a section, which is made where there is none.

        Raises:
            SpecError: the document cannot be edited.
        """
        meant = [*(entry.text for entry in self.entries(section)), *texts]
        key, value = self._find(section)
        if key is None:
            edited = self._with_section(section, texts)
        elif isinstance(value, yaml.SequenceNode) and value.value and not value.flow_style:
            edited = self._with_lines(value, texts)
        elif isinstance(value, yaml.SequenceNode) and value.flow_style:
            edited = self._in_brackets(value, texts)
        else:
            edited = self._after_line(key.end_mark.index, [f"  - {quoted(text)}" for text in texts])
        return self._checked(edited, section, meant)

    def without(self, entries: Collection[SpecEntry]) -> SpecText:
        """Return the spec without some of its entries; an own line of one goes with its comment.

        Raises:
            SpecError: the document cannot be edited.
        """
        edited = self
        for entry in sorted(entries, key=lambda one: one.start, reverse=True):
            meant = [one.text for one in edited.entries(entry.section) if one.start != entry.start]
            _, value = edited._find(entry.section)
            is_flow = isinstance(value, yaml.SequenceNode) and value.flow_style
            cut = edited._out_of_brackets(entry) if is_flow else edited._without_line(entry)
            edited = edited._checked(cut, entry.section, meant)
        return edited

    def _find(self, section: str) -> tuple[yaml.Node | None, yaml.Node | None]:
        """Return the nodes of key and value of a section."""
        root = self._root()
        found = [(key, value) for key, value in root.value if getattr(key, "value", None) == section]
        return found[0] if found else (None, None)

    def _root(self) -> yaml.MappingNode:
        try:
            root = compose_yaml(self.text)
        except (yaml.YAMLError, DocumentError) as error:
            raise self._refused("it cannot be read") from error
        if not isinstance(root, yaml.MappingNode) or root.flow_style or self.text.startswith(_MARK):
            raise self._refused("it is not a plain block of sections")
        return root

    def _refused(self, why: str, line: int = 1) -> SpecError:
        what = f"the file cannot be edited automatically: {why}"
        return SpecError((Fault(where=f"{self.source}:{line}", what=what, hint="edit it by hand"),))

    @property
    def _newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def _line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def _line_end(self, at: int) -> int:
        """Return the offset after the line that an offset stands in."""
        found = self.text.find("\n", at)
        return len(self.text) if found < 0 else found + 1

    def _after_line(self, at: int, lines: Sequence[str]) -> str:
        end = self._line_end(at)
        before = self.text[:end]
        before += "" if before.endswith("\n") or not before else self._newline
        return before + "".join(line + self._newline for line in lines) + self.text[end:]

    def _with_section(self, section: str, texts: Sequence[str]) -> str:
        lines = [f"{section}:", *(f"  - {quoted(text)}" for text in texts)]
        _, neighbour = self._find(_NEIGHBOURS.get(section, ""))
        return self._after_line(_end(neighbour) if neighbour else len(self.text), lines)

    def _with_lines(self, value: yaml.SequenceNode, texts: Sequence[str]) -> str:
        last = value.value[-1]
        dash = self.text.rfind("-", self._line_start(last.start_mark.index), last.start_mark.index)
        indent = self.text[self._line_start(last.start_mark.index) : dash]
        return self._after_line(_end(last), [f"{indent}- {quoted(text)}" for text in texts])

    def _in_brackets(self, value: yaml.SequenceNode, texts: Sequence[str]) -> str:
        new = ", ".join(quoted(text, inside="[{}]") for text in texts)
        at = value.value[-1].end_mark.index if value.value else value.start_mark.index + 1
        return self.text[:at] + (", " if value.value else "") + new + self.text[at:]

    def _without_line(self, entry: SpecEntry) -> str:
        return self.text[: self._line_start(entry.start)] + self.text[self._line_end(entry.end) :]

    def _out_of_brackets(self, entry: SpecEntry) -> str:
        """Remove an entry with the comma after it, or with the one before it if it is the last."""
        listed = self.entries(entry.section)
        at = [one.start for one in listed].index(entry.start)
        if at + 1 < len(listed):
            return self.text[: entry.start] + self.text[listed[at + 1].start :]
        start = listed[at - 1].end if at else entry.start
        return self.text[:start] + self.text[entry.end :]

    def _checked(self, text: str, section: str, meant: list[str]) -> SpecText:
        """Return the edited text if it differs in one section alone, and as it should."""
        before, after = _values(self.text), _values(text)
        others = [{key: value for key, value in one.items() if key != section} for one in (before, after)]
        if [str(one) for one in after.get(section) or ()] != meant or others[0] != others[1]:
            key, _ = self._find(section)
            line = key.start_mark.line + 1 if key else 1
            raise self._refused(f"`{section}` is written in an unusual way", line)
        return SpecText(text=text, source=self.source)


def inherited_entries(spec: SpecText, section: str, folder: SpecFolder) -> tuple[SpecEntry, ...]:
    """List the texts in a section that come from specs which a spec extends.

    Raises:
        SpecError: one of them cannot be read.
    """
    reader = SpecReader(document=Document(spec.source), keys=None, folder=folder)
    value = reader.sections(spec.text, name=PurePosixPath(spec.source).stem).get(section)
    return tuple(
        SpecEntry(source=item.document.source, section=section, text=text, line=item.line, start=-1, end=-1)
        for item in (value.items() if value else ())
        if item.document.source != spec.source and (text := item.text())
    )


def quoted(text: str, *, inside: str = "- {}") -> str:
    """Write a text as YAML for a place in a list; plain where that means the same."""
    try:
        (read,) = read_yaml(inside.format(text))
    except (yaml.YAMLError, ValueError, TypeError):
        read = None
    # parsers differ on some characters inside brackets
    is_plain = read == text and not (inside.startswith("[") and _UNSAFE.search(text))
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _values(text: str) -> dict[str, Any]:
    """Read a document; nothing where it cannot be read."""
    try:
        found = read_yaml(text)
    except (yaml.YAMLError, DocumentError):
        return {}
    return found if isinstance(found, dict) else {}


def _end(node: yaml.Node) -> int:
    """Return the offset after a value; marks of blocks stand behind the comments and empty lines that follow."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)
