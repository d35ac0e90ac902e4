"""Logins that the `keyring` program keeps: asked for an index that wants one and that nothing else has one for."""

from __future__ import annotations

import threading
from contextlib import suppress
from shutil import which
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from envgen.system.credentials import origin, without_login
from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envgen.system.credentials import Credentials, Origin, Secret

PATIENCE = 20.0
"""Seconds: enough to unlock a keyring by hand; a program that waits for nobody must not hang a build."""


class KeyringLogins:
    """Asks the program once for each index, and keeps what it says for all requests to that server.

    Args:
        environment: variables.
        note: hears that the program did not answer.
        credentials: returns what is known of logins.
    """

    def __init__(
        self, *, environment: Mapping[str, str], note: Callable[[str], None], credentials: Callable[[], Credentials]
    ) -> None:
        self._environment = environment
        self._note = note
        self._credentials = credentials
        self._lock = threading.Lock()
        self._indexes: dict[Origin, str] = {}
        self._asked: dict[Origin, Secret | None] = {}

    def add(self, url: str) -> None:
        """Register the address of an index: no login is asked for other servers."""
        with suppress(ValueError):  # an odd port: the request reports it
            if url.startswith("http"):
                self._indexes.setdefault(origin(without_login(url)[0]), url)

    def login(self, asked: str, answered: str, sent: Secret | None) -> Secret | None:
        """Return the login for a server that refuses a request, if the program has one; None where that is no help.

        Args:
            asked: the URL, perhaps with a user in it.
            answered: the URL after redirects.
            sent: the login that was refused: a whole one is not replaced.
        """
        index = self._indexes.get(origin(answered))
        if index is None or origin(without_login(asked)[0]) != origin(answered):
            return None
        bare, own = without_login(index)
        user, password = urlsplit(index).username, urlsplit(index).password
        with self._lock:
            if origin(answered) not in self._asked and sent in (None, own) and not password:
                found = find_login(bare, unquote(user or ""), environment=self._environment, note=self._note)
                learnt = self._credentials().learn(bare, *found) if found else None
                self._asked[origin(answered)] = learnt
            found_before = self._asked.get(origin(answered))
        return None if found_before == sent else found_before


def find_login(
    url: str,
    user: str | None,
    *,
    environment: Mapping[str, str],
    note: Callable[[str], None],
    patience: float = PATIENCE,
) -> tuple[str, str] | None:
    """Return user and password that the `keyring` program has for an index; None where it has none or is not there.

    It is asked for the address of the index, then for the host, as pip and uv do. Without a user it is asked for any
    (`--mode creds`), which `keyring` understands since 25.2.

    Args:
        url: of the index, without a login.
        user: whose password is wanted, where the address names one.
        environment: variables; `PATH` says where the program is.
        note: hears that the program did not answer.
        patience: seconds for each question.
    """
    program = which("keyring", path=environment.get("PATH", ""))
    if program is None:
        return None
    for service in (url, urlsplit(url).netloc):
        argv = [program, "get", service, user] if user else [program, "--mode", "creds", "get", service]
        try:
            said = run(argv, env=environment, timeout=patience).stdout.decode()
        except UnicodeDecodeError:
            return None
        except ProcessError as error:
            if error.status is None:
                note(f"`keyring` did not answer for {urlsplit(url).hostname} within {patience:g} s, or cannot start")
                return None
            continue
        if found := parse_login(said, user):
            return found
    return None


def parse_login(said: str, user: str | None) -> tuple[str, str] | None:
    """Read what `keyring get` prints: a password, or a line with the user before it; None where there is none."""
    lines = said.splitlines()
    if user:
        return (user, lines[0]) if lines and lines[0] else None
    return (lines[0], lines[1]) if len(lines) > 1 and lines[1] else None
