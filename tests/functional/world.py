"""What the loopback registries of the functional tests offer.

spam 1.0, 1.1          a command `spam`; needs eggs (1.1: `>=1.1`)
eggs 1.0, 1.1, 2.0     pure
ham 1.0                extra `bacon` brings bacon 1.0
pip 1.0                a stand-in: `envgen init` asks for it
plated 1.0             a wheel for x86-64 alone
futuristic 1.0         a wheel for glibc 2.98
unbuilt 1.0            an sdist and no wheel
old-eggs-only, new-eggs-only    cannot be together
chain-top              needs chain-middle, which needs a project that is not there
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from tests.builders.stubs import conda_python, debian_libraries, debian_python
from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from tests.builders.registries import Registries

SPAM = """
import sys
import eggs

def main():
    print("spam with eggs", eggs.version, *sys.argv[1:])
"""


def fill(registries: Registries) -> None:
    """Add all packages to the registries and publish them."""
    for filename, wheel in _wheels().items():
        registries.index.add(filename, wheel)
    registries.index.add("unbuilt-1.0.tar.gz", b"not a wheel")
    for architecture in ("amd64", "arm64"):
        registries.security.add(*debian_python(architecture))
        registries.debian.add(*debian_libraries(architecture))
    registries.channel.add(*conda_python(), *conda_python(subdir="linux-aarch64"))
    registries.publish()


def supersede(registries: Registries) -> str:
    """Replace a library in the Debian archive by a newer version, as a point release does, and name it."""
    registries.debian.remove("zlib1g", "media-types", "libc6")
    for architecture in ("amd64", "arm64"):
        registries.debian.add(*debian_libraries(architecture, zlib="1:1.2.13.dfsg-2"))
    registries.publish()
    return "zlib1g"


def eggs(version: str) -> tuple[str, bytes]:
    """Make a wheel of eggs that knows its version."""
    return _wheel("eggs", version, code=f'version = "{version}"\n')


@functools.cache
def _wheels() -> dict[str, bytes]:
    return dict(
        [
            *(eggs(version) for version in ("1.0", "1.1", "2.0")),
            _wheel("spam", "1.0", code=SPAM, requires=("eggs",), script="spam:main"),
            _wheel("spam", "1.1", code=SPAM, requires=("eggs >=1.1",), script="spam:main"),
            _wheel("ham", requires=('bacon ; extra == "bacon"',), extras=("bacon",)),
            _wheel("bacon"),
            _wheel("pip"),
            _wheel("plated", tag="cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"),
            _wheel("futuristic", tag="cp311-cp311-manylinux_2_98_x86_64"),
            _wheel("old-eggs-only", requires=("eggs <2",)),
            _wheel("new-eggs-only", requires=("eggs >=2",)),
            _wheel("chain-top", requires=("chain-middle",)),
            _wheel("chain-middle", requires=("nowhere-to-be-found",)),
        ]
    )


def _wheel(
    name: str,
    version: str = "1.0",
    *,
    code: str = "",
    requires: tuple[str, ...] = (),
    extras: tuple[str, ...] = (),
    tag: str = "py3-none-any",
    script: str | None = None,
) -> tuple[str, bytes]:
    module = name.replace("-", "_")
    wheel = make_wheel(
        name,
        version,
        files={f"{module}.py": code},
        requires=requires,
        extras=extras,
        tag=tag,
        entry_points={name: script} if script else None,
        licenses={"LICENSE": f"{name} may be used\n"},
    )
    return wheel_filename(name, version, tag), wheel
