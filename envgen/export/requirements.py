"""`requirements.txt` of pip and uv: every wheel with its digest, or that of the source archive which it is built from.

It is complete, so that `uv pip sync` and `pip install --no-deps --require-hashes` install exactly what is locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.export.export_input import Exported, not_confined, not_wheels, pip_options
from envgen.export.pip_lines import pip_lines, unpinned

if TYPE_CHECKING:
    from envgen.export.export_input import ExportInput


def render(inputs: ExportInput) -> Exported:
    """Write the wheels of one lock."""
    lock = inputs.lock
    head = (
        f"# {lock.environment} for {lock.platform} and Python {lock.target.python}. Made by `envgen export`.",
        "#     uv pip sync requirements.txt",
        "#     pip install --no-deps --require-hashes -r requirements.txt",
    )
    lines = (*head, *pip_options(inputs.indexes_of(lock)), *pip_lines(lock, before_hash=" \\\n    "))
    return Exported(
        text="".join(f"{line}\n" for line in lines),
        notes=(*not_wheels(lock), *unpinned(lock), *not_confined(inputs, lock)),
    )
