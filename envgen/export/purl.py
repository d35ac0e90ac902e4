"""Package URLs: how SBOMs and scanners name a package.

https://github.com/package-url/purl-spec: types `conda`, `pypi` and `deb`. A wheel keeps the name of its project,
whatever conda calls it, for that is what vulnerability data is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from envgen.packages import BuiltPackage, ChannelPackage, Wheel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.lock.debian_lock import DebianPackage
    from envgen.packages import Package


def package_purl(package: Package, repository: str | None = None) -> str:
    """Name a locked package; `repository` is the address of the index that a wheel is from, if not the default one."""
    if isinstance(package, Wheel):
        return f"pkg:pypi/{package.project}@{_quoted(package.version)}{_tail({'repository_url': repository or ''})}"
    qualifiers = {"build": package.build, "channel": _channel(package), "subdir": package.subdir, "type": "conda"}
    return f"pkg:conda/{package.name}@{_quoted(package.version)}{_tail(qualifiers)}"


def debian_purl(package: DebianPackage, suites: Sequence[str]) -> str:
    """Name a Debian package.

    Args:
        package: to name.
        suites: that it came from; the release is the one that the others are updates of.
    """
    release = min(suites, key=lambda suite: (suite.count("-"), suite), default="")
    qualifiers = {"arch": package.architecture, "distro": release}
    return f"pkg:deb/debian/{_quoted(package.name)}@{_quoted(package.version)}{_tail(qualifiers)}"


def _channel(package: ChannelPackage | BuiltPackage) -> str:
    """Name the channel as conda does: the part of its address after the host; none for what a recipe made."""
    if isinstance(package, BuiltPackage) or "://" not in package.url:
        return ""
    return urlsplit(package.url.rsplit("/", 2)[0]).path.strip("/")


def _tail(qualifiers: dict[str, str]) -> str:
    found = "&".join(f"{key}={_quoted(value)}" for key, value in sorted(qualifiers.items()) if value)
    return f"?{found}" if found else ""


def _quoted(text: str) -> str:
    return quote(text, safe=":/" if "://" in text else ":")
