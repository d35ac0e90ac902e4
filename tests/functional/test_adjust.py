"""`overrides`, `constraints`, `exclude` and `substitutes` of a spec, from the lock to the environment."""

from __future__ import annotations

from email.parser import Parser
from importlib.metadata import PathDistribution
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

LOCK = "demo.linux-64.conda-lock.yml"
HEAD = 'python: "3.11"\nplatforms: {linux-64: {glibc: "2.36"}}\ndependencies: [python]\n'
SITE = "lib/python3.11/site-packages"


@pytest.fixture(autouse=True)
def shelves(registries: Registries) -> None:
    """Offer projects that require members of one family, and some that are too strict."""
    for name, version, requires in (
        ("opencv-python", "4.12.0", ()),
        ("opencv-python", "4.10.0", ()),
        ("opencv-python-headless", "4.12.0", ()),
        ("opencv-contrib-python", "4.11.0", ()),
        ("opencv-contrib-python-headless", "4.12.0", ()),
        ("onnxruntime", "1.23.0", ()),
        ("onnxruntime-gpu", "1.23.0", ()),
        ("detector", "8.4", ("opencv-python >=4.6",)),
        ("augment", "2.0", ("opencv-python-headless >=4.9",)),
        ("augment", "0.0.0", ()),
        ("faces", "2.1", ("onnxruntime",)),
        ("faces", "0.2.1", ()),
        ("matting", "1.0", ('onnxruntime-gpu ; extra == "gpu"',)),
        ("strict", "1.0", ("eggs <1.1", "ham")),
        ("keyed", "1.0", ("oldkeys >=9",)),
        ("newkeys", "3.0", ()),
    ):
        wheel = make_wheel(
            name, version, files={f"{name.replace('-', '_')}.py": ""}, requires=requires, extras=("gpu",)
        )
        registries.index.add(wheel_filename(name, version, "py3-none-any"), wheel)
    registries.publish()


