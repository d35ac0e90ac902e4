"""What helps where a machine is too old for a lock."""

from __future__ import annotations

import pytest

from envgen.create.fit import remedy
from envgen.lock.debian_lock import DebianLock
from envgen.platforms import Platform, PythonMinor
from envgen.structs import replace
from envgen.system.host import HostFacts
from tests.unit.lock.test_debian_lock import deb
from tests.unit.prepare.test_plan import LOCK

DEBIAN = DebianLock.of_uses(
    environment="demo", platform=Platform.LINUX_64, suites=["trixie"], uses={"python": [deb("python3.13")]}
)
REST = "`channels: [conda-forge]`, in `environments/demo.yaml` and run `envgen lock`; or use the image, `envgen image`"
LOWER = "lower it under `platforms` in `environments/demo.yaml` and run `envgen lock`, or use another machine"


@pytest.mark.parametrize(
    ("python", "glibc", "debian", "hint"),
    [
        (
            (3, 13),
            (2, 36),
            DEBIAN,
            f'write `python: "3.11"`, which needs glibc 2.34, or {REST}',
        ),
        (
            (3, 11),
            (2, 31),
            DEBIAN,
            f"write {REST}",
        ),
        ((3, 13), (2, 36), None, LOWER),
        ((3, 11), (2, 36), DEBIAN, LOWER),
    ],
)
def test_remedy(python: tuple[int, int], glibc: tuple[int, int], debian: DebianLock | None, hint: str) -> None:
    lock = replace(LOCK, source="environments/demo.yaml", target=replace(LOCK.target, python=PythonMinor(*python)))
    host = HostFacts(platform=lock.platform, glibc=glibc, archspec="x86_64_v3")
    assert remedy(lock, debian, host) == hint
