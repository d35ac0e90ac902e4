"""An environment that was taken out of an image, or built by Nix for one, against a lock.

Its files name the prefix of the image, and its records are those of images. It is compared with what the layers of the
image hold: kind, content or target, and whether a file is executable. Owners, times and other modes are not, since
who unpacks an image, or puts a tree into a Nix store, changes them.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.image.entries import EXECUTABLE, PLAIN
from envgen.image.expected import ExpectedLayer, FileFacts
from envgen.image.inputs import open_images
from envgen.image.prefix_archive import prefix_entries, variable_entries
from envgen.prefix.variables import STATE_FILE
from envgen.verify.findings import LockComparison, ordered
from envgen.verify.layout import compare_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envgen.events import Progress
    from envgen.image.entries import Entry
    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.project.context import Context


def compare_tree(context: Context, prefix: Path, spec: EnvSpec, platform: Platform) -> LockComparison:
    """Compare an environment at the prefix of an image, below whatever folder, with the lock.

    Args:
        context: the world.
        prefix: where it is now.
        spec: of the environment; it has an image.
        platform: whose lock.

    Raises:
        LockError: the lock is missing.
        UserError: packages are not in the store, so that it is not known what their files must be.
        IntegrityError: what is in the store is damaged.
    """
    (inputs,) = open_images(context, env=spec.name, platforms=(platform,), frozen=True)
    if lost := [str(item.wanted.name) for item in inputs.plan.prepare]:
        raise UserError(
            f"{len(lost)} packages are not in the cache, such as `{lost[0]}`: their expected files are not known",
            hint=f"`envgen image {spec.name}` fetches them",
        )
    with prefix_entries(context, inputs) as entries:
        added = variable_entries(inputs) if (prefix / STATE_FILE).exists() else ()
        expected = _expected([*entries, *(("", entry) for entry in added)])
    start = inputs.image.prefix.strip("/")
    with context.reporter.progress(f"reading {prefix.name}", total=len(expected.files), unit="files") as bar:
        actual = dict(_facts(prefix, f"{start}/", bar))
    return LockComparison(
        lock=context.relative(inputs.pair.path),
        compared=f"{len(inputs.plan.items)} packages, {len(expected.files)} files, every byte",
        findings=ordered(tuple(compare_files(actual, expected))),
        notes=(f"compared with the image, whose prefix is `/{start}`, and not with `create`",),
    )


def _expected(entries: Iterable[tuple[str, Entry]]) -> ExpectedLayer:
    """Return files and links as one layer, with no more of their modes than is compared."""
    facts = [(name, entry.path, FileFacts.of_entry(entry)) for name, entry in entries]
    kept = [(name, path, _fact(one.kind, one.content, one.mode)) for name, path, one in facts if one.kind != "folder"]
    return ExpectedLayer(
        title="environment",
        files={path: one for _name, path, one in kept},
        parts={path: name for name, path, _one in kept if name},
    )


def _fact(kind: str, content: str, mode: int) -> FileFacts:
    rights = 0 if kind == "link" else EXECUTABLE if mode & stat.S_IXUSR else PLAIN
    return FileFacts(kind=kind, mode=rights, owner=(0, 0), content=content)


def _facts(prefix: Path, start: str, bar: Progress) -> Iterator[tuple[str, FileFacts]]:
    """Read every file and link below a folder: path in the image -> what it is."""
    for folder, folders, names in os.walk(prefix):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]  # noqa: PTH114, PTH118  fast
        for name in (*names, *links):
            path = Path(folder, name)
            yield start + path.relative_to(prefix).as_posix(), _read(path)
            bar.advance(1)


def _read(path: Path) -> FileFacts:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return _fact("link", str(path.readlink()), 0)
    if not stat.S_ISREG(status.st_mode):
        return _fact("special file", "", status.st_mode)
    with path.open("rb", buffering=0) as stream:
        return _fact("file", Sha256.of_file(stream.fileno()), status.st_mode)


def is_taken_from_image(prefix: Path, image_prefix: str) -> bool:
    """Return whether a path ends with the prefix of an image, as in `result/opt/env`."""
    parts = Path(image_prefix.strip("/")).parts
    return prefix.parts[-len(parts) :] == parts
