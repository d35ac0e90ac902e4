"""`requirements.txt` of pip and uv: every wheel with its digest, or that of the source archive which it is built from.

It is complete, so that `uv pip sync` and `pip install --no-deps --require-hashes` install exactly what is locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.export.export_input import Exported, not_confined, not_wheels, pip_options

if TYPE_CHECKING:
    from envgen.export.export_input import ExportInput
    from envgen.packages import Wheel


def render(inputs: ExportInput) -> Exported:
    """Write the wheels of one lock."""
    lock = inputs.lock
    head = (
        f"# {lock.environment} for {lock.platform} and Python {lock.target.python}. Made by `envgen export`.",
        "#     uv pip sync requirements.txt",
        "#     pip install --no-deps --require-hashes -r requirements.txt",
    )
    lines = (*head, *pip_options(inputs.indexes_of(lock)), *map(_requirement, lock.wheels))
    return Exported(text="".join(f"{line}\n" for line in lines), notes=(*not_wheels(lock), *not_confined(inputs, lock)))


def _requirement(wheel: Wheel) -> str:
    return f"{wheel.project}=={wheel.version} \\\n    --hash=sha256:{wheel.listed.sha256}"
