"""Unpack `.deb`s into one tree, safely, without running anything of theirs."""

from __future__ import annotations

import posixpath
import tarfile
from typing import TYPE_CHECKING, BinaryIO, cast

from debian.arfile import ArError, ArFile
from msgspec import Struct, field

from envgen import limits
from envgen.convert.patterns import compile_pattern, nearest_paths
from envgen.digest import CHUNK, Digest, Sha256, chunks
from envgen.errors import ArtifactError
from envgen.inflate import Inflated
from envgen.paths import folders_above, parse_relative_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from envgen.debs import Deb

_MERGED = frozenset({"bin", "sbin", "lib", "lib32", "lib64", "libx32"})
"""Folders that Debian has merged into `/usr`: packages may still name them."""

_ENDINGS = ("", ".gz", ".xz", ".zst")
"""How the parts of a `.deb` are packed, deb(5)."""

_ELF = b"\x7fELF"

_BLOCKS = 1 << 16
"""Bytes of a tar that are unpacked at once: tarfile's own 10 kB take a tenth more time."""

_UNREADABLE = (ArError, tarfile.TarError, ValueError, OSError, EOFError)
"""What reading a broken `.deb` raises."""


class Left(Struct):
    """Files that a filter left out: how many, and their bytes."""

    files: int = 0
    size: int = 0


class _Taken(Struct, frozen=True, kw_only=True):
    """Who brought a path, and what it is.

    Attributes:
        owner: name of the package.
        content: digest of a file, or the target of a link.
        size: bytes of a file; None for a link.
        is_elf: whether a file begins as ELF files do.
    """

    owner: str
    content: str
    size: int | None = None
    is_elf: bool = False


