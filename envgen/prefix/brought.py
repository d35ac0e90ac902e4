"""The paths that a package brings into a prefix: from facts that the store keeps, else from `info/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.prefix.contents import read_contents
from envgen.prefix.facts import facts_of

if TYPE_CHECKING:
    from envgen.prefix.contents import Contents, LinkPackage, PythonLayout
    from envgen.prefix.facts import PackageFacts
    from envgen.system.store import Store


class Brought(Struct, frozen=True, kw_only=True):
    """What a package brings.

    Attributes:
        package: extracted.
        paths: where its files and links will stand, in no order.
        facts: of a package whose files are linked as they are; None where rattler has to lay them out.
        python: layout of the prefix's Python.
    """

    package: LinkPackage
    paths: tuple[str, ...]
    facts: PackageFacts | None
    python: PythonLayout | None

    @property
    def name(self) -> str:
        """Conda name of the package."""
        return str(self.package.record.name)

    def read(self) -> Contents:
        """Read what each of the paths is.

        Raises:
            ArtifactError: see `read_contents`.
        """
        return read_contents(self.package, self.python)


def bring(package: LinkPackage, python: PythonLayout | None, store: Store | None) -> Brought:
    """Find the paths of a package.

    Raises:
        ArtifactError: see `read_contents`.
    """
    facts = facts_of(package, store, python)
    if facts is None:
        paths = tuple(item.claim.path for item in read_contents(package, python).items)
    else:
        paths = facts.every_path()
    return Brought(package=package, paths=paths, facts=facts, python=python)
