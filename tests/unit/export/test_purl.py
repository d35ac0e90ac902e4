from __future__ import annotations

import pytest

from envgen.debs import Deb, DebianArea
from envgen.digest import Sha256
from envgen.export.parts import parts_of
from envgen.export.purl import debian_purl
from envgen.lock.debian_lock import IMAGE, BaseRequest, DebianLock
from envgen.packages import PackageKind
from envgen.platforms import Platform
from envgen.structs import replace
from tests.unit.export import samples


def deb(name: str) -> Deb:
    return Deb(
        name=name,
        version="1.0-1",
        architecture="amd64",
        archive=DebianArea.DEBIAN,
        path=f"pool/main/x/{name}.deb",
        sha256=Sha256.of(name.encode()),
        size=1,
    )


LOCK = DebianLock.of_uses(
    environment="sample",
    platform=Platform.LINUX_64,
    suites=["bookworm", "bookworm-updates", "trixie", "trixie-security"],
    uses={"python": [deb("python3.11"), deb("zlib1g")], IMAGE: [deb("libc6"), deb("zlib1g")]},
    base=BaseRequest(suites=("trixie", "trixie-security"), packages=("libc6",), exclude=()),
    recipe_suites={"python": ["bookworm", "bookworm-updates"]},
)


@pytest.mark.parametrize(
    ("suites", "release"),
    [(["bookworm-security", "bookworm"], "bookworm"), (["trixie-updates", "trixie"], "trixie"), ([], "")],
)
def test_the_release_is_what_the_other_suites_are_updates_of(suites: list[str], release: str) -> None:
    (package, *_) = LOCK.packages
    tail = f"&distro={release}" if release else ""
    assert debian_purl(package, suites) == f"pkg:deb/debian/libc6@1.0-1?arch=amd64{tail}"


def test_each_package_is_of_the_release_of_who_uses_it() -> None:
    inputs = replace(samples.inputs(), debian={Platform.LINUX_64: LOCK})
    found = {
        part.name: part.purl.rpartition("distro=")[2] for part in parts_of(inputs) if part.kind is PackageKind.DEBIAN
    }
    assert found == {"libc6": "trixie", "python3.11": "bookworm", "zlib1g": "trixie"}
