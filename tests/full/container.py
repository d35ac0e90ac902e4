"""Containers of an image under podman, and what a person outside can do with them."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

# runc instead of crun, and limits below a service manager's: both work in virtual machines where the defaults do not.
_PODMAN = ("podman", *(("--runtime", "runc") if shutil.which("runc") else ()))
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")
_PATIENCE = 120.0
"""Seconds for anything to happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A running container.

    Attributes:
        name: podman's.
        key: private key whose public half was given to it.
    """

    name: str
    key: Path

    def exec(self, *command: str) -> str:
        """Run a command beside the services, past the entrypoint, and return what it printed."""
        return podman("exec", self.name, *command)

    def logs(self) -> str:
        """Read what it said on stdout."""
        return podman("logs", self.name)

    def token(self) -> str:
        """Read the token that it made."""
        found = _until(lambda: re.search(r"\?token=([0-9a-f]{48})$", self.logs(), re.MULTILINE))
        return found[1]

    def jupyter(self, token: str) -> int:
        """Ask Jupyter for a list of files; return the HTTP status."""
        url = f"http://127.0.0.1:{self.port(8888)}/api/contents?token={token}"
        return _until(lambda: _status(url))

    def ssh(self, user: str, *command: str, key: bool = True, method: str = "publickey") -> tuple[int, str]:
        """Run a command by SSH; return its exit code, 255 where nobody was let in, and what it printed."""
        port = self.port(2222)
        _until(lambda: "Server listening on" in self.logs())
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
            "PreferredAuthentications": method,
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        words += ["-i", str(self.key)] if key else []
        argv = ["ssh", "-p", str(port), *words, f"{user}@127.0.0.1", *command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_PATIENCE, check=False)
        return done.returncode, done.stdout

    def stop(self) -> tuple[int, float]:
        """Send SIGTERM; return the exit code, and the seconds until it ended."""
        before = time.monotonic()
        podman("kill", "--signal", "TERM", self.name)
        return int(podman("wait", self.name)), time.monotonic() - before

    def port(self, inside: int) -> int:
        """Return the port of this machine that leads to one of the container."""
        return int(podman("port", self.name, str(inside)).split()[0].rpartition(":")[2])


def podman(*words: str) -> str:
    """Run podman and return what it printed."""
    done = subprocess.run([*_PODMAN, *words], capture_output=True, text=True, timeout=_PATIENCE * 5, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(image: str, *command: str, options: tuple[str, ...] = ()) -> str:
    """Run a command in a container of its own and return what it printed."""
    return podman("run", "--rm", *_LIMITS, *options, image, *command)


@contextmanager
def started(image: str, *options: str, key: Path) -> Iterator[Container]:
    """Start the services of an image."""
    public = key.with_suffix(".pub").read_text()
    ports = ("-p", "127.0.0.1::8888", "-p", "127.0.0.1::2222")
    name = podman("run", "-d", *_LIMITS, *ports, "-e", f"SSH_AUTHORIZED_KEYS={public}", *options, image).strip()
    try:
        yield Container(name=name, key=key)
    finally:
        podman("rm", "--force", "--time", "3", name)


def _status(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return None


def _until(ask: Callable[[], T | None]) -> T:
    """Ask until there is an answer."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.2)
    raise TimeoutError("nothing happened")
