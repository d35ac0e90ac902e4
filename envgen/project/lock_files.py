"""The lock files of a project: finding, reading, and whether they are true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.builds import LocalSource
from envgen.convert.wheel_key import CONVERTER_VERSION
from envgen.digest import Sha256
from envgen.errors import EnvgenError, LockError, UserError
from envgen.lock.base_request import stale_base
from envgen.lock.debian_lock import DebianLock, debian_file_name, read_debian_lock
from envgen.lock.model import Lock, file_name
from envgen.lock.read import read_lock
from envgen.project import shipped
from envgen.project.cooldown import dated
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path
    from typing import NoReturn

    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import ProjectName
    from envgen.platforms import Platform
    from envgen.project.context import Context


class LockPair(Struct, frozen=True, kw_only=True):
    """The two files that belong together.

    Attributes:
        path: of the conda-lock file.
        text: that was read from it; empty where no file has it.
        lock: what it says.
        debian: the Debian lock beside it, where there is one.
        debian_digest: of its text.
    """

    path: Path
    text: str
    lock: Lock
    debian: DebianLock | None
    debian_digest: Sha256 | None


class Written(Struct, frozen=True, kw_only=True):
    """What writing a pair of files changed: paths of files that have another text now, and of those that are gone."""

    changed: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()


def write_pair(path: Path, text: str, *, beside: Path, debian_text: str | None, dry_run: bool = False) -> Written:
    """Write both files of a lock where they change: the Debian lock first, since the other one holds its digest.

    Args:
        path: of the conda-lock file.
        text: of it.
        beside: path of the Debian lock.
        debian_text: of it; None removes the file, which would belong to no lock any more.
        dry_run: return what would change, and leave it.
    """
    is_there = beside.exists()
    if debian_text is None and not dry_run:
        beside.unlink(missing_ok=True)
    texts = ((beside, debian_text), (path, text))
    changed = [file for file, content in texts if content is not None and _write_text(file, content, dry_run=dry_run)]
    return Written(changed=tuple(changed), removed=(beside,) if is_there and debian_text is None else ())


def _write_text(path: Path, text: str, *, dry_run: bool) -> bool:
    """Write a file unless it has this text already; return whether it changed, or would change."""
    if path.exists() and path.read_bytes() == text.encode():
        return False
    if dry_run:
        return True
    path.parent.mkdir(exist_ok=True)
    atomic_write(path, text)
    return True


def lock_path(context: Context, spec: EnvSpec, platform: Platform) -> Path:
    """Return the path of the lock of an environment."""
    return context.locks / file_name(spec.name, platform)


def find_lock(context: Context, spec: EnvSpec, platform: Platform) -> LockPair | None:
    """Read the lock of an environment; None where there is none.

    Raises:
        LockError: it is there and cannot be read.
    """
    path = lock_path(context, spec, platform)
    text = _text(path)
    if text is None:
        return None
    lock = read_lock(text, source=context.relative(path))
    beside = context.locks / debian_file_name(spec.name, platform)
    debian_text = _text(beside)
    debian = None if debian_text is None else read_debian_lock(debian_text, source=context.relative(beside))
    digest = None if debian_text is None else Sha256.of(debian_text.encode())
    return LockPair(path=path, text=text, lock=lock, debian=debian, debian_digest=digest)


def require_lock(context: Context, spec: EnvSpec, platform: Platform) -> LockPair:
    """Read the lock of an environment.

    Raises:
        LockError: there is none, or it cannot be read.
        UserError: the spec does not name the platform.
    """
    _refuse_other_platform(spec, platform)
    return find_lock(context, spec, platform) or _refuse_missing(context, spec, platform)


def require_packages(context: Context, spec: EnvSpec, platform: Platform) -> Lock:
    """Read the conda-lock file of an environment, and not the Debian lock beside it, which takes as long.

    Raises:
        LockError: there is none, or it cannot be read.
        UserError: the spec does not name the platform.
    """
    _refuse_other_platform(spec, platform)
    path = lock_path(context, spec, platform)
    text = _text(path)
    if text is None:
        _refuse_missing(context, spec, platform)
    return read_lock(text, source=context.relative(path))


def _refuse_other_platform(spec: EnvSpec, platform: Platform) -> None:
    if platform not in spec.targets:
        listed = ", ".join(spec.targets)
        raise UserError(
            f"`{spec.name}` does not support {platform}, only {listed}",
            hint=f"add {platform} under `platforms` in `{spec.source}`",
        )


def _refuse_missing(context: Context, spec: EnvSpec, platform: Platform) -> NoReturn:
    where = context.relative(lock_path(context, spec, platform))
    raise LockError(f"there is no lock for {platform}: `{where}` is missing", hint="run `envgen lock`")


def require_current_lock(
    context: Context,
    spec: EnvSpec,
    platform: Platform,
    *,
    frozen: bool,
    image: bool = False,
    linked: Collection[ProjectName] = (),
) -> LockPair:
    """Read the lock of an environment, and insist that it is true for its spec.

    Args:
        context: the world.
        spec: what is wanted.
        platform: of the lock.
        frozen: take it as it is.
        image: see `reasons_against`.
        linked: likewise.

    Raises:
        LockError: there is none, it cannot be read, or it is no longer true.
        UserError: the spec does not name the platform.
    """
    pair = require_lock(context, spec, platform)
    if not frozen and (reasons := reasons_against(context, spec, pair, image=image, linked=linked)):
        raise LockError(
            f"`{context.relative(pair.path)}` is out of date for `{spec.source}`:\n"
            + "\n".join(f"  - {reason}" for reason in reasons),
            hint="run `envgen lock`, or use the lock as it is with `--frozen`",
        )
    return pair


def reasons_against(
    context: Context, spec: EnvSpec, pair: LockPair, *, image: bool = False, linked: Collection[ProjectName] = ()
) -> tuple[str, ...]:
    """Return why a lock is out of date for its spec; empty if it is up to date. Offline.

    Args:
        context: the world.
        spec: what is wanted.
        pair: the lock.
        image: whether the base of the image counts; an environment on disk does without.
        linked: projects that are linked for work, whose files may be others than are pinned.
    """
    # takes 100 ms, for a question that verbs which merely show a lock do not ask
    from envgen.lock.satisfy import stale  # noqa: PLC0415

    spec = dated(spec, pair.lock, now=context.now)
    recipes = shipped.recipes(context.root)
    found = stale(
        spec,
        pair.lock,
        recipe_digests={name: recipe.digest for name, recipe in recipes.items()},
        debian_digest=pair.debian_digest,
        converter=CONVERTER_VERSION,
        names=context.names.overridden(spec.names),
    )
    found = (*found, *_changed_projects(context, pair.lock, linked), *_apart(context, spec, pair.lock))
    return (*found, *stale_base(spec, pair.lock.platform, pair.debian)) if image else found


def _apart(context: Context, spec: EnvSpec, lock: Lock) -> tuple[str, ...]:
    if spec.solve_group is None:
        return ()
    from envgen.project.solve_groups import apart_from  # noqa: PLC0415  few environments are in a group

    return tuple(apart_from(context, spec, lock))


def _changed_projects(context: Context, lock: Lock, linked: Collection[ProjectName]) -> Iterator[str]:
    """Yield which projects of the repository declare something else than is locked; their code does not count."""
    if any(one.pinned for one in lock.recipe_sources.values()):
        from envgen.project.local_projects import recipes_unlike_pinned  # noqa: PLC0415  as below

        yield from recipes_unlike_pinned(context, lock)
    local = [(wheel, wheel.made.source) for wheel in lock.wheels if wheel.made]
    for wheel, source in local:
        if not isinstance(source, LocalSource):
            continue
        # few environments have projects of their repository
        from envgen.project.local_projects import declared_digest, project_folder, unlike_pinned  # noqa: PLC0415

        try:
            same = declared_digest(project_folder(context.root, source.path), wheel.project) == source.declared
        except EnvgenError as error:
            yield str(error)
        else:
            if not same:
                yield f"`{source.path}` declares other metadata than was locked"
            elif wheel.project not in linked and (other := unlike_pinned(context, source)):
                yield other


def platforms_of(spec: EnvSpec, asked: Sequence[Platform]) -> tuple[Platform, ...]:
    """Choose platforms: those asked for, or all that the spec names; in the spec's order.

    Raises:
        UserError: the spec does not name one of those asked for.
    """
    for platform in asked:
        if platform not in spec.targets:
            raise UserError(
                f"`{spec.name}` does not support {platform}, only {', '.join(spec.targets)}",
                hint=f"add {platform} under `platforms` in `{spec.source}`",
            )
    return tuple(p for p in spec.targets if not asked or p in asked)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"failed to read `{path}`: {error}") from error
