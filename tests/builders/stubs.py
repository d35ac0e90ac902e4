"""Stand-ins for CPython: packages whose `python3.11` is a script that starts the interpreter of the test run.

The script passes its own path on as `argv[0]`, so CPython finds the `pyvenv.cfg` of the environment that the script
stands in: `sys.prefix` and site-packages are the environment's, the standard library is the test run's. Nothing in
it is compiled, so one script serves every architecture, and wheels can be imported without a network.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.builders.channel import CondaPackage
from tests.builders.debian import Deb
from tests.builders.tree import File, Link

BASE_PYTHON = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
"""The interpreter behind the virtual environment of the test run."""


def python_script() -> bytes:
    """Write the stand-in for `bin/python3.11`; bash, since POSIX `exec` cannot set `argv[0]`."""
    return f'#!/bin/bash\nexec -a "$0" "{BASE_PYTHON}" "$@"\n'.encode()


def conda_python(*, version: str = "3.11.9", subdir: str = "linux-64") -> tuple[CondaPackage, ...]:
    """Make `python` and `python_abi` of a conda channel."""
    python = CondaPackage(
        name="python",
        version=version,
        build="0_cpython",
        subdir=subdir,
        depends=("python_abi 3.11.* *_cp311",),
        files={
            "bin/python3.11": File(python_script(), 0o755),
            "bin/python3": Link("python3.11"),
            "bin/python": Link("python3.11"),
            "pyvenv.cfg": File(f"home = {BASE_PYTHON.parent}\ninclude-system-site-packages = false\n".encode()),
        },
    )
    abi = CondaPackage(
        name="python_abi", version="3.11", build="8_cp311", build_number=8, subdir="noarch", noarch="generic"
    )
    return python, abi


def debian_python(architecture: str, *, version: str = "3.11.2-6+deb12u9") -> tuple[Deb, ...]:
    """Make Debian's packages of Python: what the security archive has of them."""
    needs = f"libpython3.11-stdlib (= {version}), libc6 (>= 2.36)"
    return (
        Deb(
            name="python3.11",
            version=version,
            architecture=architecture,
            fields={"Depends": f"python3.11-minimal (= {version}), {needs}, media-types | mime-support"},
        ),
        Deb(
            name="python3.11-minimal",
            version=version,
            architecture=architecture,
            files={"usr/bin/python3.11": File(python_script(), 0o755)},
            fields={"Source": "python3.11", "Pre-Depends": "libc6 (>= 2.36)", "Depends": "zlib1g (>= 1:1.2.0)"},
        ),
        Deb(
            name="libpython3.11-stdlib",
            version=version,
            architecture=architecture,
            files={"usr/lib/python3.11/about.txt": File(b"the standard library is the test run's own\n")},
            fields={"Source": "python3.11"},
        ),
    )


def debian_libraries(architecture: str, *, zlib: str = "1:1.2.13.dfsg-1") -> tuple[Deb, ...]:
    """Make what Debian's Python needs of the main archive."""
    return (
        Deb(
            name="zlib1g",
            version=zlib,
            architecture=architecture,
            files={"usr/share/zlib/version": File(zlib.encode())},
            fields={"Source": "zlib", "Depends": "libc6 (>= 2.14)", "Multi-Arch": "same"},
        ),
        Deb(name="media-types", version="10.0.0", architecture="all", fields={"Multi-Arch": "foreign"}),
        Deb(name="libc6", version="2.36-9+deb12u10", architecture=architecture),
    )


RECIPE = {
    "recipes/python/debian.yaml": """\
name: python
version-from: python3.11-minimal
summary: a stand-in for CPython
license: PSF-2.0
home: https://example.org/python
suites: [bookworm, bookworm-security]
packages: [python3.11]
links:
  bin/python: opt/debian/usr/bin/python3.11
  bin/python3: opt/debian/usr/bin/python3.11
  bin/python3.11: opt/debian/usr/bin/python3.11
files:
  pyvenv.cfg: pyvenv.cfg
depends:
  - python_abi ${{ minor }}.* *_cp311
  - __glibc >=2.36
outputs:
  - name: python_abi
    version: ${{ minor }}
    build: 8_cp311
    constrains: ["python ${{ minor }}.*"]
""",
    "recipes/python/pyvenv.cfg": """\
home = ${{ prefix }}/${{ debian }}/usr/bin
include-system-site-packages = false
version = ${{ version }}
""",
}
"""A recipe that takes the stand-in from those packages: path in a project -> text. It hides the one that ships."""
