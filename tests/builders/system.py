"""Stand-ins for the Debian packages below an environment in an image: a few bytes for each."""

from __future__ import annotations

from envgen.manifest.image_spec import PACKAGES
from envgen.platforms import Platform
from tests.builders.debian import Deb
from tests.builders.tree import File, Link

_MULTIARCH = {platform.debian_arch: platform.multiarch for platform in (Platform.LINUX_64, Platform.LINUX_AARCH64)}

_FILES: dict[str, dict[str, File | Link]] = {
    "base-files": {
        "etc/debian_version": File(b"12.0\n"),
        "usr/lib/os-release": File(b"ID=debian\n"),
        "etc/os-release": Link("../usr/lib/os-release"),
        "usr/share/base-files/profile": File(b"PATH=/usr/bin:/bin\n"),
    },
    "bash": {"bin/bash": File(b"#!bash\n", 0o755), "usr/share/locale/de/bash.mo": File(b"dropped")},
    "ca-certificates": {
        "usr/share/ca-certificates/mozilla/B.crt": File(b"second"),
        "usr/share/ca-certificates/mozilla/A.crt": File(b"first\n"),
        "usr/share/doc/ca-certificates/copyright": File(b"free\n"),
        "usr/share/doc/ca-certificates/changelog": File(b"dropped"),
    },
    "coreutils": {"bin/ls": File(b"#!ls\n", 0o755), "usr/bin/env": File(b"#!env\n", 0o4755)},
    "debianutils": {"usr/bin/which.debianutils": File(b"#!which\n", 0o755)},
    "g++": {"usr/bin/g++": File(b"#!g++\n", 0o755), "usr/bin/gcc": File(b"#!gcc\n", 0o755)},
    "libc-bin": {"usr/share/libc-bin/nsswitch.conf": File(b"passwd: files\n")},
    "tini": {"usr/bin/tini": File(b"#!tini\n", 0o755)},
}


def base_debs(architecture: str) -> tuple[Deb, ...]:
    """Make every package that a base has by default; one of them needs debconf, which no base has."""
    names = [text.partition(" ")[0] for text in PACKAGES if "[" not in text or architecture in text]
    return tuple(_package(name, architecture) for name in names)


def _package(name: str, architecture: str) -> Deb:
    files = dict(_FILES.get(name, {}))
    if name == "libc6-dev":
        files[f"usr/lib/{_MULTIARCH[architecture]}/crt1.o"] = File(b"start")
    fields = {"Depends": "debconf (>= 0.5) | debconf-2.0"} if name == "openssh-server" else {}
    return Deb(name=name, version="1.0-1", architecture=architecture, files=files, fields=fields)
