"""`extends: base`, or a list: a spec that is merged with others of its folder.

Lists are united and mappings are merged, the entries of bases first; of single values that of the spec counts. Two
bases are of equal rank, so where they differ and the spec says nothing, that is a fault. `name`, `description` and
`default` are of one file each and are not inherited. A base without `name` is no environment of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from envgen.errors import SpecError
from envgen.manifest import values
from envgen.manifest.document import Document, merged
from envgen.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from envgen.manifest.document import Value

OWN = frozenset({"name", "description", "default", "extends"})
"""Keys that count for the file that they stand in alone."""

_LONGEST = 16
"""Specs in a chain; a longer one is a mistake."""


class SpecFolder(Protocol):
    """The specs beside one."""

    def names(self) -> Collection[str]:
        """Return the names of all files, without their ending."""

    def read(self, name: str) -> str:
        """Return the text of a file.

        Raises:
            SpecError: it cannot be read.
        """


class SpecReader(Struct, frozen=True, kw_only=True):
    """Reads a spec and what it extends, each file once.

    Attributes:
        document: of the spec, which gets the faults of all.
        keys: that may stand in one; None where any may.
        folder: has the other specs.
    """

    document: Document
    keys: Collection[str] | None
    folder: SpecFolder | None
    _read: dict[str, dict[str, Value]] = field(default_factory=dict)

    def sections(self, text: str, *, name: str) -> dict[str, Value]:
        """Return the sections of a spec by key, those that it inherits among them.

        Raises:
            SpecError: a file is not a mapping, or cannot be read.
        """
        own = self.document.read(text).fields(self.keys)
        return self._merged(own, chain=(name,))

    @property
    def bases(self) -> tuple[str, ...]:
        """Paths of the files that the spec extends, those that these extend among them; sorted."""
        return tuple(sorted(document.source for document in self.document.others))

    def _merged(self, own: dict[str, Value], *, chain: tuple[str, ...]) -> dict[str, Value]:
        if "extends" not in own:
            return own
        found = (self._base(item, chain) for item in _names(own["extends"]))
        return merged(own, [{key: base[key] for key in base if key not in OWN} for base in found])

    def _base(self, item: Value, chain: tuple[str, ...]) -> Mapping[str, Value]:
        name = item.parsed(values.environment_name)
        if name is None or self.folder is None:
            return {}
        if name in chain:
            circle = " -> ".join(f"`{one}`" for one in (*chain[chain.index(name) :], name))
            item.fault(f"`extends` leads back to the spec: {circle}", "remove one of them")
        elif len(chain) == _LONGEST:
            item.fault(f"more than {_LONGEST} specs extend each other: {' -> '.join(chain)} -> {name}")
        elif name not in (known := self.folder.names()):
            there = ", ".join(f"`{one}`" for one in sorted(set(known) - set(chain)))
            hint = nearest(name, known) or (f"there is {there}" if there else "there is no other spec")
            item.fault(f"`extends`: there is no file `{name}.yaml` beside the spec", hint)
        elif name not in self._read:
            self._read[name] = self._parsed(name, chain)
        return self._read.get(name, {})

    def _parsed(self, name: str, chain: tuple[str, ...]) -> dict[str, Value]:
        """Read a base; where it is not a mapping, its faults are written down and it has no sections."""
        if self.folder is None:
            return {}
        folder = self.document.source.rpartition("/")[0]
        document = Document(f"{folder}/{name}.yaml" if folder else f"{name}.yaml")
        self.document.others.append(document)
        try:
            own = document.read(self.folder.read(name)).fields(self.keys)
        except SpecError as error:
            if not document.faults:
                document.faults.extend((1, fault) for fault in error.faults)
            return {}
        return self._merged(own, chain=(*chain, name))


def _names(value: Value) -> tuple[Value, ...]:
    return value.items() if value.is_list or value.is_empty else (value,)
