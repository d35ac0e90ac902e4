"""The Debian lock: the `.deb`s behind recipes and the image's base, each pinned by sha256.

Goals: small differences between versions (sorted, one field a line), no host names (placeholders), nothing that the
reader takes on trust. The format has its own version number.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct, field

from envgen.debs import Deb, DebianArea
from envgen.digest import Sha256
from envgen.lock.reader import Field, load
from envgen.moments import parse_moment
from envgen.platforms import Platform
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Self

FORMAT = 2
"""Version of the format that is written, the same as that of the lock beside it.

Both formats hold the same keys; each that format 2 adds later is optional.
"""

_READ = (1, FORMAT)
"""Formats that are read."""

IMAGE = "image"
"""Stands among the users of a package for the base of the image."""

_HEADER = "# Made by `envgen lock`: the Debian packages behind this environment. Do not edit.\n"
_KEYS = ("version", "environment", "platform", "suites", "releases", "image", "recipes", "packages")
_RECIPE_KEYS = ("suites",)
_BASE_KEYS = ("suites", "packages", "exclude")
_PACKAGE_KEYS = ("name", "version", "architecture", "url", "sha256", "size", "used_by")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # Debian Policy 5.6.1
_VERSION = re.compile(r"(?:\d+:)?\d[A-Za-z0-9.+~-]*")  # Debian Policy 5.6.12
_PATH = re.compile(r"pool/(?:[A-Za-z0-9+._~:%-]+/)+[A-Za-z0-9+._~:%-]+\.deb")

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class BaseRequest(Struct, frozen=True, kw_only=True):
    """What the base of an image was locked for; all of it sorted.

    Attributes:
        suites: of Debian.
        packages: wanted.
        exclude: where the closure stopped.
    """

    suites: tuple[str, ...]
    packages: tuple[str, ...]
    exclude: tuple[str, ...]


class DebianPackage(Deb, frozen=True, kw_only=True):
    """A locked `.deb`.

    Attributes:
        used_by: names of the recipes that it goes into, and `image`; sorted.
    """

    used_by: tuple[str, ...]


class DebianLock(Struct, frozen=True, kw_only=True):
    """The Debian packages of one environment and platform.

    Attributes:
        environment: its name.
        platform: what it is locked for.
        suites: of Debian, from which the packages came, sorted.
        releases: suite -> date of the latest release of it that a package was chosen from, aware; empty in locks
            that were made before this was recorded.
        base: what the packages of the image were locked for; None where there are none.
        recipe_suites: recipe -> suites that its packages came from, sorted, where those are not all of `suites`.
        packages: sorted by name, version and architecture.
    """

    environment: str
    platform: Platform
    suites: tuple[str, ...]
    base: BaseRequest | None = None
    recipe_suites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    packages: tuple[DebianPackage, ...]
    releases: Mapping[str, dt.datetime] = field(default_factory=dict)

    @classmethod
    def of_uses(
        cls,
        *,
        environment: str,
        platform: Platform,
        suites: Iterable[str],
        uses: Mapping[str, Collection[Deb]],
        base: BaseRequest | None = None,
        recipe_suites: Mapping[str, Iterable[str]] | None = None,
        releases: Mapping[str, dt.datetime] | None = None,
    ) -> Self:
        """Merge what recipes and the image use.

        Args:
            environment: its name.
            platform: what is locked.
            suites: in any order, some perhaps twice.
            uses: name of a recipe, or `IMAGE` -> its packages.
            base: what those of `IMAGE` are locked for.
            recipe_suites: recipe -> the suites of its packages, some perhaps twice; all of `suites` without.
            releases: suite -> date of the release that was searched, aware.
        """
        every = tuple(sorted(set(suites)))
        own = {recipe: tuple(sorted(set(found))) for recipe, found in (recipe_suites or {}).items()}
        users: dict[Deb, set[str]] = {}
        for user, debs in uses.items():
            for deb in debs:
                users.setdefault(_plain(deb), set()).add(user)
        packages = (DebianPackage(**_fields(deb), used_by=tuple(sorted(by))) for deb, by in users.items())
        return cls(
            environment=environment,
            platform=platform,
            suites=every,
            base=base,
            recipe_suites={recipe: own[recipe] for recipe in sorted(own) if own[recipe] != every},
            packages=tuple(sorted(packages, key=_sort_key)),
            releases=dict(releases or {}),
        )

    def dated_after(self, old: DebianLock | None) -> Self:
        """Return the lock with the dates that it is written with after `old`.

        They stay as they are as long as no package changes, and never go back.
        """
        if old is None:
            return self
        dates = old.releases if old.packages == self.packages else later_dates(old.releases, self.releases)
        return replace(self, releases={suite: date for suite, date in dates.items() if suite in self.suites})

    def used_by(self, user: str) -> tuple[DebianPackage, ...]:
        """Find the packages of a recipe, or of the image."""
        return tuple(package for package in self.packages if user in package.used_by)

    def suites_of(self, package: DebianPackage) -> tuple[str, ...]:
        """Return which suites a package came from: those of who uses it, of the image before any recipe."""
        if self.base and IMAGE in package.used_by:
            return self.base.suites
        return next((self.recipe_suites.get(recipe, self.suites) for recipe in package.used_by), self.suites)


def debian_file_name(environment: str, platform: Platform) -> str:
    """Name the file that holds an environment's Debian lock."""
    return f"{environment}.{platform}.debian-lock.yml"


