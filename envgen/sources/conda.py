"""Conda channels: records by package name, from the first channel that has the name."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, TypeVar

from rattler import Channel, ChannelConfig, Gateway, SourceConfig, Subdir
from rattler.exceptions import FetchRepoDataError, GatewayError, InvalidChannelError, InvalidUrlError, IoError

from envgen.errors import HostError, NetworkError, OfflineError, UserError
from envgen.sources.repodata_cache import forget_foreign
from envgen.system.credentials import display
from envgen.system.file_url import is_file_url
from envgen.system.rattler_certificates import settle_certificates
from envgen.urls import has_token, without_secrets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from envgen.names import CondaName
    from envgen.platforms import Platform

T = TypeVar("T")

_URL = re.compile(r"(?:for url )?[('`\"]*\b[a-z]+://\S+")
_FAILURES = (GatewayError, FetchRepoDataError, IoError)
_NO_ANSWER = "error sending request"
"""What rattler says where no server answered: to ask again would only take as long again."""

_LONGEST = 200
"""Characters of a reason."""


class ChannelSource:
    """The channels of one spec for one platform, strictly by priority.

    Repodata is read by rattler, which caches it below `cache_dir`. What it cannot read is fetched once more, past the
    cache: rattler keeps a wrong answer, such as a network's login page, for as long as that says it is valid.

    Args:
        channels: names, URLs or paths, strongest first.
        platform: its subdir is asked, and `noarch`.
        cache_dir: where rattler keeps repodata.
        root: folder that relative paths count from.
        offline: read channels of this machine only.

    Raises:
        UserError: a channel is written in a way that cannot be one.
    """

    def __init__(
        self, channels: Sequence[str], *, platform: Platform, cache_dir: Path, root: Path, offline: bool = False
    ) -> None:
        self._offline = offline
        self._channels = [_channel(text, root) for text in channels]
        self._subdirs = [Subdir(platform.value), Subdir("noarch")]
        self._is_certified = settle_certificates()
        self._gateway = Gateway(cache_dir=cache_dir)
        self._past_cache = Gateway(cache_dir=cache_dir, default_config=SourceConfig(cache_action="no-cache"))
        self._cache_dir = cache_dir
        self._checked: set[str] = set()
        self._renewed: set[str] = set()
        self._asked: dict[str, asyncio.Future[tuple[RepoDataRecord, ...]]] = {}

    async def records(self, name: CondaName) -> tuple[RepoDataRecord, ...]:
        """Return all records of a name in the strongest channel that has it; empty where none has.

        Raises:
            HostError: this machine has no CA certificates to verify it.
            NetworkError: a channel cannot be read.
        """
        if name not in self._asked:
            self._asked[name] = asyncio.ensure_future(self._fetch(name))
        return await asyncio.shield(self._asked[name])

    async def _fetch(self, name: CondaName) -> tuple[RepoDataRecord, ...]:
        for channel in self._channels:
            if found := await self._query(channel, name):
                return found
        return ()

    async def _query(self, channel: Channel, name: CondaName) -> tuple[RepoDataRecord, ...]:
        if self._offline and not is_file_url(channel.base_url):
            raise OfflineError(f"the conda channel at {shown(channel.base_url)} would have to be read")
        if not self._is_certified and channel.base_url.startswith("https:"):
            raise HostError(
                f"no CA certificates were found to verify the conda channel at {shown(channel.base_url)}",
                hint="install the package `ca-certificates`, or set SSL_CERT_FILE to a file of CA certificates",
            )

        def ask(gateway: Gateway) -> Awaitable[list[list[RepoDataRecord]]]:
            return gateway.query([channel], self._subdirs, [name], recursive=False, channel_relations="disabled")

        while True:
            is_renewed = channel.base_url in self._renewed
            answer = await self._read([channel], ask, past_cache=is_renewed)
            asked_before = not is_renewed and channel.base_url in self._renewed  # another name has found it foreign
            if any(answer) or not (asked_before or self._is_foreign(channel)):
                return tuple(record for records in answer for record in records)

    def _is_foreign(self, channel: Channel) -> bool:
        """Return whether a channel has to be asked again, past the cache: what was kept of it is not repodata.

        Raises:
            NetworkError: it was asked past the cache already.
        """
        url = channel.base_url
        subdir = None if url in self._checked else forget_foreign(self._cache_dir, url)
        if subdir is None:
            self._checked.add(url)
            return False
        if url in self._renewed:
            raise NetworkError(
                f"the conda channel at {shown(url)} returned JSON that is not repodata of `{subdir}`",
                hint="check the URL of the channel, and whether the network asks for a login",
            )
        self._renewed.add(url)
        return True

    async def _read(
        self, channels: Sequence[Channel], ask: Callable[[Gateway], Awaitable[T]], *, past_cache: bool
    ) -> T:
        try:
            return await ask(self._past_cache if past_cache else self._gateway)
        except _FAILURES as error:
            if _NO_ANSWER in str(error):
                raise _unreachable(channels, error) from error
        try:
            return await ask(self._past_cache)
        except _FAILURES as error:
            raise _unreachable(channels, error) from error


def shown(channel: str) -> str:
    """Render the name, address or path of a channel for people, without logins and tokens."""
    return without_secrets(channel) if has_token(channel) else display(channel)


def _unreachable(channels: Sequence[Channel], error: Exception) -> NetworkError:
    where = ", ".join(shown(channel.base_url) for channel in channels)
    return NetworkError(
        f"failed to read the conda channel at {where}: {_reason(str(error))}",
        hint="check the URL of the channel and the network, or remove `channels:`, which is optional",
    )


def _reason(said: str) -> str:
    """Shorten what rattler said to its last cause, without URLs: they may hold credentials.

    Its lines are like `error sending request for url (...)`, `Caused by: tcp connect error`.
    """
    last = said.strip().splitlines()[-1].strip() if said.strip() else "no reason given"
    return _URL.sub("", last.removeprefix("Caused by: ")).strip()[:_LONGEST]


def _channel(text: str, root: Path) -> Channel:
    try:
        return Channel(text, ChannelConfig(root_dir=str(root)))
    except (InvalidChannelError, InvalidUrlError) as error:
        raise UserError(f"{display(text)!r} is not a conda channel: {error}") from error