class Unpacking(Struct, kw_only=True):
    """One tree that several `.deb`s are unpacked into.

    Attributes:
        root: stands for `/`.
        licenses: takes `<package>/copyright` of each package instead of the tree.
        drop: patterns of paths that are left out.
        left: pattern -> what it left out so far, for each of `drop`.
    """

    root: Path
    licenses: Path
    drop: Sequence[str] = ()
    left: dict[str, Left] = field(default_factory=dict)
    _taken: dict[str, _Taken] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=lambda: {"."})
    """Folders of `root` that are made: no file or link may take their place."""

    def __post_init__(self) -> None:
        self.left = {pattern: Left() for pattern in self.drop}

    def add(self, deb: Deb, stream: BinaryIO) -> dict[str, bytes]:
        """Unpack one `.deb`. Empty folders do not come through: a conda package cannot hold them.

        Args:
            deb: what the lock says of it.
            stream: the file, seekable.

        Returns:
            Its control files, by name.

        Raises:
            ArtifactError: no `.deb`, or that of another package; a path or link that leaves the tree, a device, or a
                path that another package has with other content.
        """
        control = read_control(deb, stream)
        check_control(deb, control)
        stream.seek(0)
        try:
            with tarfile.open(fileobj=_part(stream, "data"), mode="r|", bufsize=_BLOCKS) as tar:
                for member in tar:
                    self._add_member(deb, tar, member)
        except _UNREADABLE as e:
            if isinstance(e, OSError) and e.errno:  # the system's fault (a full disk), not the package's
                raise
            raise ArtifactError(f"failed to unpack `{deb.name}`: {e}") from e
        return control

    def drop_dangling(self) -> tuple[str, ...]:
        """Remove links that lead nowhere, such as to a dropped or excluded file, and return their paths."""
        dangling: list[str] = []
        while found := [path for path in sorted(self._taken) if self._dangles(path)]:
            for path in found:
                (self.root / path).unlink()
                del self._taken[path]
            dangling += found
        return tuple(dangling)

    def idle(self, *, expected: Collection[str] = ()) -> Iterator[str]:
        """Yield in words which patterns matched nothing, each with the nearest paths that there are.

        Args:
            expected: patterns that may match nothing.
        """
        for pattern, left in self.left.items():
            if not left.files and pattern not in expected:
                near = " or ".join(f"`{path}`" for path in nearest_paths(pattern, self._taken))
                yield f"the pattern `{pattern}` under `drop` matches nothing" + (
                    f", did you mean {near}?" if near else ""
                )

    def paths(self) -> Iterator[str]:
        """Yield all paths of files and links, sorted."""
        yield from sorted(self._taken)

    def owner(self, path: str) -> str:
        """Return the name of the package that brought a path."""
        return self._taken[path].owner

    def digest(self, path: str) -> Sha256:
        """Return the digest that a file had when it was unpacked."""
        return Sha256(self._taken[path].content)

    def digests(self) -> Iterator[tuple[str, tuple[Sha256, int]]]:
        """Yield each file's path, and the digest and size that it had when it was unpacked."""
        for path, taken in self._taken.items():
            if taken.size is not None:
                yield path, (Sha256(taken.content), taken.size)

    def elves(self) -> Iterator[str]:
        """Yield the paths of files that begin as ELF files do, sorted."""
        yield from sorted(path for path, taken in self._taken.items() if taken.is_elf)

    def _dangles(self, path: str) -> bool:
        return self._taken[path].size is None and not (self.root / path).exists()

    def _add_member(self, deb: Deb, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = _inside(deb, member.name)
        if member.isdir():
            return
        if path == f"usr/share/doc/{deb.name}/copyright" and member.isreg():
            file = self.licenses / deb.name / "copyright"
            file.parent.mkdir(parents=True, exist_ok=True)
            _write(file, _content(tar, member), size=member.size, owner=deb.name)
            return
        if self._is_dropped(path, member):
            return
        if member.isreg():
            self._add_file(deb, path, tar, member)
        elif member.issym():
            self._add_link(deb, path, _link_target(deb, member))
        elif member.islnk():
            self._add_copy(deb, path, _inside(deb, member.linkname))
        else:
            raise ArtifactError(f"`{deb.name}` contains `{path}`, which is neither a file nor a link")

    def _is_dropped(self, path: str, member: tarfile.TarInfo) -> bool:
        pattern = next((p for p in self.drop if compile_pattern(p).fullmatch(path)), None)
        if pattern is not None:
            self.left[pattern].files += 1
            self.left[pattern].size += member.size
        return pattern is not None

    def _add_file(self, deb: Deb, path: str, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if known := self._taken.get(path):
            with _content(tar, member) as content:
                _claim(deb, path, Sha256.of_stream(content), known)
            return
        file = self._new(deb, path)
        self._taken[path] = _write(file, _content(tar, member), size=member.size, owner=deb.name)
        file.chmod(0o755 if member.mode & 0o111 else 0o644)

    def _add_link(self, deb: Deb, path: str, target: str) -> None:
        if target == path:
            return  # the merge itself: since Debian 13, base-files brings `/bin` as a link to `/usr/bin`
        content = f"-> {target}"
        if known := self._taken.get(path):
            _claim(deb, path, content, known)
            return
        self._new(deb, path).symlink_to(posixpath.relpath(target, posixpath.dirname(path)))
        self._taken[path] = _Taken(owner=deb.name, content=content)

    def _add_copy(self, deb: Deb, path: str, target: str) -> None:
        """Make a file of a hard link: its target came before it, in the same package."""
        source = self.root / target
        if target not in self._taken or source.is_symlink():
            raise ArtifactError(
                f"`{deb.name}` has a hard link `{path}` to `{target}`, which is not an earlier file, or is dropped"
            )
        if known := self._taken.get(path):
            _claim(deb, path, self._taken[target].content, known)
            return
        file = self._new(deb, path)
        status = source.stat()
        with source.open("rb") as content:
            self._taken[path] = _write(file, content, size=status.st_size, owner=deb.name)
        file.chmod(status.st_mode)

    def _new(self, deb: Deb, path: str) -> Path:
        """Return where a new file or link goes, in a folder that is made."""
        self._refuse_detour(deb, path)
        folder = posixpath.dirname(path)
        if folder not in self._folders:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            self._folders.update(folders_above(path))
        return self.root / path

    def _refuse_detour(self, deb: Deb, path: str) -> None:
        """Refuse a path below a link or a file, since links may lead anywhere, and one that is already a folder."""
        if path in self._folders:
            owners = (taken.owner for below, taken in self._taken.items() if below.startswith(f"{path}/"))
            owner = next(owners, deb.name)
            raise ArtifactError(f"`{deb.name}` contains `{path}`, which is a folder in `{owner}`")
        parent = posixpath.dirname(path)
        while parent and parent not in self._folders:
            if known := self._taken.get(parent):
                raise ArtifactError(
                    f"`{deb.name}` contains `{path}`, but `{parent}` is not a folder in `{known.owner}`"
                )
            parent = posixpath.dirname(parent)


def _claim(deb: Deb, path: str, content: str, known: _Taken) -> None:
    """Accept a second package at a path where both bring the same file."""
    if known.content != content:
        raise ArtifactError(f"`{known.owner}` and `{deb.name}` both contain `{path}`, with different content")


def merged(path: str) -> str:
    """Return where a path of a Debian system lies since `/bin`, `/lib` and the like are links into `/usr`."""
    return f"usr/{path}" if path.partition("/")[0] in _MERGED else path


def read_control(deb: Deb, stream: BinaryIO) -> dict[str, bytes]:
    """Read what a `.deb` says about itself: `control`, `md5sums` and the like, by name.

    Raises:
        ArtifactError: it cannot be read.
    """
    try:
        with tarfile.open(fileobj=_part(stream, "control"), mode="r|") as tar:
            return {m.name.removeprefix("./"): _content(tar, m).read() for m in tar if m.isreg()}
    except _UNREADABLE as e:
        raise ArtifactError(f"failed to unpack `{deb.name}`: {e}") from e


def control_fields(control: bytes) -> dict[str, str]:
    """Return the first line of each field of a `control` file, by its name in lower case; of two the first."""
    fields: dict[str, str] = {}
    for line in control.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.lower(), value.strip())
    return fields


def check_control(deb: Deb, control: Mapping[str, bytes]) -> None:
    """Refuse a `.deb` with another name or version than the locked one.

    Args:
        deb: what the lock says of it.
        control: its control files, from `read_control`.

    Raises:
        ArtifactError: names what was expected, and what the package says.
    """
    if "control" not in control:
        raise ArtifactError(f"`{deb.name}` has no control file")
    fields = control_fields(control["control"])
    got = tuple(fields.get(key, "") for key in ("package", "version", "architecture"))
    expected = (deb.name, deb.version, deb.architecture)
    if got != expected:
        raise ArtifactError(
            f"`{deb.path.rpartition('/')[2]}`: its control file names another package: "
            f"expected {' '.join(expected)}, got {' '.join(got)}"
        )


def _part(stream: BinaryIO, part: str) -> BinaryIO:
    """Open the tar of a part, `data` or `control`."""
    names = {f"{part}.tar{ending}": ending for ending in _ENDINGS}
    member = next((m for m in ArFile(fileobj=stream) if m.name in names), None)
    if member is None:
        raise ArError(f"no readable `{part}.tar` in it")
    limit = limits.DEB_CONTROL if part == "control" else limits.DEB
    return cast("BinaryIO", Inflated(cast("BinaryIO", member), names[member.name], limit=limit))


def _inside(deb: Deb, name: str) -> str:
    """Normalise the path of a member, relative to the root, and apply the merge into `/usr`."""
    path = name.removeprefix("./").rstrip("/")
    if path in {"", "."} and not name.startswith("/"):
        return "."
    try:
        return merged(parse_relative_path(path))
    except ValueError as e:
        raise ArtifactError(f"`{deb.name}` contains {name!r}, a path outside the package: {e}") from e


def _link_target(deb: Deb, member: tarfile.TarInfo) -> str:
    """Resolve the target of a link as Debian's own file system would, to a path relative to the root."""
    here = posixpath.dirname(member.name.removeprefix("./"))
    absolute = member.linkname.startswith("/")
    target = posixpath.normpath(member.linkname.lstrip("/") if absolute else posixpath.join(here, member.linkname))
    if target.split("/")[0] == "..":
        raise ArtifactError(
            f"`{deb.name}` contains the link `{member.name}` to {member.linkname!r}, which is outside the package"
        )
    return merged(target)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    if member.sparse is not None:  # a few bytes that stand for as many zeros as they say; dpkg knows no such members
        raise tarfile.TarError(f"`{member.name}` is a sparse file")
    return cast("BinaryIO", tar.extractfile(member))


def _write(file: Path, content: BinaryIO, *, size: int, owner: str) -> _Taken:
    """Write a file of so many bytes; asked for more than it has, a stream makes room for all that it is asked for."""
    head = content.read(min(size, CHUNK))
    with file.open("wb") as out:
        digest = Digest(sink=out.write)
        digest.update(head)
        for piece in chunks(content) if size > CHUNK else ():
            digest.update(piece)
    return _Taken(owner=owner, content=digest.sha256, size=digest.size, is_elf=head.startswith(_ELF))
