"""Change a copy of a struct.

Values are structs of msgspec, frozen and keyword-only. To define a struct takes 0.01 ms, a dataclass 0.4 ms, and a lock
needs 230 of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import replace  # as msgspec's, but mypy checks the arguments
else:
    from msgspec.structs import replace

__all__ = ["replace"]
