from __future__ import annotations

import pytest
import yaml

from envgen.debs import Archive, Deb
from envgen.digest import Sha256
from envgen.errors import LockError
from envgen.lock.debian_lock import (
    IMAGE,
    DebianLock,
    debian_file_name,
    read_debian_lock,
    render_debian_lock,
)
from envgen.platforms import Platform


def deb(name: str, version: str = "1.0-1", archive: Archive = Archive.DEBIAN) -> Deb:
    return Deb(
        name=name,
        version=version,
        architecture="amd64",
        archive=archive,
        path=f"pool/main/{name[0]}/{name}/{name}_{version}_amd64.deb",
        sha256=Sha256.of(f"{name} {version}".encode()),
        size=12,
    )


def sample() -> DebianLock:
    zlib, python = deb("zlib1g", "1:1.2.13.dfsg-1"), deb("python3.11", "3.11.2-6+deb12u9", Archive.SECURITY)
    return DebianLock.of_uses(
        environment="demo",
        platform=Platform.LINUX_64,
        suites=["bookworm-security", "bookworm", "bookworm"],
        uses={"python": [zlib, python], IMAGE: [zlib]},
    )


def test_packages_know_their_users() -> None:
    lock = sample()
    assert [(p.name, p.used_by) for p in lock.packages] == [
        ("python3.11", ("python",)),
        ("zlib1g", ("image", "python")),
    ]
    assert [p.name for p in lock.used_by(IMAGE)] == ["zlib1g"]
    assert lock.suites == ("bookworm", "bookworm-security")


def test_locked_packages_can_be_locked_again() -> None:
    lock = sample()
    again = DebianLock.of_uses(
        environment="demo", platform=Platform.LINUX_64, suites=lock.suites, uses={"python": lock.used_by("python")}
    )
    assert [p.used_by for p in again.packages] == [("python",), ("python",)]


def test_text_and_back() -> None:
    lock = sample()
    text = render_debian_lock(lock)
    assert read_debian_lock(text) == lock
    assert render_debian_lock(read_debian_lock(text)) == text
    assert "url: ${ENVGEN_DEBIAN_SECURITY}/pool/main/p/python3.11/" in text


def test_order_of_packages_does_not_show() -> None:
    lock = sample()
    turned = DebianLock(
        environment=lock.environment, platform=lock.platform, suites=lock.suites, packages=lock.packages[::-1]
    )
    assert render_debian_lock(turned) == render_debian_lock(lock)


def test_file_name() -> None:
    assert debian_file_name("demo", Platform.LINUX_AARCH64) == "demo.linux-aarch64.debian-lock.yml"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("url", "${ENVGEN_DEBIAN}/pool/../x.deb", r"packages\[0\].url: expected a path below `pool/`"),
        ("url", "https://example.org/pool/main/x/x.deb", r"packages\[0\].url: expected a path"),
        ("sha256", "abc", r"packages\[0\].sha256: not a sha256"),
        ("size", "12", r"packages\[0\].size: expected a number of bytes, got '12'"),
        ("size", True, r"packages\[0\].size: expected a number of bytes"),
        ("version", 1.0, r"packages\[0\].version: expected text, got 1.0"),
        ("version", "one", r"packages\[0\].version: not as Debian has them"),
        ("name", "Python", r"packages\[0\].name: not as Debian has them"),
        ("used_by", "python", r"packages\[0\].used_by: expected a list"),
        ("mirror", "x", r"packages\[0\]: unknown key `mirror`"),
    ],
)
def test_fault_is_told_with_its_path(field: str, value: object, says: str) -> None:
    content = yaml.safe_load(render_debian_lock(sample()))
    content["packages"][0][field] = value
    with pytest.raises(LockError, match=says) as caught:
        read_debian_lock(yaml.safe_dump(content), source="locks/demo.debian-lock.yml")
    assert caught.value.message.startswith("locks/demo.debian-lock.yml: ")
    assert caught.value.hint == "take it back from git, or remove it and run `envgen lock`"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "version: expected 1, got 2"),
        ({"platform": "linux-65"}, "platform: 'linux-65' is not a valid Platform"),
        ({"extra": 1}, "unknown key `extra`"),
    ],
)
def test_fault_of_the_whole(change: dict[str, object], says: str) -> None:
    content = yaml.safe_load(render_debian_lock(sample())) | change
    with pytest.raises(LockError, match=says):
        read_debian_lock(yaml.safe_dump(content))


def test_package_that_is_there_twice() -> None:
    content = yaml.safe_load(render_debian_lock(sample()))
    content["packages"].append(content["packages"][0])
    with pytest.raises(LockError, match=r"`python3\.11` 3\.11\.2-6\+deb12u9 is there twice"):
        read_debian_lock(yaml.safe_dump(content))
