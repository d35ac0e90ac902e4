"""Every registry that envgen talks to, on one loopback server: a wheel index, two Debian archives, a conda channel."""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envgen.structs import replace
from tests.builders.channel import Channel
from tests.builders.debian import Archive, new_key, public_key
from tests.builders.index import Index
from tests.builders.server import LIFETIME, Faults, Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pysequoia


def _security(key: pysequoia.Tsk) -> Archive:
    return Archive(
        key=key,
        prefix="/debian-security",
        suite="bookworm-security",
        label="Debian-Security",
        pool="pool/updates",
        valid_until=dt.datetime(2099, 1, 1, tzinfo=dt.UTC),
    )


@dataclass(slots=True, kw_only=True)
class Registries:
    """Registries that a test fills; `publish` puts on the server what they hold by then."""

    server: Server
    keyring: Path
    key: pysequoia.Tsk
    index: Index = field(default_factory=Index)
    debian: Archive = field(init=False)
    security: Archive = field(init=False)
    channel: Channel = field(default_factory=Channel)

    def __post_init__(self) -> None:
        self.debian = Archive(key=self.key)
        self.security = _security(self.key)
        self.keyring.write_bytes(public_key(self.key))

    def publish(self, faults: Faults | None = None) -> None:
        """Serve what the registries hold now, with other faults than before where some are given."""
        self.server.content = {
            **self.index.site(),
            **self.debian.site(),
            **self.security.site(),
            **self.channel.site(),
        }
        chosen = faults or self.server.faults
        self.server.faults = replace(chosen, content_types={**chosen.content_types, **self.index.content_types()})

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that make envgen use these registries and no other."""
        return {
            "ENVGEN_PYPI": f"{self.server.url}{self.index.prefix}/simple",
            "ENVGEN_DEBIAN": f"{self.server.url}{self.debian.prefix}",
            "ENVGEN_DEBIAN_SECURITY": f"{self.server.url}{self.security.prefix}",
            "ENVGEN_DEBIAN_KEYRING": str(self.keyring),
        }

    @property
    def channel_url(self) -> str:
        """Address of the conda channel, for a spec's `channels:`."""
        return f"{self.server.url}{self.channel.prefix}"


@contextmanager
def start(keyring: Path, *, lifetime: float = LIFETIME) -> Iterator[Registries]:
    """Start empty registries; `keyring` is written, and holds the key that signs the Debian archives."""
    with serve({}, lifetime=lifetime) as server:
        registries = Registries(server=server, keyring=keyring, key=new_key())
        registries.publish()
        yield registries
