"""`diff`: two states of the project's environments, each a git revision, a file, or an environment on disk."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from envgen.create.place import Place, find_environment
from envgen.diff.delta import Delta, Entry, State, compare, only, state_of
from envgen.digest import Sha256
from envgen.errors import ArtifactError, UserError
from envgen.image.layer_plan import LayerGroup
from envgen.image.made_layers import change, made_from, recall
from envgen.lock.debian_lock import IMAGE, debian_file_name, read_debian_lock
from envgen.lock.graph import nearest_hint
from envgen.lock.model import FILE_SUFFIX, file_name, lock_key
from envgen.lock.read import read_lock
from envgen.manifest.select import select
from envgen.metadata import parse_metadata
from envgen.packages import PackageKind
from envgen.platforms import Platform
from envgen.prefix.conda_meta import load, record_files
from envgen.prefix.inventory import is_environment
from envgen.project import shipped
from envgen.sources import metadata_cache
from envgen.system.git import Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from envgen.image.made_layers import ImageChange
    from envgen.project.context import Context
    from envgen.system.store import Store

WORKING_TREE = "working tree"
_HEAD = "HEAD"
_ON_DISK = (PackageKind.CHANNEL, PackageKind.RECIPE, PackageKind.WHEEL)
"""What `conda-meta` knows of; Debian packages are inside of what recipes made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
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
        """By what name the image made from them is remembered."""
        return made_from(self.lock, None if self.debian is None else Sha256.of(self.debian.encode()))

    def parse(self) -> State:
        """Read both."""
        debian = None if self.debian is None else read_debian_lock(self.debian, source=f"{self.where} (Debian)")
        return state_of(read_lock(self.lock, source=self.where), debian)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two.

    Attributes:
        label: what people call it.
        states: (environment, platform) -> its lock as text, or what is installed. An environment on disk does not
            know the name of its spec: its key has "".
        is_whole: whether it says all there is; one file or environment says nothing of the others.
    """

    label: str
    states: Mapping[tuple[str, Platform], Text | State]
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs in one environment on one platform.

    Attributes:
        environment: name of the spec.
        platform: of the locks.
        delta: the packages.
        image: what becomes of the image, where both were made on this machine.
        against: environment and platform of the new side, where two files were named that are of different ones.
    """

    environment: str
    platform: Platform
    delta: Delta
    image: ImageChange | None = None
    against: tuple[str, Platform] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both labels and every difference, sorted by environment and platform; nothing where nothing differs."""

    before: str
    after: str
    differences: tuple[Difference, ...]


def diff(
    context: Context, *, old: str | None, new: str | None, env: str | None, platforms: Sequence[Platform]
) -> Comparison:
    """Compare two states of the project's environments.

    Args:
        context: the world.
        old: git revision, lock file, folder of locks or environment; the last commit without.
        new: likewise; the working tree without.
        env: this environment only.
        platforms: these platforms only.

    Raises:
        UserError: one of them is nothing of that, or there is no repository.
        LockError: a lock that differs cannot be read.
    """
    if old and new is None and ".." in old and not (context.directory / old).exists():
        old, _, new = (part or _HEAD for part in old.replace("...", "..").partition(".."))
    before = _side(context, old or _HEAD)
    after = _working_tree(context) if new is None else _side(context, new)
    if not (before.is_whole or after.is_whole):
        return _of_parts(context.store, before, after, platforms=platforms)
    before, after = _named(context, before, env), _named(context, after, env)
    keys = sorted(set.intersection(*_scopes(before, after)))
    chosen = [k for k in keys if (not platforms or k[1] in platforms) and (env is None or k[0] == env)]
    found = (_difference(context.store, key, before.states.get(key), after.states.get(key)) for key in chosen)
    differences = tuple(difference for difference in found if difference.delta)
    return Comparison(before=before.label, after=after.label, differences=differences)


def _of_parts(store: Store, before: Side, after: Side, *, platforms: Sequence[Platform]) -> Comparison:
    """Compare two single files or environments, of whatever names and platforms they are."""
    ((old_key, old),), ((new_key, new),) = before.states.items(), after.states.items()
    found = _difference(store, (old_key[0] or new_key[0] or before.label, old_key[1]), old, new)
    is_other = old_key[1] != new_key[1] or (old_key[0] != new_key[0] and old_key[0] and new_key[0])
    difference = replace(found, against=(new_key[0] or after.label, new_key[1]) if is_other else None)
    is_meant = not platforms or not {old_key[1], new_key[1]}.isdisjoint(platforms)
    differences = (difference,) if is_meant and difference.delta else ()
    return Comparison(before=before.label, after=after.label, differences=differences)


def layers_of(difference: Difference) -> dict[str, tuple[str, ...]]:
    """Say which groups of layers change in the image, in its order, and by which packages; nothing without an image.

    A large package has a layer of its own, small ones share some: how they are cut depends on the files in them, which
    a lock does not know.
    """
    after = difference.delta.after
    if not (after and after.has_image):
        return {}
    found: dict[LayerGroup, set[str]] = {}
    for entry in difference.delta.touched():
        for stage in _stages(entry):
            found.setdefault(stage, set()).add(entry.name)
    return {stage.name.lower(): tuple(sorted(found[stage])) for stage in sorted(found)}


def _stages(entry: Entry) -> set[LayerGroup]:
    if entry.kind is not PackageKind.DEBIAN:
        return {LayerGroup.of_package(entry.name)}
    return {LayerGroup.BASE if user == IMAGE else LayerGroup.of_package(user) for user in entry.users}


def license_reader(context: Context) -> Callable[[Entry], str | None]:
    """Make the function that says the licence of a wheel, where its METADATA was read on this machine before."""
    table = functools.cache(shipped.license_table)

    def license_of(entry: Entry) -> str | None:
        raw = (
            metadata_cache.known(context.store, entry.digest)
            if entry.kind is PackageKind.WHEEL and entry.digest
            else None
        )
        try:
            words = parse_metadata(raw).license if raw else None
        except ArtifactError:
            return None
        return (table().expression(words) or words) if words else None

    return license_of


def _difference(
    store: Store, key: tuple[str, Platform], before: Text | State | None, after: Text | State | None
) -> Difference:
    environment, platform = key
    if isinstance(before, Text) and isinstance(after, Text) and _same(before, after):
        return Difference(environment=environment, platform=platform, delta=compare(None, None))
    delta = compare(_parsed(before), _parsed(after))
    on_disk = any(isinstance(side, State) for side in (before, after))
    return Difference(
        environment=environment,
        platform=platform,
        delta=only(delta, _ON_DISK) if on_disk else delta,
        image=_image_change(store, before, after, had_image=delta.before is not None and delta.before.has_image),
    )


def _image_change(
    store: Store, before: Text | State | None, after: Text | State | None, *, had_image: bool
) -> ImageChange | None:
    """Compare the images that were made here; before a lock that had none there was nothing."""
    if isinstance(before, State) or not isinstance(after, Text):
        return None
    new = recall(store, after.made)
    return change(recall(store, before.made) if before and had_image else dict.fromkeys(new, ()), new)


def _same(one: Text, other: Text) -> bool:
    return (one.lock, one.debian) == (other.lock, other.debian)


def _parsed(side: Text | State | None) -> State | None:
    return side.parse() if isinstance(side, Text) else side


def _scopes(before: Side, after: Side) -> list[set[tuple[str, Platform]]]:
    """Say what is compared: everything that either has, but no more than a part says anything of."""
    every = set(before.states) | set(after.states)
    return [every, *(set(side.states) for side in (before, after) if not side.is_whole)]


def _named(context: Context, side: Side, env: str | None) -> Side:
    """Give what is installed the name of the environment that it is compared with."""
    if all(name for name, _ in side.states):
        return side
    name = env or select(context.root, None).name
    return replace(side, states={(found or name, p): state for (found, p), state in side.states.items()})


def _side(context: Context, text: str) -> Side:
    """Find out what a person means: a path, a git revision, or the name of an environment, in this order."""
    path = (context.directory / Path(text).expanduser()).absolute()
    if path.is_file():
        return Side(label=text, states=_files(path, text), is_whole=False)
    if path.is_dir():
        return _folder(path, text)
    repository = Repository.at(context.root, context.environment)
    if commit := repository.resolve(text):
        return Side(label=text, states=dict(_revision(repository, commit, text)))
    try:
        return _installed(find_environment(context, env=None, place=Place(name=text)), text)
    except UserError:
        raise UserError(
            f"`{text}` is no file, git revision or environment", hint=_meant(text, repository.names())
        ) from None


def _meant(text: str, names: Sequence[str]) -> str:
    hint = nearest_hint(text, names)
    return hint if hint.startswith("did") else "as in `envgen diff HEAD~1` or `envgen diff main`"


def _working_tree(context: Context) -> Side:
    return Side(label=WORKING_TREE, states=_texts(context.locks, "locks"))


def _folder(path: Path, text: str) -> Side:
    if is_environment(path):
        return _installed(path, text)
    if states := _texts(path, text):
        return Side(label=text, states=states)
    raise UserError(f"`{text}` is neither an environment nor a folder of locks", hint="name a folder such as `locks`")


def _texts(folder: Path, label: str) -> dict[tuple[str, Platform], Text | State]:
    found: dict[tuple[str, Platform], Text | State] = {}
    for path in sorted(folder.glob(f"*{FILE_SUFFIX}")):
        found |= _files(path, f"{label}/{path.name}")
    return found


def _files(path: Path, label: str) -> dict[tuple[str, Platform], Text | State]:
    """Read a lock and the Debian lock beside it.

    Raises:
        UserError: its name is not that of a lock.
    """
    key = lock_key(path.name)
    if key is None:
        raise UserError(f"`{label}` is not named like a lock", hint=f"as in `{file_name('my-env', Platform.LINUX_64)}`")
    beside = path.with_name(debian_file_name(*key))
    debian = _read(beside) if beside.is_file() else None
    return {key: Text(where=label, lock=_read(path), debian=debian)}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"`{path}` cannot be read: {error}") from error


def _revision(repository: Repository, commit: str, label: str) -> Iterator[tuple[tuple[str, Platform], Text | State]]:
    files = repository.files(commit, "locks")

    def text(path: str) -> str | None:
        return repository.read(files[path]).decode(errors="replace") if path in files else None

    for path in sorted(files):
        key = lock_key(Path(path).name)
        if key and (lock := text(path)) is not None:
            yield key, Text(where=f"{label}:{path}", lock=lock, debian=text(f"locks/{debian_file_name(*key)}"))


def _installed(prefix: Path, label: str) -> Side:
    records = [load(path) for path in record_files(prefix)]
    subdirs = {str(record.get("subdir")) for record in records} & set(Platform)
    if len(subdirs) != 1:
        raise UserError(f"`{label}` is an environment of no platform that is known here")
    state = State(entries=tuple(_entry(record) for record in records))
    return Side(label=label, states={("", Platform(subdirs.pop())): state}, is_whole=False)


def _entry(record: Mapping[str, Any]) -> Entry:
    """Take a record of `conda-meta`: a wheel by its project and digest, which stand in its package URL."""
    url = str(record.get("url", ""))
    where, _, query = url.removeprefix("pkg://").partition("?")
    if not url.startswith("pkg://pypi/"):
        kind = PackageKind.RECIPE if url.startswith("pkg://") else PackageKind.CHANNEL
        digest = Sha256(record["sha256"]) if kind is PackageKind.CHANNEL and record.get("sha256") else None
        size = record.get("size") if kind is PackageKind.CHANNEL else 0
        return Entry(
            name=record["name"],
            kind=kind,
            version=record["version"],
            build=record["build"],
            digest=digest,
            size=size,
        )
    project, _, version = where.removeprefix("pypi/").partition("@")
    facts = dict(part.partition("=")[::2] for part in query.split("&"))
    digest = Sha256(facts["checksum"].removeprefix("sha256:")) if "checksum" in facts else None
    return Entry(name=project, kind=PackageKind.WHEEL, version=unquote(version), build="", digest=digest, size=None)
