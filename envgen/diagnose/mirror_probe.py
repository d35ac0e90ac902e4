"""Whether the mirrors that a lock needs answer, all asked at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from envgen.diagnose.machine import Mirror
from envgen.errors import EnvgenError
from envgen.indexes import NamedIndex, name_of, variable_of
from envgen.prepare.wheel_index import spec_indexes
from envgen.system.bounded import Attempt
from envgen.system.credentials import display
from envgen.system.file_url import file_path
from envgen.system.mirrors import CHANNEL, DEBIAN, DEBIAN_SECURITY, PYPI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.system.http import Http
    from envgen.system.mirrors import Setting

    _Find = Callable[[str], Setting | None]

_ASKED = {PYPI: "/pip/", CHANNEL: "/noarch/repodata.json", DEBIAN: "/dists/", DEBIAN_SECURITY: "/dists/"}
"""What a mirror is asked for to see whether it answers: something small. That it is not there is an answer too."""

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1"
_SMALL = 32 << 20

_PATIENCE = 5.0
"""Seconds that all mirrors have, asked at once."""


def probe_mirrors(context: Context, pair: LockPair | None) -> tuple[Mirror, ...]:
    """Probe each mirror that the lock needs; the wheel index without a lock."""
    from envgen.system.http import Http  # noqa: PLC0415  as `Context.http`: it takes 80 ms

    once = Http(environment=context.environment, attempts=1)
    needed = list(_needed(pair)) if pair else [PYPI]
    find = partial(_setting, context, spec_indexes(context, [pair.lock] if pair else []))
    asked = {name: Attempt(partial(_mirror, context, once, name, find)) for name in needed}
    return tuple(attempt.result(_PATIENCE) or _silent(context, name, find) for name, attempt in asked.items())


def _setting(context: Context, indexes: Mapping[str, NamedIndex], placeholder: str) -> Setting | None:
    """Return the value of a placeholder; that of an index of the spec comes last."""
    name = name_of(placeholder)
    if name is None or name not in indexes:
        return context.mirrors.find(placeholder)
    return context.mirrors.find_index(indexes[name], context.root)


def _needed(pair: LockPair) -> Iterator[str]:
    used = {wheel.index for wheel in pair.lock.wheels}
    yield from sorted(variable_of(name) if name else PYPI for name in used)
    archives = {package.archive for package in pair.debian.packages} if pair.debian else set()
    yield from sorted(archive.placeholder.strip("${}") for archive in archives)


def _mirror(context: Context, http: Http, placeholder: str, find: _Find) -> Mirror:
    hint = context.mirrors.hint(placeholder)
    url, source, problem = None, None, None
    try:
        if found := find(placeholder):
            url, source = display(found.url), found.source
            problem = _fault(http, found.url, placeholder)
    except EnvgenError as error:
        problem, hint = error.message, f"{error.hint}; {hint}" if error.hint else hint
    return Mirror(placeholder=placeholder, url=url, source=source, problem=problem, hint=hint)


def _fault(http: Http, url: str, placeholder: str) -> str | None:
    """Request something from a mirror, or check that the folder of a local one exists.

    Raises:
        NetworkError: it does not answer, or with a failure.
    """
    if url.startswith("file:"):
        return None if file_path(url).is_dir() else "the folder does not exist"
    http.get(url + _ASKED.get(placeholder, "/pip/"), accept=_ACCEPT, limit=_SMALL)
    return None


def _silent(context: Context, placeholder: str, find: _Find) -> Mirror:
    """Describe a mirror that has not answered in time, nor refused."""
    found = find(placeholder)
    return Mirror(
        placeholder=placeholder,
        url=display(found.url) if found else None,
        source=found.source if found else None,
        problem=f"no response within {_PATIENCE:.0f} s",
        hint=f"check the network and HTTPS_PROXY/NO_PROXY; {context.mirrors.hint(placeholder)}",
    )
