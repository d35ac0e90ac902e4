from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envgen.manifest.adjust import ADJUSTMENTS, Adjustments, adjusted, adjustments
from envgen.manifest.parse import SECTIONS, parse_spec
from envgen.metadata import WheelMetadata
from envgen.names import ProjectName
from envgen.platforms import Platform

SPEC = """\
name: x
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}, linux-aarch64: {}}
overrides:
  - NumPy <3,>=2
  - spam[Eggs] ==1 ; platform_machine == "aarch64"
constraints:
  - scipy <2
  - scipy >=1 ; sys_platform == "win32"
  - pandas
exclude: {Spam: [Eggs, bacon]}
substitutes: {opencv_python: OpenCV-Python-Headless}
conflicts: {./lib/*.so: Ruamel.Yaml, bin/tool: spam}
trust-record: {Decord: "built without\n  its manifest"}
allow-older:
  vllm: "newer ones need torch 2.9"
"""


def on(platform: Platform, text: str = SPEC) -> Adjustments:
    spec = parse_spec(text, source="environments/x.yaml")
    return adjustments(spec, spec.targets[platform])


def test_every_key_as_it_holds_on_a_platform() -> None:
    assert on(Platform.LINUX_64) == Adjustments(
        overrides={ProjectName("numpy"): ("numpy<3,>=2",), ProjectName("spam"): ()},
        constraints={ProjectName("scipy"): "<2"},
        exclude={ProjectName("spam"): (ProjectName("bacon"), ProjectName("eggs"))},
        substitutes={ProjectName("opencv-python"): ProjectName("opencv-python-headless")},
        conflicts={"bin/tool": "spam", "lib/*.so": "ruamel.yaml"},
        trust_record={ProjectName("decord"): "built without its manifest"},
        allow_older={ProjectName("vllm"): "newer ones need torch 2.9"},
    )
    assert on(Platform.LINUX_AARCH64).overrides[ProjectName("spam")] == ("spam[eggs]==1",)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("numpy <2", ["numpy>=3"]),
        ('numpy <2 ; sys_platform == "win32"', ["numpy>=3"]),
        ('numpy[x] <2 ; extra == "all"', ['numpy>=3; extra == "all"']),
        ('numpy ; python_version < "3" and extra == "all"', ['numpy>=3; extra == "all"']),
        ('numpy ; "all" == extra', ['numpy>=3; "all" == extra']),
        ('numpy ; extra == "a" or extra == "b"', ['numpy>=3; extra == "a" or extra == "b"']),
        ("dropped >=1", []),
        ("hidden", []),
        ("kept >=1", ["kept>=1"]),
        ("spam[all] ; extra == 'more'", ['spam[all]; extra == "more"']),
    ],
)
def test_requirements_of_a_wheel(declared: str, expected: list[str]) -> None:
    meta = WheelMetadata(
        name=ProjectName("spam"),
        version=Version("1"),
        requires=(Requirement(declared),),
        requires_python=SpecifierSet(),
        license=None,
    )
    overrides = {ProjectName("numpy"): ("numpy>=3",), ProjectName("dropped"): (), ProjectName("spam"): ("spam==2",)}
    exclude = {ProjectName("spam"): (ProjectName("hidden"),), ProjectName("other"): (ProjectName("kept"),)}
    found = adjusted(meta, Adjustments(overrides=overrides, exclude=exclude))
    assert list(map(str, found.requires)) == expected


def test_order_and_spelling_do_not_count() -> None:
    other = SPEC.replace("  - NumPy <3,>=2\n", "").replace("constraints:", "  - numpy>=2, <3\nconstraints:")
    assert other != SPEC
    assert on(Platform.LINUX_64, other) == on(Platform.LINUX_64)


def test_by_key_has_each_key_that_is_not_empty() -> None:
    assert on(Platform.LINUX_64).by_key().keys() == set(ADJUSTMENTS)
    assert set(ADJUSTMENTS) < set(SECTIONS)
    assert Adjustments().by_key() == {}
