"""The two sides of a comparison: a git revision, a file, a folder of locks, or an environment on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.create.place import Place, find_environment
from envgen.diff.delta import State, state_of
from envgen.diff.installed import installed_state
from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.image.made_layers import made_from
from envgen.lock.debian_lock import debian_file_name, read_debian_lock
from envgen.lock.model import FILE_SUFFIX, file_name, lock_key
from envgen.lock.read import read_lock
from envgen.platforms import Platform
from envgen.prefix.inventory import is_environment
from envgen.prefix.origin import read_origin
from envgen.suggest import nearest
from envgen.system.git import Repository
from envgen.system.home import expand

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.prefix.origin import Origin
    from envgen.project.context import Context

WORKING_TREE = "working tree"
_FETCH_ALL = "git fetch --unshallow --tags origin '+refs/heads/*:refs/remotes/origin/*'"
"""Brings what a clone with `--depth` lacks: older commits, other branches, and tags."""

_CLOSE = 3
"""Revisions that are offered for one that is not there."""


class LockText(Struct, frozen=True, kw_only=True):
    """A lock as text, which is parsed only if the other side has another one.

    Attributes:
        where: what messages call it.
        lock: text of the lock.
        debian: text of the Debian lock beside it, or None.
    """

    where: str
    lock: str
    debian: str | None

    @property
    def made(self) -> str:
        """Return the name under which their image is recorded."""
        return made_from(self.lock, None if self.debian is None else Sha256.of(self.debian.encode()))

    def is_same(self, other: LockText) -> bool:
        """Return whether both texts are equal, whatever their names."""
        return (self.lock, self.debian) == (other.lock, other.debian)

    def parse(self) -> State:
        """Read both."""
        debian = None if self.debian is None else read_debian_lock(self.debian, source=f"{self.where} (Debian)")
        return state_of(read_lock(self.lock, source=self.where), debian)


class Side(Struct, frozen=True, kw_only=True):
    """One of the two.

    Attributes:
        label: what people call it.
        states: (environment, platform) -> its lock as text, or what is installed. An environment on disk does not
            know the name of its spec: its key has "".
        is_whole: whether it says all there is; one file or environment says nothing of the others.
        origin: the lock that an environment on disk was made from, where it is remembered.
    """

    label: str
    states: Mapping[tuple[str, Platform], LockText | State]
    is_whole: bool = True
    origin: Origin | None = None


def find_side(context: Context, text: str) -> Side:
    """Resolve an argument: a path, a git revision, or the name of an environment, in this order.

    Raises:
        UserError: it is none of these, or there is no repository.
    """
    path = (context.directory / expand(text, context.home)).absolute()
    if path.is_file():
        return Side(label=text, states=_files(path, text), is_whole=False)
    if path.is_dir():
        return _folder(path, text)
    hint = "choose two files or environments, or work in a clone"
    try:
        repository = Repository.at(context.root, context.environment, hint=hint)
    except UserError:
        if found := _named_environment(context, text):
            return found
        raise
    if commit := repository.resolve(text):
        return Side(label=text, states=dict(_revision(repository, commit, text)))
    if found := _named_environment(context, text):
        return found
    raise _unknown(repository, text)


def _named_environment(context: Context, name: str) -> Side | None:
    try:
        prefix = find_environment(context, env=None, place=Place(name=name))
    except UserError:
        return None
    return _installed(prefix, name)


def _unknown(repository: Repository, text: str) -> UserError:
    """Describe an argument that is nothing, with what can be done in a repository that lacks revisions."""
    what = f"`{text}` is not a file, git revision or environment"
    if repository.resolve("HEAD") is None:
        return UserError(f"{what}: the git repository has no commit", hint="commit the locks, then compare with them")
    if repository.is_shallow:
        return UserError(f"{what} in this shallow clone", hint=f"fetch the other revisions: `{_FETCH_ALL}`")
    meant = nearest(text, repository.names(), most=_CLOSE)
    return UserError(what, hint=meant or "for example: `envgen diff HEAD~1`, `envgen diff main`")


def working_tree(context: Context) -> Side:
    """Return the locks of the project as they are on disk."""
    return Side(label=WORKING_TREE, states=_texts(context.locks, "locks"))


def _folder(path: Path, text: str) -> Side:
    if is_environment(path):
        return _installed(path, text)
    if states := _texts(path, text):
        return Side(label=text, states=states)
    raise UserError(
        f"`{text}` is neither an environment nor a folder with locks", hint="choose a folder such as `locks`"
    )


def _texts(folder: Path, label: str) -> dict[tuple[str, Platform], LockText | State]:
    found: dict[tuple[str, Platform], LockText | State] = {}
    for path in sorted(folder.glob(f"*{FILE_SUFFIX}")):
        found |= _files(path, f"{label}/{path.name}")
    return found


def _files(path: Path, label: str) -> dict[tuple[str, Platform], LockText | State]:
    """Read a lock and the Debian lock beside it.

    Raises:
        UserError: its name is not that of a lock.
    """
    key = lock_key(path.name)
    if key is None:
        raise UserError(
            f"`{label}` is not the name of a lock",
            hint=f"expected a name such as `{file_name('my-env', Platform.LINUX_64)}`",
        )
    beside = path.with_name(debian_file_name(*key))
    debian = _read(beside) if beside.is_file() else None
    return {key: LockText(where=label, lock=_read(path), debian=debian)}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"failed to read `{path}`: {error}") from error


def _revision(
    repository: Repository, commit: str, label: str
) -> Iterator[tuple[tuple[str, Platform], LockText | State]]:
    files = repository.files(commit, "locks")

    def text(path: str) -> str | None:
        return repository.read(files[path]).decode(errors="replace") if path in files else None

    for path in sorted(files):
        key = lock_key(Path(path).name)
        if key and (lock := text(path)) is not None:
            yield key, LockText(where=f"{label}:{path}", lock=lock, debian=text(f"locks/{debian_file_name(*key)}"))


def _installed(prefix: Path, label: str) -> Side:
    platform, state = installed_state(prefix, label=label)
    return Side(label=label, states={("", platform): state}, is_whole=False, origin=read_origin(prefix))
