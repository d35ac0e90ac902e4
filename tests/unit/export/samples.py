"""A small environment of every kind of package, with everything that an exporter may want to know of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from envgen.debs import Deb
from envgen.debs import DebianArea as DebianArchive
from envgen.export.export_input import ExportInput, License, PublishedArchive
from envgen.lock.debian_lock import IMAGE, DebianLock
from envgen.packages import ChannelPackage, Wheel
from envgen.platforms import Platform
from envgen.structs import replace
from tests.unit.lock import samples

if TYPE_CHECKING:
    from envgen.lock.model import Lock
    from envgen.packages import Package

CHANNEL = "https://channel.example.org/built"
INDEX = "https://index.example.org/simple"
NAMES = samples.NAMES

_WORDS = {
    "torch": License(words="BSD-3-Clause", expression="BSD-3-Clause"),
    "sympy": License(words="BSD", expression="LicenseRef-BSD"),
    "idna": License(words="Apache-2.0 OR MIT", expression="Apache-2.0 OR MIT"),
    "jsonschema": License(words="see the file LICENSE"),
    "python": License(words="PSF-2.0", expression="PSF-2.0"),
}


def lock() -> Lock:
    """Make a lock for linux-64: a recipe, two channels, wheels with an extra and a local version."""
    return samples.lock()


def other() -> Lock:
    """Make the lock of the same environment for linux-aarch64: the same without torch and what it needs."""
    target = samples.spec().targets[Platform.LINUX_AARCH64]
    kept = tuple(p for p in lock().packages if p.name not in {"torch", "sympy", "numpy", "graphviz"})
    return replace(lock(), target=target, packages=kept)


def debian() -> DebianLock:
    """Make the Debian lock beside it: one package of the recipe, one of the image, one of both."""
    zlib = _deb("zlib1g", "1:1.2.13+dfsg-1")
    return DebianLock.of_uses(
        environment="sample",
        platform=Platform.LINUX_64,
        suites=["bookworm-security", "bookworm"],
        uses={"python": [_deb("python3.11"), zlib], IMAGE: [zlib]},
    )


def inputs(*locks: Lock, converted: bool = False) -> ExportInput:
    """Make what exporters are given.

    Args:
        locks: one for each platform; that for linux-64 without.
        converted: whether the channel has archives of the wheels.
    """
    chosen = locks or (lock(),)
    packages = [package for one in chosen for package in one.packages]
    return ExportInput(
        locks=chosen,
        names=NAMES,
        debian={Platform.LINUX_64: debian()},
        urls={package.sha256: _url(package) for package in packages},
        channels={
            "conda-forge": "https://conda.example.org/conda-forge",
            "./channel": "https://files.example.org/channel",
        },
        channel=CHANNEL,
        index=INDEX,
        archives={p.sha256: _archive(p) for p in packages if isinstance(p, Wheel)} if converted else {},
        licenses={package.sha256: _WORDS[package.name] for package in packages if package.name in _WORDS},
        created=dt.datetime(2026, 11, 23, tzinfo=dt.UTC),
        tool=("envgen", "0.1.0"),
    )


def _url(package: Package) -> str:
    if isinstance(package, Wheel):
        return f"https://files.example.org/{package.sha256[:2]}/{package.filename.replace('+', '%2B')}"
    if isinstance(package, ChannelPackage) and "://" in package.url:
        return package.url
    return f"{CHANNEL}/{package.subdir}/{package.filename}"


def _archive(wheel: Wheel) -> PublishedArchive:
    md5 = samples.digest(wheel.filename)[:32]
    return PublishedArchive(url=f"{CHANNEL}/linux-64/{wheel.project}-1-py311_0.conda", md5=md5, sha256=None)


def _deb(name: str, version: str = "3.11.2-6+deb12u6") -> Deb:
    return Deb(
        name=name,
        version=version,
        architecture="amd64",
        archive=DebianArchive.DEBIAN,
        path=f"pool/main/{name[0]}/{name}/{name}_{version.partition(':')[2] or version}_amd64.deb",
        sha256=samples.digest(name),
        size=100,
    )