def lock(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((project.root / "locks" / LOCK).read_text())
    return found


def versions(project: Project) -> dict[str, str]:
    return {p["name"]: p["version"] for p in lock(project)["package"] if p["manager"] == "pip"}


def metadata(prefix: Path, folder: str) -> Message:
    return Parser().parsestr((prefix / SITE / folder / "METADATA").read_text())


def test_an_override_stands_for_every_requirement(project: Project, cli: Command) -> None:
    project.spec("demo", HEAD + "pypi: [strict, 'eggs >=1']\noverrides: [eggs ==1.1]\n")
    outcome = cli("lock").succeeded()
    assert versions(project) == {"strict": "1.0", "eggs": "1.1", "ham": "1.0"}
    assert "`overrides`: `eggs==1.1` in place of `eggs>=1`, which the spec (and 1 more) requires" in outcome.err
    cli("lock", "--check").succeeded()
    assert "unchanged" in cli("lock").succeeded().err
    prefix = project.root / "env"
    cli("create", "--prefix", str(prefix)).succeeded()
    assert (prefix / SITE / "eggs-1.1.dist-info/METADATA").is_file()
    project.spec("demo", HEAD + "pypi: [strict, 'eggs >=1']\noverrides: [eggs ==2.0]\n")
    outcome = cli("lock", "--check")
    assert outcome.code == 1
    assert "`overrides.eggs` is `eggs==2.0`, in the lock `eggs==1.1`" in outcome.err


def test_an_override_for_no_machine_drops_a_project(project: Project, cli: Command) -> None:
    project.spec("demo", HEAD + "pypi: [strict]\noverrides: ['ham ; sys_platform == \"never\"']\n")
    outcome = cli("lock").succeeded()
    assert versions(project) == {"strict": "1.0", "eggs": "1.0"}
    assert "`overrides`: nothing in place of `ham`, which `strict` 1.0 requires" in outcome.err
    cli("lock", "--check").succeeded()


def test_an_explanation_tells_what_is_overridden_and_what_stands_in(project: Project, cli: Command) -> None:
    project.spec(
        "demo",
        HEAD + "pypi: [strict, old-eggs-only, augment, opencv-python-headless ==9]\noverrides: [eggs ==7]\n"
        "substitutes: {opencv-python-headless: opencv-python}\n",
    )
    outcome = cli("lock")
    assert outcome.code == 3
    assert "`opencv-python` is used in place of `opencv-python-headless` by `substitutes`" in outcome.err
    project.spec("demo", HEAD + "pypi: [strict]\noverrides: [eggs ==7]\n")
    outcome = cli("lock")
    assert outcome.code == 3
    assert "`eggs==7` is set under `overrides`" in outcome.err


def test_a_constraint_narrows_and_asks_for_nothing(project: Project, cli: Command) -> None:
    project.spec("demo", HEAD + "pypi: [spam]\nconstraints: [eggs <2, ham >1]\n")
    outcome = cli("lock").succeeded()
    assert versions(project) == {"spam": "1.1", "eggs": "1.1"}
    assert "`constraints`: `eggs<2` allows 1.1; without it, 2.0 would be allowed\n" in outcome.err
    assert "warning: `constraints`: `ham>1` has no effect: `ham` is not locked" in outcome.err
    cli("lock", "--check").succeeded()


def test_a_constraint_that_nothing_meets_is_named(project: Project, cli: Command) -> None:
    project.spec("demo", HEAD + "pypi: [new-eggs-only]\nconstraints: [eggs <2]\n")
    outcome = cli("lock")
    assert outcome.code == 3
    assert "  `constraints: eggs<2` in the spec\n" in outcome.err


def test_an_excluded_dependency_is_left_out(project: Project, cli: Command) -> None:
    project.spec("demo", HEAD + "pypi: [strict]\nexclude: {strict: [ham], spam: [eggs]}\n")
    outcome = cli("lock").succeeded()
    assert versions(project) == {"strict": "1.0", "eggs": "1.0"}
    assert "`exclude`: `ham`, which `strict` 1.0 requires, is excluded" in outcome.err
    assert "warning: `exclude.spam` has no effect: no wheel of `spam` is locked" in outcome.err
    cli("lock", "--check").succeeded()
    cli("create", "--prefix", str(project.root / "env")).succeeded()


def test_what_a_package_does_not_require_cannot_be_excluded(project: Project, cli: Command) -> None:
    project.spec("demo", HEAD + "pypi: [strict]\nexclude: {strict: [bacon]}\n")
    outcome = cli("lock").succeeded()
    assert "warning: `exclude.strict` has no effect: `strict` 1.0 does not require `bacon`" in outcome.err


def test_a_substitute_is_found_under_both_names(project: Project, cli: Command) -> None:
    project.spec(
        "demo",
        HEAD + "pypi: [detector, augment]\nsubstitutes: {opencv-python: opencv-python-headless}\n",
    )
    outcome = cli("lock").succeeded()
    assert versions(project) == {"detector": "8.4", "augment": "2.0", "opencv-python-headless": "4.12.0"}
    assert (
        "`substitutes`: `opencv-python-headless` is used in place of `opencv-python`, which `detector` 8.4 requires"
        in outcome.err
    )
    cli("lock", "--check").succeeded()
    assert "unchanged" in cli("lock").succeeded().err
    prefix = project.root / "env"
    cli("create", "--prefix", str(prefix)).succeeded()
    folder = prefix / SITE / "opencv_python-4.12.0.dist-info"
    assert PathDistribution(folder).version == "4.12.0"
    assert metadata(prefix, folder.name)["Requires-Dist"] == "opencv-python-headless ==4.12.0"
    assert {str(file) for file in PathDistribution(folder).files or ()} == {
        f"{folder.name}/{name}" for name in ("INSTALLER", "METADATA", "RECORD")
    }
    again = project.root / "again"
    cli("create", "--prefix", str(again)).succeeded()
    assert (again / SITE / folder.name / "RECORD").read_bytes() == (folder / "RECORD").read_bytes()


def test_a_substitute_of_another_family_is_taken_whatever_its_version(project: Project, cli: Command) -> None:
    project.spec("demo", HEAD + "pypi: [keyed]\nsubstitutes: {oldkeys: newkeys}\n")
    cli("lock").succeeded()
    assert versions(project) == {"keyed": "1.0", "newkeys": "3.0"}
    cli("lock", "--check").succeeded()
    prefix = project.root / "env"
    cli("create", "--prefix", str(prefix)).succeeded()
    assert PathDistribution(prefix / SITE / "oldkeys-3.0.dist-info").version == "3.0"


def test_a_substitute_that_nothing_needs_is_told(project: Project, cli: Command) -> None:
    project.spec("demo", HEAD + "pypi: [eggs]\nsubstitutes: {oldkeys: newkeys}\n")
    outcome = cli("lock").succeeded()
    assert versions(project) == {"eggs": "2.0"}
    assert "warning: `substitutes.oldkeys` has no effect: no locked package requires `oldkeys`" in outcome.err


@pytest.mark.parametrize(
    ("pypi", "chosen", "stands_for"),
    [
        ("detector, augment", "opencv-python", ["opencv-python-headless"]),
        ("opencv-python, opencv-contrib-python", "opencv-contrib-python", ["opencv-python"]),
        (
            "opencv-python, opencv-contrib-python-headless",
            "opencv-contrib-python",
            ["opencv-contrib-python-headless", "opencv-python"],
        ),
        (
            "augment, opencv-contrib-python-headless",
            "opencv-contrib-python-headless",
            ["opencv-python-headless"],
        ),
    ],
)
def test_the_member_of_a_family_that_holds_all_is_chosen(
    project: Project, cli: Command, pypi: str, chosen: str, stands_for: list[str]
) -> None:
    project.spec("demo", HEAD + f"pypi: [{pypi}]\n")
    outcome = cli("lock").succeeded()
    assert [name for name in versions(project) if name.startswith("opencv")] == [chosen]
    for name in stands_for:
        assert outcome.err.count(f"`{chosen}` is used in place of `{name}`, which") == 1
    says_smaller = f"(`substitutes: {{{chosen}: {stands_for[0]}}}` selects the smaller one)" in outcome.err
    assert says_smaller == (chosen not in pypi and len(stands_for) == 1)
    assert yaml.safe_load(lock(project)["metadata"]["custom_metadata"][f"envgen.stands-for.{chosen}"]) == stands_for
    cli("lock", "--check").succeeded()
    assert "unchanged" in cli("lock").succeeded().err
    prefix = project.root / "env"
    cli("create", "--prefix", str(prefix)).succeeded()
    for name in stands_for:
        found = list((prefix / SITE).glob(f"{name.replace('-', '_')}-4*.dist-info"))
        assert [PathDistribution(folder).version for folder in found] == [versions(project)[chosen]]


def test_a_stand_in_that_nothing_needs_any_more_makes_a_lock_stale(project: Project, cli: Command) -> None:
    project.spec("demo", HEAD + "pypi: [detector, augment]\n")
    cli("lock").succeeded()
    project.spec("demo", HEAD + "pypi: [detector]\n")
    outcome = cli("lock", "--check")
    assert outcome.code == 1
    assert (
        "`opencv-python` is used in place of `opencv-python-headless`, but nothing requires `opencv-python-headless`"
        in outcome.err
    )


def test_members_of_which_none_holds_the_other_are_an_error(project: Project, cli: Command) -> None:
    project.spec("demo", HEAD + "pypi: ['matting[gpu]', faces]\n")
    outcome = cli("lock")
    assert outcome.code == 3
    assert (
        "error: `onnxruntime` and `onnxruntime-gpu` contain the same module, and none of them contains "
        "all of the others:\n"
        "  `faces` in the spec\n"
        "  └─ faces 2.1 requires `onnxruntime`\n"
        "  `matting[gpu]` in the spec\n"
        "  └─ matting 1.0 requires `onnxruntime-gpu`\n"
        "hint: choose one in the spec: `substitutes: {onnxruntime-gpu: onnxruntime}` or "
        "`substitutes: {onnxruntime: onnxruntime-gpu}`\n"
    ) in outcome.err
    project.spec("demo", HEAD + "pypi: ['matting[gpu]', faces]\nsubstitutes: {onnxruntime: onnxruntime-gpu}\n")
    cli("lock").succeeded()
    assert versions(project) == {"matting": "1.0", "faces": "2.1", "onnxruntime-gpu": "1.23.0"}


def test_versions_are_asked_of_the_member_that_stands_in(project: Project, cli: Command) -> None:
    project.spec("demo", HEAD + "pypi: [opencv-python ==4.10.0, augment]\n")
    cli("lock").succeeded()
    assert versions(project) == {"augment": "2.0", "opencv-python": "4.10.0"}
    project.spec("demo", HEAD + "pypi: [opencv-python ==4.10.0, opencv-python-headless ==4.12.0]\n")
    outcome = cli("lock")
    assert outcome.code == 3
    assert "`opencv-python` is used in place of `opencv-python-headless`: both contain the same module" in outcome.err


def test_why_and_list_tell_what_the_spec_adjusts(project: Project, cli: Command) -> None:
    project.spec(
        "demo",
        HEAD + "pypi: [strict, detector, augment]\noverrides: [eggs ==1.1]\nconstraints: [ham <9]\n"
        "exclude: {spam: [ham]}\nallow-older: {strict: no newer one was tried}\n",
    )
    cli("lock").succeeded()
    assert "  `overrides`: every requirement on it is `eggs==1.1`\n" in cli("why", "eggs").succeeded().out
    told = cli("why", "ham").succeeded().out
    assert "  `constraints`: `ham<9`\n  `exclude`: `spam` is treated as not requiring it\n" in told
    assert "  `allow-older`: no newer one was tried\n" in cli("why", "strict").succeeded().out
    told = cli("why", "opencv-python-headless").succeeded().out
    assert told.startswith("linux-64: opencv-python 4.12.0 (wheel)\n")
    assert "  it is used in place of `opencv-python-headless`\n" in told
    (found,) = cli("why", "opencv-python", "--json").succeeded().json()["linux-64"]
    assert found["adjustments"] == ["it is used in place of `opencv-python-headless`"]
    assert "opencv-python (for opencv-python-headless)" in cli("list").succeeded().out
    document = cli("export", "cyclonedx", "--offline").succeeded().json()
    (component,) = [c for c in document["components"] if c["name"] == "opencv-python"]
    made_to_accept = document["metadata"]["component"]["properties"]
    assert {"name": "envgen:overrides.eggs", "value": "eggs==1.1"} in made_to_accept
    assert {"name": "envgen:stands-for", "value": "opencv-python-headless"} in component["properties"]


def test_an_override_counts_where_a_marker_left_the_requirement_out(
    project: Project, cli: Command, registries: Registries
) -> None:
    """As it does for uv."""
    wheel = make_wheel("marked", files={"marked.py": ""}, requires=('ham ; sys_platform == "win32"',))
    registries.index.add(wheel_filename("marked", "1.0", "py3-none-any"), wheel)
    registries.publish()
    project.spec("demo", HEAD + "pypi: [marked]\noverrides: [ham ==1.0]\n")
    outcome = cli("lock").succeeded()
    assert versions(project) == {"marked": "1.0", "ham": "1.0"}
    assert "warning" not in outcome.err
    cli("create", "--prefix", str(project.root / "env")).succeeded()


@pytest.mark.parametrize(
    ("pypi", "old", "override"),
    [
        ("detector, augment", "opencv-python-headless", "opencv-python ==4.10.0"),
        ("keyed", "oldkeys", "newkeys ==2.0"),
    ],
)
def test_an_override_of_what_stands_in(  # noqa: PLR0917  fixtures, and what differs
    project: Project, cli: Command, registries: Registries, pypi: str, old: str, override: str
) -> None:
    name, _, version = override.partition(" ==")
    registries.index.add("newkeys-2.0-py3-none-any.whl", make_wheel("newkeys", "2.0", files={"newkeys.py": ""}))
    registries.publish()
    project.spec("demo", HEAD + f"pypi: [{pypi}]\nsubstitutes: {{{old}: {name}}}\noverrides: [{override}]\n")
    outcome = cli("lock").succeeded()
    assert "no effect" not in outcome.err
    assert versions(project)[name] == version
    assert yaml.safe_load(lock(project)["metadata"]["custom_metadata"][f"envgen.stands-for.{name}"]) == [old]
    cli("lock", "--check").succeeded()
    cli("create", "--prefix", str(project.root / "env")).succeeded()
