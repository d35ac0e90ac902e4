"""Locks that nothing asks for any more: of a platform that a spec dropped, or of an environment without a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.lock.debian_lock import debian_file_name
from envgen.lock.model import FILE_SUFFIX, file_name, lock_key
from envgen.manifest.select import FOLDER, spec_files
from envgen.platforms import Platform
from envgen.project.lock_signatures import signature_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec
    from envgen.project.context import Context


def dropped(context: Context, spec: EnvSpec) -> dict[Platform, Path]:
    """Find the locks of an environment for platforms that its spec does not name: platform -> conda-lock file."""
    paths = {p: context.locks / file_name(spec.name, p) for p in Platform if p not in spec.targets}
    return {platform: path for platform, path in paths.items() if path.is_file()}


def orphans(context: Context) -> dict[Path, str]:
    """Find the locks of environments that have no spec: conda-lock file -> why it is not needed.

    Raises:
        UserError: there is no spec at all.
    """
    known = {path.stem for path in spec_files(context.root)}
    keys = {path: lock_key(path.name) for path in sorted(context.locks.glob(f"*{FILE_SUFFIX}"))}
    return {
        path: f"there is no spec `{FOLDER}/{key[0]}.yaml`" for path, key in keys.items() if key and key[0] not in known
    }


def remove(context: Context, paths: Sequence[Path], *, dry_run: bool = False) -> tuple[str, ...]:
    """Remove locks, and the Debian locks and signatures beside them; git still has them.

    Returns:
        What was removed, or would be, from the project's root.
    """
    keys = [key for path in paths if (key := lock_key(path.name))]
    beside = [context.locks / debian_file_name(*key) for key in keys]
    signatures = [path for key in keys for path in signature_files(context, *key)]
    gone = [path for path in (*paths, *beside, *signatures) if path.is_file()]
    for path in gone if not dry_run else ():
        path.unlink()
    return tuple(sorted(map(context.relative, gone)))
