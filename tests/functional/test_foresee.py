"""What `lock` accepts, `create` makes: odd wheels are locked and created, or refused by `lock` with the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.structs import replace
from tests.builders.channel import CondaPackage
from tests.builders.server import Faults
from tests.builders.tree import File
from tests.builders.wheels import make_metadata, make_wheel, record_hash, wheel_filename
from tests.functional.test_create import make

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders.registries import Registries
    from tests.builders.wheels import Rows
    from tests.command import Command, Project

SITE = "lib/python3.11/site-packages"


def ask(project: Project, pypi: str, *, platform: str = 'linux-64: {glibc: "2.36"}', more: str = "") -> None:
    project.spec(
        "demo",
        f'python: "3.11"\nplatforms: {{{platform}}}\ndependencies: [python]\npypi: [{pypi}]\n{more}',
    )


def offer(registries: Registries, **wheels: bytes) -> None:
    """Offer wheels of version 1.0 by the names of their projects."""
    for name, raw in wheels.items():
        registries.index.add(wheel_filename(name), raw)
    registries.publish()


def _slashed(rows: Rows) -> Rows:
    return [(f"/{path}", digest, size) for path, digest, size in rows]


def _padded(rows: Rows) -> Rows:
    return [(path, f"{digest}=" if digest else "", size) for path, digest, size in rows]


def _bare(rows: Rows) -> Rows:
    return [(path, "", "") for path, _digest, _size in rows]


def _ghost(rows: Rows) -> Rows:
    return [*rows, ("odd/gone.py", record_hash(b"gone"), "4"), ("odd/", "", "")]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (_slashed, None),
        (_padded, None),
        (_bare, "RECORD of `odd-1.0-py3-none-any.whl` has no hash of sha256 or stronger for 3 files, such as"),
        (_ghost, "lists 1 file that the wheel does not contain, such as `odd/gone.py`"),
    ],
)
def test_records_of_published_wheels(
    project: Project, cli: Command, registries: Registries, record: Callable[[Rows], Rows], told: str | None
) -> None:
    offer(registries, odd=make_wheel("odd", files={"odd.py": "x = 1\n"}, record=record))
    ask(project, "odd")
    err = cli("lock").succeeded().err
    assert (told or "") in err
    assert ("RECORD" in err) == (told is not None)
    assert (make(cli) / SITE / "odd.py").read_text() == "x = 1\n"


def _unlisted(rows: Rows) -> Rows:
    return [row for row in rows if row[0] != "odd.py"]


def _resized(rows: Rows) -> Rows:
    return [(path, digest, "99" if path == "odd.py" else size) for path, digest, size in rows]


def _malformed(_rows: Rows) -> Rows:
    return [("odd.py", "no hash", "7")]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (_unlisted, "does not match its files: `odd.py` is not listed"),
        (_resized, "does not match its files: `odd.py` has 6 bytes, listed with 99"),
        (_malformed, "is malformed"),
    ],
)
def test_a_record_that_does_not_fit_is_refused_until_the_spec_trusts_the_wheel(
    project: Project, cli: Command, registries: Registries, record: Callable[[Rows], Rows], why: str
) -> None:
    offer(registries, odd=make_wheel("odd", files={"odd.py": "x = 1\n"}, record=record))
    ask(project, "odd")
    refused = cli("lock")
    assert refused.code == 5
    assert f"RECORD of `odd-1.0-py3-none-any.whl` {why}" in refused.err
    assert 'trust-record: {odd: "why"}' in refused.err
    assert project.locks() == {}
    ask(project, "odd", more='trust-record: {odd: "published so"}\n')
    cli("lock").succeeded()
    assert (make(cli) / SITE / "odd.py").read_text() == "x = 1\n"


def test_a_hash_that_differs_is_refused_by_create_until_the_spec_trusts_the_wheel(
    project: Project, cli: Command, registries: Registries
) -> None:
    def other(rows: Rows) -> Rows:
        return [(p, record_hash(b"other") if p == "odd.py" else d, s) for p, d, s in rows]

    offer(registries, odd=make_wheel("odd", files={"odd.py": "x = 1\n"}, record=other))
    ask(project, "odd")
    cli("lock").succeeded()
    refused = cli("create")
    assert refused.code == 5
    assert 'trust-record: {odd: "why"}' in refused.err
    ask(project, "odd", more='trust-record: {odd: "published so"}\n')
    cli("lock").succeeded()
    assert "no effect" not in cli("create").succeeded().err
    assert (cli.directory.parent / "home/envs/demo" / SITE / "odd.py").read_text() == "x = 1\n"


def test_trust_without_effect_is_told(project: Project, cli: Command) -> None:
    ask(project, "spam ==1.0", more='trust-record: {spam: "once wrong", ham: "was here"}\n')
    assert "`trust-record.ham` has no effect: no wheel of `ham` is locked" in cli("lock").succeeded().err
    assert (
        "`trust-record.spam` has no effect: RECORD of `spam-1.0-py3-none-any.whl` matches its files"
        in cli("create").err
    )


def test_a_local_version_in_the_file_name_alone(project: Project, cli: Command, registries: Registries) -> None:
    raw = make_wheel("locver", "0.2", files={"locver.py": ""})
    registries.index.add("locver-0.2+cu130torch29-py3-none-any.whl", raw)
    registries.publish()
    ask(project, "locver")
    cli("lock").succeeded()
    assert (make(cli) / SITE / "locver.py").exists()


def test_headers_and_a_data_folder_of_another_spelling(project: Project, cli: Command, registries: Registries) -> None:
    data = {"headers/odd.h": "#define ODD\n", "scripts/odd": "#!python\n", "data/share/odd": "1"}
    files = {f"Odd-1.0.data/{name}": text for name, text in data.items()}
    offer(registries, odd=make_wheel("odd", files=files))
    ask(project, "odd")
    cli("lock").succeeded()
    prefix = make(cli)
    assert (prefix / "include/site/python3.11/odd/odd.h").exists()
    assert (prefix / "bin/odd").exists()
    assert (prefix / "share/odd").exists()


def test_a_data_folder_of_something_else_is_refused(project: Project, cli: Command, registries: Registries) -> None:
    offer(registries, odd=make_wheel("odd", files={"even-1.0.data/scripts/x": ""}))
    ask(project, "odd")
    refused = cli("lock")
    assert refused.code == 5
    assert "`odd-1.0-py3-none-any.whl` contains `even-1.0.data`, expected a folder for odd 1.0" in refused.err


def test_names_that_differ_by_case_only(project: Project, cli: Command, registries: Registries) -> None:
    offer(registries, odd=make_wheel("odd", files={"odd/a.txt": "1", "odd/A.txt": "2"}))
    ask(project, "odd")
    cli("lock").succeeded()
    assert (make(cli) / SITE / "odd/A.txt").read_text() == "2"


NAMESPACE = {
    "nsa": make_wheel("nsa", files={"nspkg/__init__.py": "a", "nspkg/a.py": ""}),
    "nsb": make_wheel("nsb", files={"nspkg/__init__.py": "b", "nspkg/b.py": ""}),
}


def test_two_packages_with_one_path_until_the_spec_says_whose_stays(
    project: Project, cli: Command, registries: Registries
) -> None:
    offer(registries, **NAMESPACE)
    ask(project, "nsa, nsb")
    refused = cli("lock")
    assert refused.code == 5
    assert f"packages `nsa` and `nsb` both contain `{SITE}/nspkg/__init__.py`, with different content" in refused.err
    assert f'`conflicts: {{"{SITE}/nspkg/__init__.py": nsa}}` in the spec' in refused.err
    ask(project, "nsa, nsb", more=f'conflicts: {{"{SITE}/nspkg/__init__.py": nsb, "bin/*": nsa}}\n')
    assert "`conflicts.bin/*` has no effect: no two packages" in cli("lock").succeeded().err
    prefix = make(cli)
    assert (prefix / SITE / "nspkg/__init__.py").read_text() == "b"
    assert (prefix / SITE / "nspkg/a.py").exists()
    ask(project, "nsa, nsb", more='conflicts: {"*/nspkg/__init__.py": nsa}\n')
    cli("lock").succeeded()
    make(cli)
    assert (prefix / SITE / "nspkg/__init__.py").read_text() == "a"
    assert "nothing to do" in cli("create").succeeded().err


def test_two_packages_with_one_command(project: Project, cli: Command, registries: Registries) -> None:
    wheels = {name: make_wheel(name, entry_points={"run": f"{name}:main"}) for name in ("one", "two")}
    offer(registries, **wheels)
    ask(project, "one, two")
    assert "packages `one` and `two` both contain `bin/run`" in cli("lock").err


def test_a_wheel_against_a_package_of_a_recipe(project: Project, cli: Command, registries: Registries) -> None:
    offer(registries, odd=make_wheel("odd", data={"data/bin/python3.11": "mine"}))
    ask(project, "odd")
    assert "packages `odd` and `python` both contain `bin/python3.11`" in cli("lock").err


def test_metadata_beside_a_wheel_that_is_not_its_own(project: Project, cli: Command, registries: Registries) -> None:
    offer(registries, odd=make_wheel("odd", requires=["eggs"]))
    index = registries.index
    index.offers["odd-1.0-py3-none-any.whl"] = replace(
        index.offers["odd-1.0-py3-none-any.whl"], core_metadata=make_metadata("odd"), metadata="marked"
    )
    registries.publish()
    ask(project, "odd")
    refused = cli("lock")
    assert refused.code == 5
    assert "METADATA of `odd-1.0-py3-none-any.whl` differs from the lock: `eggs` is required" in refused.err


def test_a_server_without_ranges_is_no_fault(project: Project, cli: Command, registries: Registries) -> None:
    offer(registries, **NAMESPACE)
    registries.publish(Faults(ranges=False))
    ask(project, "nsa, nsb")
    assert "could not be checked" not in cli("lock").succeeded().err
    assert "both contain" in cli("create").err
    assert "both contain" in cli("lock", "--refresh").err  # the wheels are here now


def test_files_that_cannot_be_had_now_are_told(project: Project, cli: Command, registries: Registries) -> None:
    offer(registries, **NAMESPACE)
    path = registries.index.path("nsa-1.0-py3-none-any.whl")
    registries.publish(Faults(missing=frozenset({path})))
    ask(project, "nsa, nsb")
    told = "linux-64: the paths of 1 wheels could not be checked, such as those of `nsa-1.0-py3-none-any.whl`"
    assert told in cli("lock").succeeded().err


def test_directories_are_read_once(project: Project, cli: Command, registries: Registries) -> None:
    ask(project, "spam ==1.0, eggs <2")
    cli("lock").succeeded()
    asked = len(registries.server.requests)
    ask(project, "spam ==1.0, eggs <2, ham")
    cli("lock").succeeded()
    ranged = [request for request in registries.server.requests[asked:] if "range" in request.headers]
    assert [request.path.rpartition("/")[2] for request in ranged] == ["ham-1.0-py3-none-any.whl"]


def test_packages_of_channels_that_clobber_each_other(project: Project, cli: Command, registries: Registries) -> None:
    for name in ("left", "right"):
        registries.channel.add(CondaPackage(name=name, files={"share/both": File(name.encode())}))
    offer(registries, odd=make_wheel("odd", data={"data/share/both": "odd"}))
    spec = 'python: "3.11"\nplatforms: {linux-64: {glibc: "2.36"}}\n'
    spec += f"channels: [{registries.channel_url}]\ndependencies: [python, left, right]\n"
    project.spec("demo", spec)
    cli("lock").succeeded()
    told = cli("create").succeeded().err
    assert "kept `left`'s file, `right` ships another one at `share/both`" in told
    prefix = cli.directory.parent / "home/envs/demo"
    assert (prefix / "share/both").read_text() == "left"
    project.spec("demo", f"{spec}pypi: [odd]\n")
    cli("lock").succeeded()
    refused = cli("create")
    assert refused.code == 5
    assert "packages `left` and `odd` both contain `share/both`" in refused.err
    project.spec("demo", f"{spec}pypi: [odd]\nconflicts: {{share/both: odd}}\n")
    cli("lock").succeeded()
    cli("create").succeeded()
    assert (prefix / "share/both").read_text() == "odd"
