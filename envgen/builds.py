"""Wheels that envgen builds: what each is built from, and what a build of it contains."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct, field

from envgen.digest import Sha256
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHOWN_DIGITS = 16
"""Digits of a file's sha256 that a lock holds: they tell which files differ; the digest of the wheel proves."""

_SHOWN_FILES = 200
"""Files that a lock lists; of larger wheels it lists the folders."""


class SourceArchive(Struct, frozen=True, kw_only=True):
    """A source archive: of an index, or at an address that the spec gives.

    Attributes:
        filename: as the index has it, or the last part of the address.
        sha256: of the archive.
        size: bytes, where they are known.
        address: that the spec gives, `./…` for a file of the project; empty for an archive of an index.
        subdirectory: of the archive that holds the project.
    """

    filename: str
    sha256: Sha256
    size: int | None
    address: str = ""
    subdirectory: str = ""


class GitSource(Struct, frozen=True, kw_only=True):
    """A commit of a git repository.

    Attributes:
        url: for git.
        reference: tag, branch or commit that the spec asks for; empty for the default branch.
        commit: that it was when it was locked.
        tree: of the commit.
        subdirectory: of the repository that holds the project.
    """

    url: str
    reference: str
    commit: str
    tree: str
    subdirectory: str = ""

    size: ClassVar[None] = None

    @property
    def filename(self) -> str:
        """Name of the repository and the commit."""
        name = self.url.rstrip("/").removesuffix("/.git").rpartition("/")[2].removesuffix(".git")
        return f"{name}@{self.commit[:12]}"

    @property
    def address(self) -> str:
        """Return the requirement that pip accepts for it."""
        folder = f"#subdirectory={self.subdirectory}" if self.subdirectory else ""
        return f"git+{self.url}@{self.commit}{folder}"

    @property
    def sha256(self) -> Sha256:
        """Digest of what names the files: the tree, and the folder in it."""
        return Sha256.of(f"git {self.tree} {self.subdirectory}".encode())


class LocalSource(Struct, frozen=True, kw_only=True):
    """A folder of the project.

    Attributes:
        path: from the project's root, beginning with `./` or `../`.
        declared: digest of what its requirements are read from; changes of its code leave it as it is.
        digest: of all its files, where they were read.
        pinned: of all its files, where the lock pins them.
        linked: its modules are not installed, the environment has those of the folder: for work, never in a lock.
    """

    path: str
    declared: Sha256
    digest: Sha256 | None = None
    pinned: Sha256 | None = None
    linked: bool = False

    size: ClassVar[None] = None

    @property
    def filename(self) -> str:
        """Return the path."""
        return self.path

    @property
    def address(self) -> str:
        """Return the path."""
        return self.path

    @property
    def sha256(self) -> Sha256:
        """Digest of its files, where they were read, else of what it declares."""
        return self.digest or self.declared


class RecipeSources(Struct, frozen=True, kw_only=True):
    """Folders of the project that a recipe builds from beyond its own.

    Attributes:
        paths: from the project's root, beginning with `./`, sorted.
        pinned: digest of all that it is built from, where the lock pins it.
        digest: the same as it is now, where it was read.
    """

    paths: tuple[str, ...]
    pinned: Sha256 | None = None
    digest: Sha256 | None = None


Source = SourceArchive | GitSource | LocalSource


def is_linked(source: Source) -> bool:
    """Return whether the modules of a source are not installed, but linked."""
    return isinstance(source, LocalSource) and source.linked


def as_locked(source: Source) -> Source:
    """Return a source as a lock has it: without digests of files that change from day to day."""
    return replace(source, digest=None, pinned=None) if isinstance(source, LocalSource) else source


class BuildTerms(Struct, frozen=True, kw_only=True):
    """What the spec allows the build of a project, and sets for it.

    Attributes:
        network: why it may use the network; empty where it may not.
        reproducible: why other machines may get other files; empty where they may not.
        isolation: why it runs in the environment that it is built for; empty where it has one of its own.
        variables: that it gets.
    """

    network: str = ""
    reproducible: str = ""
    isolation: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def reasons(self) -> dict[str, str]:
        """Return key of the spec -> reason, for each exception."""
        return {key: reason for key in REASONS if (reason := getattr(self, key))}


REASONS = ("network", "reproducible", "isolation")
"""Keys of `builds: {NAME: {…}}` whose value is a reason."""

USUAL_TERMS = BuildTerms()


class WheelBuild(Struct, frozen=True, kw_only=True):
    """How a wheel was built, as a lock has it.

    Attributes:
        source: what it is built from.
        environment: key of the packages that the build runs in, see `Lock.build_environments`.
        files: path in the wheel -> first digits of its sha256; folders of a large wheel, see `listed_files`.
        terms: what the spec allows the build.
        unconfined: why the build could use the network or other paths; empty where it could not.
    """

    source: Source
    environment: str
    files: Mapping[str, str] = field(default_factory=dict)
    terms: BuildTerms = USUAL_TERMS
    unconfined: str = ""


def seen_by(
    name: str, needs: Mapping[str, Iterable[str]], *, hidden: Iterable[str] = (), never: Iterable[str] = ()
) -> frozenset[str]:
    """Return which packages of an environment the build of one of them sees where it is not isolated.

    Args:
        name: of the package that is built.
        needs: package -> names of those that it requires.
        hidden: packages that it does not see unless it requires them.
        never: packages that it does not see.

    Returns:
        All but the package itself, what is hidden, and what requires any of these.
    """
    graph = {package: frozenset(wanted) for package, wanted in needs.items()}
    gone = {name, *never, *(set(hidden) - required_by([name], graph))}
    while more := {package for package, wanted in graph.items() if package not in gone and wanted & gone}:
        gone |= more
    return frozenset(graph.keys() - gone)


def required_by(names: Iterable[str], needs: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Return the named packages that are there, and all that they require."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in needs and name not in found:
            found.add(name)
            waiting += needs[name]
    return frozenset(found)


def listed_files(digests: Mapping[str, Sha256]) -> dict[str, str]:
    """Return what a lock lists of the files of a wheel: few enough to be read, and the same for the same files.

    Args:
        digests: path -> sha256 of each file.
    """
    depth = max((path.count("/") for path in digests), default=0) + 1
    while depth > 1 and len({_cut(path, depth) for path in digests}) > _SHOWN_FILES:
        depth -= 1
    groups: dict[str, list[str]] = {}
    for path, digest in sorted(digests.items()):
        groups.setdefault(_cut(path, depth), []).append(f"{path} {digest}")
    return {name: _digits(digests.get(name, lines)) for name, lines in sorted(groups.items())}


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """List the files or folders that two builds do not have in common, sorted."""
    return tuple(path for path in sorted(one.keys() | other.keys()) if one.get(path) != other.get(path))


def _cut(path: str, depth: int) -> str:
    parts = path.split("/")
    return path if len(parts) <= depth else "/".join(parts[:depth]) + "/"


def _digits(found: Sha256 | Iterable[str]) -> str:
    digest = found if isinstance(found, Sha256) else Sha256.of("\n".join(found).encode())
    return digest[:SHOWN_DIGITS]
