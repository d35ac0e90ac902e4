"""The user's `config.toml`: each of its keys is read by the module that it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envgen.documents import read_toml
from envgen.errors import Fault, SpecError, UserError

if TYPE_CHECKING:
    from pathlib import Path


def read_config(path: Path) -> dict[str, Any]:
    """Read the file; nothing where it is missing.

    Raises:
        SpecError: it is not TOML.
        UserError: it cannot be read.
    """
    try:
        return read_toml(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError as error:
        raise SpecError((Fault(where=str(path), what=str(error)),)) from error
    except OSError as error:
        raise UserError(f"failed to read `{path}`: {error}") from error
