"""Which locked Debian packages have a newer version in the security suite of their release.

What was seen is kept with its date, so that the same answer is there without a network.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

from debian.debian_support import Version
from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import IntegrityError, NetworkError
from envgen.prepare.deb_files import debian_suites

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.lock.debian_lock import DebianLock
    from envgen.project.context import Context

_KEPT = "security-updates"
_SECURITY = "-security"


class SecuritySuite(Struct, frozen=True, kw_only=True):
    """What the security suites offer for the packages of one lock.

    Attributes:
        suite: such as `bookworm-security`.
        released: date of the release, aware.
        newest: name -> newest version in the suite.
    """

    suite: str
    released: dt.datetime
    newest: Mapping[str, str]

    def newer(self, name: str, version: str) -> str | None:
        """Return the version of the suite where it is newer than a locked one."""
        found = self.newest.get(name)
        return found if found and Version(found) > Version(version) else None


def security_suites(context: Context, lock: DebianLock, *, fetch: bool) -> tuple[tuple[SecuritySuite, ...], str | None]:
    """Read the security suites of the releases that a lock comes from, and why they could not be read.

    Args:
        context: the world.
        lock: of one platform; its security suites count also where the lock itself was made without them.
        fetch: ask the archive; what was seen before counts otherwise, and where the archive cannot be reached.
    """
    names = sorted({f"{suite.partition('-')[0]}{_SECURITY}" for suite in lock.suites})
    key = Sha256.of(json.dumps([names, lock.platform, [p.name for p in lock.packages]]).encode())
    failure: str | None = None
    if fetch and names:
        try:
            found = _read(context, names, lock)
        except (NetworkError, IntegrityError) as error:
            failure = error.message
        else:
            context.store.put(_KEPT, key, _pack(found))
            return found, None
    return _unpack(context.store.cached(_KEPT, key)), failure


def _read(context: Context, names: list[str], lock: DebianLock) -> tuple[SecuritySuite, ...]:
    indices, releases = debian_suites(context).load(names, lock.platform.debian_arch)
    wanted = sorted({package.name for package in lock.packages})
    return tuple(
        SecuritySuite(
            suite=name,
            released=releases[name].date,
            newest={
                package: newest
                for package in wanted
                if (newest := _newest(candidate.deb.version for candidate in index.find(package)))
            },
        )
        for name, index in zip(names, indices, strict=True)
    )


def _newest(versions: Iterable[str]) -> str | None:
    return max(versions, key=Version, default=None)


def _pack(suites: Iterable[SecuritySuite]) -> bytes:
    return json.dumps([[s.suite, s.released.isoformat(), dict(s.newest)] for s in suites]).encode()


def _unpack(kept: bytes | None) -> tuple[SecuritySuite, ...]:
    return tuple(
        SecuritySuite(suite=suite, released=dt.datetime.fromisoformat(released), newest=newest)
        for suite, released, newest in (json.loads(kept) if kept else ())
    )
