"""Libraries of an environment that LD_LIBRARY_PATH of this machine replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.check.run_time import check_replaceable
from envgen.checks import several
from envgen.create.place import Place, find_environment
from envgen.diagnose.findings import Finding, note
from envgen.errors import EnvgenError
from envgen.prepare.packages import recipe_inputs
from envgen.prepare.plan import items_of
from envgen.prepare.subjects import subject_of
from envgen.system.loader import VARIABLE, ask_loader, folders_of_variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair


def probe_replaced(context: Context, spec: EnvSpec, pair: LockPair) -> dict[str, Path]:
    """Return the files of other installations that the loader would use: library -> file.

    Nothing where the variable is not set, or where there is no environment of the lock on this machine.
    """
    folders = folders_of_variable(context.environment)
    if not folders:
        return {}
    try:
        prefix = find_environment(context, env=spec.name, place=Place())
        items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
        subject = subject_of(context, spec, pair, items)
    except EnvgenError:
        return {}
    own = {path.rpartition("/")[2] for misfit in check_replaceable(subject) for path in misfit.files}
    suspects = sorted(name for name in own if any((folder / name).exists() for folder in folders))
    taken = ask_loader(suspects, program=prefix / "bin/python", environment=context.environment) if suspects else {}
    inside = prefix.resolve()
    return {name: path for name, path in taken.items() if not path.resolve().is_relative_to(inside)}


def replaced_findings(replaced: Mapping[str, Path]) -> Iterator[Finding]:
    """Yield the finding on libraries that are replaced."""
    if replaced:
        names, folders = sorted(replaced), sorted({str(path.parent) for path in replaced.values()})
        yield note(
            "libraries",
            f"{VARIABLE} replaces {several(names)} of the environment by those of {several(folders)}",
            f"unset {VARIABLE}, or remove the folder from it",
        )