def render_debian_lock(lock: DebianLock) -> str:
    """Write the text of a Debian lock: the same for the same lock, whatever the order of its packages."""
    content = {
        "version": FORMAT,
        "environment": lock.environment,
        "platform": str(lock.platform),
        "suites": list(lock.suites),
        **({"releases": _dates(lock.releases)} if lock.releases else {}),
        **({"image": {key: list(getattr(lock.base, key)) for key in _BASE_KEYS}} if lock.base else {}),
        **({"recipes": _recipes(lock.recipe_suites)} if lock.recipe_suites else {}),
        "packages": [_entry(package) for package in sorted(lock.packages, key=_sort_key)],
    }
    return _HEADER + str(yaml.dump(content, Dumper=_DUMPER, sort_keys=False, width=1000, default_flow_style=False))


def read_debian_lock(text: str, *, source: str = "debian lock") -> DebianLock:
    """Read the text of a Debian lock.

    Args:
        text: of the file.
        source: what messages call the file: its path relative to the project.

    Raises:
        LockError: it is none, is damaged, or was written by a newer envgen.
    """
    root = load(text, source=source)
    _check_format(root.get("version"))
    _refuse_unknown(root, _KEYS)
    packages = tuple(_read_package(node) for node in root.get("packages").items())
    _refuse_twice(root.get("packages"), packages)
    return DebianLock(
        environment=root.get("environment").text(),
        platform=root.get("platform").parsed(Platform),
        suites=_texts(root.get("suites")),
        base=_read_base(root.find("image")),
        recipe_suites=_read_recipes(root.find("recipes")),
        packages=tuple(sorted(packages, key=_sort_key)),
        releases=_read_dates(root.find("releases")),
    )


def _check_format(node: Field) -> None:
    if isinstance(node.value, bool) or node.value not in _READ:
        node.fail(
            f"unsupported format {node.value!r}: this envgen reads up to format {FORMAT}",
            hint="upgrade envgen",
        )


def later_dates(*dates: Mapping[str, dt.datetime]) -> dict[str, dt.datetime]:
    """Merge dates of releases: the later one of each suite."""
    suites = {suite for each in dates for suite in each}
    return {suite: max(each[suite] for each in dates if suite in each) for suite in suites}


def _dates(releases: Mapping[str, dt.datetime]) -> dict[str, str]:
    return {suite: f"{releases[suite].astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}" for suite in sorted(releases)}


def _read_dates(node: Field | None) -> dict[str, dt.datetime]:
    return {} if node is None else {suite: date.parsed(_moment) for suite, date in node.members().items()}


def _moment(text: str) -> dt.datetime:
    found = parse_moment(text)
    if found.tzinfo is None:
        raise ValueError(f"expected a date such as '2026-11-20T08:00:00Z', got {text!r}")
    return found


def _read_base(node: Field | None) -> BaseRequest | None:
    if node is None:
        return None
    _refuse_unknown(node, _BASE_KEYS)
    return BaseRequest(**{key: _texts(node.get(key)) for key in _BASE_KEYS})


def _read_recipes(node: Field | None) -> dict[str, tuple[str, ...]]:
    found = {} if node is None else node.members()
    for recipe in found.values():
        _refuse_unknown(recipe, _RECIPE_KEYS)
    return {name: _texts(recipe.get("suites")) for name, recipe in found.items()}


def _recipes(suites: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, list[str]]]:
    return {name: {"suites": list(suites[name])} for name in sorted(suites)}


def _texts(node: Field) -> tuple[str, ...]:
    return tuple(item.text() for item in node.items())


def _read_package(node: Field) -> DebianPackage:
    _refuse_unknown(node, _PACKAGE_KEYS)
    archive, path = node.get("url").parsed(_split_url)
    return DebianPackage(
        name=_matching(node.get("name"), _NAME),
        version=_matching(node.get("version"), _VERSION),
        architecture=node.get("architecture").text(),
        archive=archive,
        path=path,
        sha256=node.get("sha256").parsed(Sha256.parse),
        size=_size(node.get("size")),
        used_by=tuple(sorted(user.text() for user in node.get("used_by").items())),
    )


def _split_url(url: str) -> tuple[DebianArea, str]:
    placeholder, _, path = url.partition("/")
    archive = next((archive for archive in DebianArea if archive.placeholder == placeholder), None)
    if archive is None or not _PATH.fullmatch(path) or ".." in path.split("/"):
        raise ValueError(f"expected a path below `pool/` of a Debian archive, got {url!r}")
    return archive, path


def _matching(node: Field, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(node.text()):
        node.fail(f"not valid in Debian: {node.value!r}")
    return node.text()


def _size(node: Field) -> int:
    if not isinstance(node.value, int) or isinstance(node.value, bool) or node.value < 0:
        node.fail(f"expected a number of bytes, got {node.value!r}")
    return node.value


def _refuse_unknown(node: Field, known: Collection[str]) -> None:
    if isinstance(node.value, dict) and (unknown := sorted(map(str, node.value.keys() - known))):
        node.fail(f"unknown key `{unknown[0]}`")


def _refuse_twice(node: Field, packages: Iterable[DebianPackage]) -> None:
    seen: set[tuple[str, ...]] = set()
    for package in packages:
        if _sort_key(package) in seen:
            node.fail(f"`{package.name}` {package.version} is listed twice")
        seen.add(_sort_key(package))


def _entry(package: DebianPackage) -> dict[str, Any]:
    return {
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "url": package.url,
        "sha256": str(package.sha256),
        "size": package.size,
        "used_by": list(package.used_by),
    }


def _sort_key(deb: Deb) -> tuple[str, ...]:
    return (deb.name, deb.version, deb.architecture)


def _plain(deb: Deb) -> Deb:
    """Remove fields that the same package has not when it is read from an archive."""
    return Deb(**_fields(deb))


def _fields(deb: Deb) -> dict[str, Any]:
    return {name: getattr(deb, name) for name in Deb.__struct_fields__}
