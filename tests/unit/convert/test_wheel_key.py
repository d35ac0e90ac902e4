"""The store key of a wheel's package."""

from __future__ import annotations

from envgen.convert.wheel_key import package_key
from envgen.names import CondaName, NameTable, project_name
from envgen.platforms import Platform, PythonMinor, Target
from envgen.structs import replace
from tests.builders.wheels import locked_wheel

TARGET = Target(platform=Platform.LINUX_64, python=PythonMinor(3, 11), glibc=(2, 36))
NAMES = NameTable(
    renamed={project_name("torch"): CondaName("pytorch")}, clashes={project_name("spam"): (CondaName("libspam"),)}
)


def test_key_holds_what_determines_the_bytes() -> None:
    wheel = locked_wheel(b"", "spam", requires={"torch": ">=2"})
    key = package_key(wheel, target=TARGET, names=NAMES)
    assert key.startswith(f"spam-1.0-py311_h{wheel.sha256[:8]}_0-")
    others = [
        package_key(replace(wheel, sha256=locked_wheel(b"x", "spam").sha256), target=TARGET, names=NAMES),
        package_key(wheel, target=replace(TARGET, platform=Platform.LINUX_AARCH64), names=NAMES),
        package_key(wheel, target=replace(TARGET, python=PythonMinor(3, 12)), names=NAMES),
        package_key(wheel, target=TARGET, names=NameTable()),
        package_key(wheel, target=TARGET, names=NAMES, python_full="3.11.2"),
        package_key(wheel, target=TARGET, names=NAMES, trusted=True),
    ]
    assert len({key, *others}) == 7
    assert package_key(wheel, target=replace(TARGET, cuda="12.8"), names=NAMES) == key
