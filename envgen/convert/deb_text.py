"""Text files of a Debian recipe: paths that point into Debian's tree, edits, templates, files joined from many."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from envgen.convert.deb_unpack import merged
from envgen.convert.patterns import compile_pattern
from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from envgen.manifest.debian_recipe import Edit

_ABSOLUTE = re.compile(r"(?<![\w./+~$}-])/(?:bin|etc|lib|opt|sbin|usr|var)(?:/[\w.+@~-]+)*")
"""An absolute path of a Debian system that is not the tail of something longer (`-I/usr/include`, `./usr/lib`)."""


def point_inside(root: Path, patterns: Iterable[str], *, paths: Collection[str], home: str) -> set[str]:
    """Replace absolute paths in text files by paths of the tree, if the tree has them; others stay the host's.

    Args:
        root: of the tree.
        patterns: which text files.
        paths: all files and links of the tree.
        home: where the tree will be.

    Returns:
        The paths of the text files.

    Raises:
        ArtifactError: a pattern that means no file.
    """
    known = {"/".join(parts[:n]) for parts in (p.split("/") for p in paths) for n in range(1, len(parts) + 1)}

    def repoint(found: re.Match[str]) -> str:
        inside = merged(found[0][1:])
        return f"{home}/{inside}" if inside in known else found[0]

    changed = set()
    for pattern in patterns:
        for file in select(root, paths, pattern, what="relocate"):
            file.write_bytes(_ABSOLUTE.sub(repoint, _text(file)).encode())
            changed.add(file.relative_to(root).as_posix())
    return changed


def apply_edits(root: Path, edits: Sequence[Edit], *, paths: Collection[str]) -> set[str]:
    """Change texts as a recipe says, and return their paths.

    Raises:
        ArtifactError: a pattern that means no file, or a file without the text: Debian's file is not the one that the
            recipe was written for.
    """
    changed = set()
    for edit in edits:
        for file in select(root, paths, edit.files, what="edit"):
            text = _text(file)
            if edit.old not in text:
                raise ArtifactError(f"`{file.relative_to(root)}` does not contain {edit.old!r}, which the recipe edits")
            file.write_bytes(text.replace(edit.old, edit.new).encode())
            changed.add(file.relative_to(root).as_posix())
    return changed


def join(root: Path, pattern: str, target: Path, *, paths: Collection[str]) -> tuple[str, ...]:
    """Move the content of the files that a pattern means into one, one after the other, sorted by the bytes of names.

    Returns:
        Their paths; the files are gone.

    Raises:
        ArtifactError: the pattern means no file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    parts = sorted(select(root, paths, pattern, what="join"), key=os.fsencode)
    target.write_bytes(b"".join(file.read_bytes().rstrip(b"\n") + b"\n" for file in parts))
    for file in parts:
        file.unlink()
    for folder in sorted({file.parent for file in parts}, reverse=True):
        _remove_empty(folder, root)
    return tuple(file.relative_to(root).as_posix() for file in parts)


def select(root: Path, paths: Collection[str], pattern: str, *, what: str) -> list[Path]:
    """Find the files, not links, that a pattern means, sorted.

    Raises:
        ArtifactError: there are none.
    """
    meant = compile_pattern(pattern)
    found = [root / path for path in sorted(paths) if meant.fullmatch(path) and not (root / path).is_symlink()]
    if not found:
        raise ArtifactError(f"`{what}`: pattern `{pattern}` matches no file of the Debian packages")
    return found


def _text(file: Path) -> str:
    """Read a text with its line ends as they are.

    Raises:
        ArtifactError: it is no UTF-8.
    """
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError as e:
        raise ArtifactError(f"`{file.name}` is not UTF-8 text, so the recipe cannot edit it: {e}") from e


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove a folder that holds nothing any more, and those above it: a package cannot hold empty folders."""
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
