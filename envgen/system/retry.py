"""Trying again: which failures may pass, and how long to wait for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, field

from envgen.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

ATTEMPTS = 5
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 8.0
"""Seconds. Five tries span up to 7.5 s: name servers and registries under load recovered within 2 s in trials."""

_LONGEST_WAIT = 60.0
"""Seconds: a server that asks for more is as good as down."""

_ENOUGH_PROGRESS = 1 << 20
"""Bytes after which a broken transfer counts as a new one, so that long downloads over bad lines get through."""


class TransientError(NetworkError):
    """A failure that may pass.

    Attributes:
        wait: seconds that the server asks for.
        moved: bytes that came before it.
    """

    def __init__(self, message: str, *, wait: float = 0.0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.wait = wait
        self.moved = 0


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """How to try again.

    Attributes:
        sleep: waits that many seconds.
        jitter: returns a number in [0, 1): many clients must not come back in step.
        note: hears of each further try, but not of one more request that fails as another one did.
        attempts: how many failures in a row are too many.
    """

    sleep: Callable[[float], None]
    jitter: Callable[[], float]
    note: Callable[[str], None]
    attempts: int = ATTEMPTS
    _noted: dict[tuple[str, int], object] = field(default_factory=dict)

    def call(self, once: Callable[[], T], *, hint: str) -> T:
        """Retry an action until it succeeds, fails for good, or has failed too often.

        Raises:
            NetworkError: it failed too often; `hint` is for where the fault has none of its own.
        """
        failures = 0
        while True:
            try:
                return once()
            except TransientError as fault:
                if fault.wait > _LONGEST_WAIT:
                    raise NetworkError(f"{fault}, and asks to wait {min(fault.wait, 1e9):.0f} s", hint=hint) from fault
                failures = 1 if fault.moved >= _ENOUGH_PROGRESS else failures + 1
                if failures >= self.attempts:
                    tries = f", after {failures} tries" if failures > 1 else ""
                    raise NetworkError(f"{fault}{tries}", hint=fault.hint or hint) from fault
                self._tell(str(fault), failures)
                self.sleep(max(fault.wait, delay(failures, self.jitter())))

    def _tell(self, fault: str, failures: int) -> None:
        """Report it once for all requests that run side by side: with a dead proxy each would say it."""
        mine = object()
        if self._noted.setdefault((fault, failures), mine) is mine:
            self.note(f"{fault}; trying again")


def delay(failures: int, jitter: float) -> float:
    """Return how many seconds to wait after so many failures in a row: doubling, up to half of it at random."""
    return min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** (failures - 1)) * (1 - jitter / 2)
