from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.errors import SpecError, UserError
from envgen.system.mirrors import BLOBS, CHANNEL, DEBIAN, DEBIAN_SECURITY, PYPI, Mirrors, parse_config

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = """\
Types: deb
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


class Machine:
    """A file system with files of settings, and an environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home/me"
        self.environment: dict[str, str] = {}

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    @property
    def mirrors(self) -> Mirrors:
        return Mirrors(environment=self.environment, home=self.home, root=self.root)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_environment_is_first_then_the_settings_then_the_clients(machine: Machine) -> None:
    machine.write("etc/pip.conf", "[global]\nindex-url = https://pip.example/simple/\n")
    assert machine.mirrors.resolve(PYPI) == "https://pip.example/simple"
    machine.write("home/me/.config/envgen/config.toml", '[mirrors]\npypi = "https://own.example/simple/"\n')
    assert machine.mirrors.resolve(PYPI) == "https://own.example/simple"
    machine.environment["ENVGEN_PYPI"] = "https://env.example/simple/"
    assert machine.mirrors.resolve(PYPI) == "https://env.example/simple"


def test_pip_has_a_default(machine: Machine) -> None:
    found = machine.mirrors.find(PYPI)
    assert found
    assert (found.url[:8], found.source) == ("https://", "pip's default")


def test_debian_comes_from_apt(machine: Machine) -> None:
    machine.write("etc/apt/sources.list.d/debian.sources", SOURCES)
    assert machine.mirrors.resolve(DEBIAN) == "http://mirror.example/debian"
    assert machine.mirrors.resolve(DEBIAN_SECURITY) == "http://mirror.example/debian-security"


@pytest.mark.parametrize(
    ("placeholder", "key"), [(CHANNEL, "channel"), (DEBIAN, "debian"), (DEBIAN_SECURITY, "debian-security")]
)
def test_where_nothing_is_set_the_error_says_what_to_set(machine: Machine, placeholder: str, key: str) -> None:
    assert machine.mirrors.find(placeholder) is None
    with pytest.raises(UserError, match=placeholder) as caught:
        machine.mirrors.resolve(placeholder)
    path = machine.home / ".config/envgen/config.toml"
    assert caught.value.hint == f"set {placeholder}, or `{key}` under [mirrors] in `{path}`"


def test_folders_are_addresses(machine: Machine) -> None:
    machine.environment["ENVGEN_CHANNEL"] = "/srv/my channel/"
    assert machine.mirrors.resolve(CHANNEL) == "file:///srv/my%20channel"


@pytest.mark.parametrize("value", ["index.example/simple", "ftp://user:hidden@index.example", "https://a b"])
def test_what_is_no_address(machine: Machine, value: str) -> None:
    machine.environment["ENVGEN_PYPI"] = value
    with pytest.raises(UserError, match="ENVGEN_PYPI is not a URL") as caught:
        machine.mirrors.resolve(PYPI)
    assert "hidden" not in str(caught.value)


def test_logins_do_not_show(machine: Machine) -> None:
    machine.environment["ENVGEN_PYPI"] = "https://user:hidden@index.example/simple"
    assert "hidden" in machine.mirrors.resolve(PYPI)
    assert "hidden" not in repr(machine.mirrors.find(PYPI))


def test_expansion(machine: Machine) -> None:
    machine.environment["ENVGEN_DEBIAN"] = "http://mirror.example/debian"
    mirrors = machine.mirrors
    assert mirrors.expand("${ENVGEN_DEBIAN}/pool/a.deb") == "http://mirror.example/debian/pool/a.deb"
    assert mirrors.expand("https://channel.example/x.conda") == "https://channel.example/x.conda"
    with pytest.raises(UserError, match="unknown placeholder"):
        mirrors.expand("${ENVGEN_DEBAIN}/pool/a.deb")


def test_settings_are_below_xdg_config_home(machine: Machine) -> None:
    machine.environment["XDG_CONFIG_HOME"] = str(machine.root / "conf")
    machine.write("conf/envgen/config.toml", '[mirrors]\nchannel = "https://channel.example/x"\n')
    assert machine.mirrors.resolve(CHANNEL) == "https://channel.example/x"


def test_settings_that_cannot_be_read(machine: Machine) -> None:
    (machine.home / ".config/envgen/config.toml").mkdir(parents=True)
    with pytest.raises(UserError, match=r"failed to read .*config.toml"):
        machine.mirrors.find(CHANNEL)


def test_all_faults_of_settings_are_told() -> None:
    text = '[mirrors]\npipy = "https://x"\ndebian = 3\nzzz = 1\n[other]\n'
    with pytest.raises(SpecError) as caught:
        parse_config(text, "config.toml")
    assert str(caught.value).splitlines() == [
        (
            "config.toml: unknown key `other` "
            "(known are mirrors, max-size, shared-cache, shared-cache-owner, require-signature)"
        ),
        "config.toml: mirrors: unknown key `pipy` (did you mean `pypi`?)",
        "config.toml: mirrors.debian: expected a URL, got int",
        (
            "config.toml: mirrors: unknown key `zzz` "
            "(known are pypi, channel, debian, debian-security, blobs, indexes, channel-wheels)"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "said"), [("mirrors = 3", "config.toml: mirrors: expected a table"), ("[mirrors\n", "at line 1")]
)
def test_settings_of_another_shape(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        parse_config(text, "config.toml")


def test_settings_without_mirrors() -> None:
    assert parse_config("", "config.toml") == {}


def test_a_repository_of_blobs(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.write("home/me/.config/envgen/config.toml", '[mirrors]\nblobs = "oci://registry.example/team/blobs/"\n')
    found = machine.mirrors.find(BLOBS)
    assert found
    assert found.url == "oci://registry.example/team/blobs"
    machine.environment["ENVGEN_BLOBS"] = "https://registry.example/team"
    with pytest.raises(UserError, match="not a repository of a registry"):
        machine.mirrors.find(BLOBS)
