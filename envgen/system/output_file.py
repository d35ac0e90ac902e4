"""The file that a user names for the output of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.system.fs import atomic_write, is_special

if TYPE_CHECKING:
    from pathlib import Path


def write_output(file: Path, text: str) -> None:
    """Write a text to a file that a user named.

    A regular file appears whole or not at all, folders above it are made, and a symbolic link stays one. A device or a
    pipe, such as `/dev/stdout`, is written to.

    Raises:
        UserError: it cannot be written.
    """
    try:
        if is_special(file):
            file.write_text(text, encoding="utf-8")
        else:
            atomic_write(file.resolve(), text)
    except OSError as error:
        raise UserError(f"failed to write `{file}`: {error.strerror}") from error
