"""What every test gets: no network but loopback, no home, no settings of the machine, and whole commands on request."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.builders import registries as builder
from tests.builders.server import LIFETIME
from tests.command import Command, Project, clean_variables
from tests.home import MACHINE_HOME, NO_HOME, fill_home

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell does so for what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else children would ignore Ctrl-C, which tests send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.builders.registries import Registries

# The same code is tested with the same examples; `pytest --hypothesis-profile=explore` looks for new ones.
settings.register_profile("envgen", deadline=None, database=None, derandomize=True)
settings.register_profile("explore", deadline=None, database=None, max_examples=1000)
settings.load_profile("envgen")

_REAL = ("real", "full", "bench", "stacks")
"""Markers of tests that use the machine as it is: its network, its settings."""

# What writes to a home that no test has given it fails, while tests are collected too.
os.environ.setdefault(MACHINE_HOME, os.environ.get("HOME", ""))
os.environ["HOME"] = str(NO_HOME)

_HOUR = 3600.0
"""Seconds that registries of a test of the whole may be needed."""

_SETTINGS = ("ENVGEN_", "CONDA_", "MAMBA_", "PIP_", "UV_", "XDG_", "RATTLER_")
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})


class NetworkIsOffError(RuntimeError):
    """A test without a marker for it tried to leave this machine; no `OSError`, which retries would swallow."""


def _uses_the_machine(request: pytest.FixtureRequest) -> bool:
    return any(request.node.get_closest_marker(name) for name in _REAL)


@pytest.fixture(autouse=True)
def network_off(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection and name look-up that is not loopback."""
    if _uses_the_machine(request):
        return
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _guarded_connect(getattr(socket.socket, name)))
    monkeypatch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))


def _guarded_connect(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_outside(address[0])
        return connect(self, address)

    return guarded


def _guarded_lookup(lookup: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: str | bytes | None, *arguments: Any, **options: Any) -> Any:
        if host:
            _refuse_outside(host if isinstance(host, str) else host.decode())
        return lookup(host, *arguments, **options)

    return guarded


def _refuse_outside(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NetworkIsOffError(f"network is off in tests, {host!r} was asked for")


@pytest.fixture(autouse=True)
def clean_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the machine's settings of envgen and related tools from the environment of a test."""
    if _uses_the_machine(request):
        return
    for name in list(os.environ):
        if name.startswith(_SETTINGS) or name.upper() in _PROXIES:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def home_of_its_own(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a temporary home with the machine's registries for a test that uses the machine."""
    if not _uses_the_machine(request):
        return
    home = request.getfixturevalue("tmp_path_factory").mktemp("home")
    monkeypatch.setenv("HOME", str(fill_home(home)))
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Make an empty project folder."""
    root = tmp_path / "project"
    (root / "environments").mkdir(parents=True)
    return Project(root=root)


@pytest.fixture
def registries(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registries]:
    """Start empty registries on loopback: fill them, then `publish`."""
    lifetime = _HOUR if request.node.get_closest_marker("full") else LIFETIME
    with builder.start(tmp_path / "keyring.asc", lifetime=lifetime) as started:
        yield started


@pytest.fixture
def cli(
    project: Project,
    registries: Registries,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """Run whole commands in the project, against the loopback registries, with an empty home."""
    home = tmp_path / "home"
    home.mkdir()
    variables = clean_variables(home) | registries.environment
    return Command(variables=variables, directory=project.root, capture=capfd, patch=monkeypatch)
