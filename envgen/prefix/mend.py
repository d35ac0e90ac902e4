"""What is put right in a prefix without linking anything: modes of files, and the state that was not on file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.prefix.detours import refuse_detours
from envgen.prefix.state import write_state
from envgen.prefix.transaction import alone
from envgen.system.os_faults import explained

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.events import Reporter
    from envgen.prefix.drift import Drift


def mend(prefix: Path, drift: Drift, reporter: Reporter) -> None:
    """Restore modes of files and write the state, as `find_drift` found them; waits for other processes.

    A file that the store has too gets its mode there as well, which is where the next environment takes it from.

    Raises:
        UserError: a file may not be changed, or lies behind a link out of the prefix.
    """
    if not (drift.modes or drift.unrecorded):
        return
    with explained(prefix), alone(prefix, reporter):
        refuse_detours(prefix, drift.modes)
        for path, mode in drift.modes.items():
            (prefix / path).chmod(mode)
        write_state(prefix, drift.state.packages.values())
