"""A client whose waits are recorded, not spent."""

from __future__ import annotations

import io
from typing import Any

from envgen.digest import Sha256
from envgen.events import NullReporter
from envgen.system.http import Http

BODY = bytes(range(256)) * 12000
"""3 MB: several reads and, for the server, many writes."""

SHA = Sha256.of(BODY)


class Notes(NullReporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


class Rig:
    """A client whose waits are recorded, not spent."""

    def __init__(self, **environment: str) -> None:
        self.waits: list[float] = []
        self.notes = Notes()
        self.http = Http(environment=environment, reporter=self.notes, sleep=self.waits.append, jitter=lambda: 0.0)

    def download(self, url: str, **options: Any) -> bytes:
        out = io.BytesIO()
        assert self.http.download(url, out, **{"expected": SHA} | options) == len(out.getvalue())
        return out.getvalue()
