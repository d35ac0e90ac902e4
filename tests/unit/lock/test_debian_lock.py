from __future__ import annotations

import datetime as dt

import pytest
import yaml

from envgen.debs import Deb, DebianArea
from envgen.digest import Sha256
from envgen.errors import LockError
from envgen.lock.debian_lock import (
    IMAGE,
    BaseRequest,
    DebianLock,
    debian_file_name,
    read_debian_lock,
    render_debian_lock,
)
from envgen.platforms import Platform
from envgen.structs import replace


def deb(name: str, version: str = "1.0-1", archive: DebianArea = DebianArea.DEBIAN) -> Deb:
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
    zlib, python = deb("zlib1g", "1:1.2.13.dfsg-1"), deb("python3.11", "3.11.2-6+deb12u9", DebianArea.SECURITY)
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


JUNE, JULY = (dt.datetime(2026, month, 1, 8, 30, tzinfo=dt.UTC) for month in (6, 7))


def dated(**releases: dt.datetime) -> DebianLock:
    return replace(sample(), releases=releases)


def test_dates_of_releases() -> None:
    text = render_debian_lock(dated(bookworm=JUNE))
    assert "releases:\n  bookworm: '2026-06-01T08:30:00Z'\n" in text
    assert read_debian_lock(text) == dated(bookworm=JUNE)
    assert "releases" not in render_debian_lock(sample())


@pytest.mark.parametrize("date", ["2026-06-01", "2026-06-01T08:30:00", "June"])
def test_dates_are_full(date: str) -> None:
    text = render_debian_lock(dated(bookworm=JUNE)).replace("2026-06-01T08:30:00Z", date)
    with pytest.raises(LockError, match=r"releases\.bookworm"):
        read_debian_lock(text)


def test_dates_change_with_packages_alone_and_never_go_back() -> None:
    assert dated(bookworm=JULY).dated_after(None).releases == {"bookworm": JULY}
    assert dated(bookworm=JULY).dated_after(dated(bookworm=JUNE)).releases == {"bookworm": JUNE}
    assert dated(bookworm=JULY).dated_after(sample()).releases == {}
    other = replace(dated(bookworm=JUNE), packages=sample().packages[:1])
    assert other.dated_after(dated(bookworm=JULY)).releases == {"bookworm": JULY}
    assert other.dated_after(dated(trixie=JULY)).releases == {"bookworm": JUNE}


def mixed() -> DebianLock:
    """Lock an image of one release of Debian, and a recipe of the one before."""
    base = BaseRequest(suites=("trixie", "trixie-updates"), packages=("zlib1g",), exclude=())
    zlib, old, same = deb("zlib1g"), deb("python3.11"), deb("tzdata")
    return DebianLock.of_uses(
        environment="demo",
        platform=Platform.LINUX_64,
        suites=[*base.suites, "bookworm", "bookworm-updates"],
        uses={"python": [old, same], IMAGE: [zlib, same]},
        base=base,
        recipe_suites={"python": ["bookworm-updates", "bookworm"]},
    )


def test_packages_know_the_suites_of_who_uses_them() -> None:
    lock = mixed()
    assert {package.name: lock.suites_of(package)[0] for package in lock.packages} == {
        "python3.11": "bookworm",
        "tzdata": "trixie",
        "zlib1g": "trixie",
    }
    assert read_debian_lock(render_debian_lock(lock)) == lock


def test_suites_of_recipes_are_told_only_where_they_are_not_all() -> None:
    assert "recipes:\n  python:\n    suites:\n    - bookworm\n    - bookworm-updates\n" in render_debian_lock(mixed())
    plain = sample()
    assert "recipes:" not in render_debian_lock(plain)
    assert {plain.suites_of(package) for package in plain.packages} == {("bookworm", "bookworm-security")}
    same = DebianLock.of_uses(
        environment="demo",
        platform=Platform.LINUX_64,
        suites=["bookworm"],
        uses={"python": [deb("python3.11")]},
        recipe_suites={"python": ["bookworm", "bookworm"]},
    )
    assert same.recipe_suites == {}


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
        ("version", "one", r"packages\[0\].version: not valid in Debian"),
        ("name", "Python", r"packages\[0\].name: not valid in Debian"),
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
    assert caught.value.hint == "restore the file from git, or remove it and run `envgen lock`"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"version": 3},
            "version: unsupported format 3: this envgen reads up to format 2",
        ),
        (
            {"version": True},
            "version: unsupported format True: this envgen reads up to format 2",
        ),
        ({"platform": "linux-65"}, "platform: 'linux-65' is not a valid Platform"),
        ({"extra": 1}, "unknown key `extra`"),
        ({"recipes": ["python"]}, "recipes: expected a mapping, got"),
        ({"recipes": {1: {}}}, "recipes: expected text for every key, got 1"),
        ({"recipes": {"python": {"suites": [], "x": 1}}}, "recipes.python: unknown key `x`"),
        ({"recipes": {"python": {"suites": "bookworm"}}}, "recipes.python.suites: expected a list"),
    ],
)
def test_fault_of_the_whole(change: dict[str, object], says: str) -> None:
    content = yaml.safe_load(render_debian_lock(sample())) | change
    with pytest.raises(LockError, match=says):
        read_debian_lock(yaml.safe_dump(content))


def test_package_that_is_there_twice() -> None:
    content = yaml.safe_load(render_debian_lock(sample()))
    content["packages"].append(content["packages"][0])
    with pytest.raises(LockError, match=r"`python3\.11` 3\.11\.2-6\+deb12u9 is listed twice"):
        read_debian_lock(yaml.safe_dump(content))


def test_format_1_is_read_as_the_same() -> None:
    text = render_debian_lock(sample())
    assert "version: 2\n" in text
    assert read_debian_lock(text.replace("version: 2\n", "version: 1\n")) == sample()
