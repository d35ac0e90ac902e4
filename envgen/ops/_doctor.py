"""`doctor`: this machine, and what it means for a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.diagnose.diagnosis import Diagnosis, diagnose
from envgen.diagnose.probe import probe_machine
from envgen.manifest.select import FOLDER, select
from envgen.project.lock_files import find_lock
from envgen.system import host

if TYPE_CHECKING:
    from envgen.diagnose.machine import Machine
    from envgen.project.context import Context


class DoctorReport(Struct, frozen=True, kw_only=True):
    """What was found and what follows.

    Attributes:
        machine: the facts.
        diagnosis: the judgement.
        environment: name of the spec that was judged for; None outside a project.
        lock: path of its lock from the project's root; None where there is none for this platform.
    """

    machine: Machine
    diagnosis: Diagnosis
    environment: str | None
    lock: str | None


def doctor(context: Context, *, env: str | None = None) -> DoctorReport:
    """Probe this machine, and diagnose it for the lock of an environment.

    Args:
        context: the world; it may be no project, then the machine is looked at alone.
        env: name of the spec; the project's only or default one without.

    Raises:
        UserError: there is no such spec.
        LockError: the lock cannot be read.
    """
    facts = host.probe_host()
    spec = select(context.root, env) if (context.root / FOLDER).is_dir() or env else None
    pair = find_lock(context, spec, facts.platform) if spec and facts.platform in spec.targets else None
    machine = probe_machine(context, facts, pair, spec)
    return DoctorReport(
        machine=machine,
        diagnosis=diagnose(machine, pair.lock if pair else None, spec),
        environment=spec.name if spec else None,
        lock=context.relative(pair.path) if pair else None,
    )
