"""Values of options that the benchmarks share."""

from __future__ import annotations

import argparse
from pathlib import Path


def existing(text: str) -> Path:
    """Parse an argument that names a folder.

    Raises:
        ArgumentTypeError: it is none.
    """
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"`{text}` is not a folder")
    return path


def positive(text: str) -> int:
    """Parse an argument that is a number from 1 on.

    Raises:
        ArgumentTypeError: it is not.
    """
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got `{text}`")
    return int(text)
