"""A lock whose spec, recipes and Debian packages did not change is not solved again; every change is noticed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.builders.channel import CondaPackage
from tests.builders.system import base_debs
from tests.builders.tree import File
from tests.functional import world
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Outcome, Project

LOCK = "demo.linux-64.conda-lock.yml"
DEBIAN_LOCK = "demo.linux-64.debian-lock.yml"
IMAGE = "image: {base: {suites: [bookworm, bookworm-security]}}\n"


def asked(registries: Registries, cli: Command, *words: str, cache: Path | None = None) -> tuple[Outcome, list[str]]:
    """Run a command, and list what it asked the registries for."""
    registries.server.requests.clear()
    own = str(cache) if cache else cli.variables["ENVGEN_CACHE"]
    return cli(*words, ENVGEN_CACHE=own).succeeded(), registries.server.paths()


def pages(paths: list[str]) -> list[str]:
    return [path for path in paths if "/simple/" in path]


def test_only_releases_of_debian_are_asked(locked: Project, cli: Command, registries: Registries) -> None:
    registries.index.add(*world.eggs("1.5"))
    registries.publish()
    before = locked.locks()
    outcome, paths = asked(registries, cli, "lock")
    assert {path.rpartition("/")[2] for path in paths} == {"InRelease"}
    assert f"locks/{LOCK}: unchanged, " in outcome.err
    assert "(indexes not asked, `--refresh` asks them)" in outcome.err
    assert locked.locks() == before


def test_a_fresh_clone_needs_no_index_and_no_package(locked: Project, cli: Command, registries: Registries) -> None:
    fresh = cli.directory.parent / "fresh"
    before = locked.locks()
    _, paths = asked(registries, cli, "lock", cache=fresh)
    assert not [path for path in paths if "/simple/" in path or path.endswith((".deb", ".whl", ".metadata"))]
    assert locked.locks() == before


def test_refresh_asks_all_indexes_and_keeps_what_is_offered(
    locked: Project, cli: Command, registries: Registries
) -> None:
    before = locked.locks()
    outcome, paths = asked(registries, cli, "lock", "--refresh")
    assert pages(paths)
    assert "indexes not asked" not in outcome.err
    assert locked.locks() == before


def test_wheels_judged_in_a_fresh_clone_are_not_judged_again(
    locked: Project, cli: Command, registries: Registries
) -> None:
    fresh = cli.directory.parent / "fresh"
    asked(registries, cli, "lock", "--refresh", cache=fresh)
    shutil.rmtree(fresh / "cache/wheel-directories")  # else they are read without a request
    _, paths = asked(registries, cli, "lock", "--refresh", cache=fresh)
    assert pages(paths)
    assert not [path for path in paths if path.endswith(".whl")]


def test_json_says_whether_it_was_solved(locked: Project, cli: Command) -> None:
    assert [one["solved"] for one in cli("lock", "--json").succeeded().json()] == [False]
    assert [one["solved"] for one in cli("lock", "--json", "--refresh").succeeded().json()] == [True]


def test_check_asks_nothing_and_refresh_asks_all(locked: Project, cli: Command) -> None:
    outcome = cli("lock", "--check", "--refresh")
    assert outcome.code == 2
    assert "`--check` and `--refresh` cannot be combined" in outcome.err


CHANGES = {
    "another requirement": lambda text: text.replace("eggs <2", "eggs <2, ham"),
    "a looser requirement": lambda text: text.replace("eggs <2", "eggs <3"),
    "a day": lambda text: text + "exclude-newer: 2090-01-01\n",
    "CUDA": lambda text: text.replace('glibc: "2.36"', 'glibc: "2.36", cuda: "12.8"'),
    "glibc": lambda text: text.replace("2.36", "2.37"),
    "an override": lambda text: text + "overrides: [eggs <2]\n",
    "an exception": lambda text: text + 'allow-older: {eggs: "a reason"}\n',
    "trust": lambda text: text + 'trust-record: {eggs: "a reason"}\n',
    "an image": lambda text: text + IMAGE,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_spec_is_solved(change: str, locked: Project, cli: Command, registries: Registries) -> None:
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    apply: Callable[[str], str] = CHANGES[change]
    locked.spec("demo", apply(SPEC))
    assert pages(asked(registries, cli, "lock")[1])
    assert not pages(asked(registries, cli, "lock")[1])


def test_a_comment_and_another_order_change_nothing(locked: Project, cli: Command, registries: Registries) -> None:
    locked.spec("demo", "# new\n" + SPEC.replace("spam ==1.0, eggs <2", "eggs<2, Spam == 1.0"))
    assert not pages(asked(registries, cli, "lock")[1])


def test_an_image_that_the_spec_dropped_leaves_the_lock(demo: Project, cli: Command, registries: Registries) -> None:
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    demo.spec("demo", SPEC + IMAGE)
    cli("lock").succeeded()
    assert not pages(asked(registries, cli, "lock")[1])
    demo.spec("demo", SPEC)
    cli("lock").succeeded()
    assert "image" not in yaml.safe_load(demo.locks()[DEBIAN_LOCK])


def test_a_changed_recipe_is_solved(locked: Project, cli: Command, registries: Registries) -> None:
    recipe = locked.root / "recipes/python/debian.yaml"
    recipe.write_text(recipe.read_text() + "# changed\n")
    before = locked.locks()
    assert pages(asked(registries, cli, "lock")[1])
    assert locked.locks() != before


def test_a_recipe_for_a_locked_wheel_is_noticed(locked: Project, cli: Command, registries: Registries) -> None:
    locked.write(
        "recipes/eggs/recipe.yaml",
        'package: {name: eggs, version: "9"}\nbuild: {noarch: generic, script: [mkdir -p $PREFIX/x]}\n'
        "about: {license: MIT}\n",
    )
    assert pages(asked(registries, cli, "lock")[1])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# Made by", "# Hand-made by"),
        ("- name: eggs\n", "- name: eggs  # the best\n"),
        ("envgen.format: '2'", "envgen.format: '1'"),
        ("envgen.request: ", "envgen.request: 0000"),
    ],
)
def test_a_file_of_another_text_is_written_again(old: str, new: str, locked: Project, cli: Command) -> None:
    lock, before = locked.root / "locks" / LOCK, locked.locks()
    text = lock.read_text().replace(old, new)
    if "request" in old:
        start = text.index(new) + len("envgen.request: ")
        text = text[: start + 4] + text[start + 8 :]
    assert text != lock.read_text()
    lock.write_text(text)
    cli("lock").succeeded()
    assert locked.locks() == before


def test_a_replaced_deb_is_noticed(locked: Project, cli: Command, registries: Registries) -> None:
    moved = world.supersede(registries)
    outcome = cli("lock").succeeded()
    assert f"Debian no longer offers `{moved}`" in outcome.err
    assert outcome.err.count("Debian no longer offers") == 1


def test_an_expired_release_is_still_refused(locked: Project, cli: Command, registries: Registries) -> None:
    registries.server.content = {}
    assert cli("lock").code == 4


def test_remarks_are_repeated_from_the_lock(demo: Project, cli: Command, registries: Registries) -> None:
    demo.spec("demo", SPEC + "overrides: [eggs <2, nobody ==1]\nconstraints: [spam <9]\n")
    first = cli("lock").succeeded().err
    told = sorted(line for line in first.splitlines() if "nobody" in line or "`overrides`" in line)
    assert told
    for cache in (None, cli.directory.parent / "fresh"):
        outcome, paths = asked(registries, cli, "lock", cache=cache)
        assert not pages(paths)
        assert sorted(line for line in outcome.err.splitlines() if "nobody" in line or "`overrides`" in line) == told


def test_a_lock_without_its_remarks_is_solved_once(demo: Project, cli: Command, registries: Registries) -> None:
    demo.spec("demo", SPEC + "overrides: [eggs <2, nobody ==1]\n")
    cli("lock").succeeded()
    lock, before = demo.root / "locks" / LOCK, demo.locks()
    lock.write_text("".join(line for line in lock.read_text().splitlines(keepends=True) if "envgen.told" not in line))
    assert demo.locks() != before
    assert pages(asked(registries, cli, "lock")[1])
    assert demo.locks() == before


def test_what_debian_recipes_build_is_taken_from_the_lock(
    locked: Project, cli: Command, registries: Registries
) -> None:
    before = locked.locks()
    fresh = cli.directory.parent / "fresh"
    _, paths = asked(registries, cli, "lock", "--refresh", cache=fresh)
    assert pages(paths)
    assert not [path for path in paths if path.endswith(".deb")]
    assert locked.locks() == before
    cli("create", ENVGEN_CACHE=str(fresh)).succeeded()


def test_a_package_for_python_is_not_judged_without_python(
    project: Project, cli: Command, registries: Registries
) -> None:
    project.write(
        "recipes/tool/recipe.yaml",
        'package: {name: tool, version: "1"}\nbuild:\n  noarch: python\n  script:\n'
        "    - mkdir -p $PREFIX/site-packages && touch $PREFIX/site-packages/tool.py\n"
        "requirements: {run: [python]}\nabout: {license: MIT}\n",
    )
    project.spec("demo", SPEC.replace("[python]", "[python, tool]"))
    cli("lock").succeeded()
    before = project.locks()
    _, paths = asked(registries, cli, "lock", "--refresh", cache=cli.directory.parent / "fresh")
    assert not [path for path in paths if path.endswith(".deb")]
    assert project.locks() == before


@pytest.mark.parametrize("words", [("--upgrade", "python"), ("--upgrade", "python_abi"), ("--upgrade",)])
def test_what_is_upgraded_is_built(
    words: tuple[str, ...], locked: Project, cli: Command, registries: Registries
) -> None:
    fresh = cli.directory.parent / "fresh"
    _, paths = asked(registries, cli, "lock", *words, cache=fresh)
    assert [path for path in paths if path.endswith(".deb")]


def test_new_wheels_are_held_against_what_recipes_build(locked: Project, cli: Command, registries: Registries) -> None:
    locked.spec("demo", SPEC.replace("eggs <2", "eggs <2, ham"))
    fresh = cli.directory.parent / "fresh"
    _, paths = asked(registries, cli, "lock", cache=fresh)
    assert [path for path in paths if path.endswith(".deb")]


def test_digests_that_were_changed_in_the_lock_are_not_believed_beside_a_build(locked: Project, cli: Command) -> None:
    lock, before = locked.root / "locks" / LOCK, locked.locks()
    content = yaml.safe_load(before[LOCK])["metadata"]["custom_metadata"]["envgen.content.python"]
    lock.write_text(lock.read_text().replace(content, "ab" * 32))
    cli("lock", "--refresh").succeeded()
    assert locked.locks() == before


def test_a_package_that_left_its_channel_names_the_remedy(
    project: Project, cli: Command, registries: Registries
) -> None:
    registries.channel.add(CondaPackage(name="tool", files={"share/tool": File(b"1")}))
    registries.publish()
    project.spec("demo", SPEC.replace("[python]", "[python, tool]") + f"channels: [{registries.channel_url}]\n")
    cli("lock").succeeded()
    assert isinstance(registries.server.content, dict)
    for path in [path for path in registries.server.content if "/tool-" in path]:
        del registries.server.content[path]
    outcome = cli("create", ENVGEN_CACHE=str(cli.directory.parent / "fresh"))
    assert outcome.code == 4
    assert "run `envgen lock --refresh`" in outcome.err
