"""Releases without a wheel: built while they are locked, pinned, and built again from the same where needed."""

from __future__ import annotations

import fcntl
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import yaml

from envgen.system.sandbox import refusal
from tests.builders.sdists import make_sdist, make_tar, sdist_filename
from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {{linux-64: {{glibc: "2.36"}}}}
dependencies: [python]
pypi: [{pypi}]
"""


def offer(registries: Registries, name: str, version: str = "1.0", **wrong: object) -> None:
    """Publish a source archive in the index."""
    registries.index.add(sdist_filename(name, version), make_sdist(name, version, **wrong))  # type: ignore[arg-type]
    registries.publish()


def custom(project: Project, platform: str = "linux-64") -> dict[str, str]:
    """Read what a lock says beside packages."""
    text = project.locks()[f"demo.{platform}.conda-lock.yml"]
    found: dict[str, str] = yaml.safe_load(text)["metadata"]["custom_metadata"]
    return found


def forget_builds(cli: Command) -> None:
    """Remove what this machine has of builds, as if it were another one."""
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])


def test_an_archive_is_built_and_its_wheel_locked(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "made", requires=["eggs <2"])
    project.spec("demo", SPEC.format(pypi="made"))
    said = cli("lock").succeeded().err
    assert "running the build of `made` 1.0 from `made-1.0.tar.gz` for linux-64" in said
    before = project.locks()
    text = before["demo.linux-64.conda-lock.yml"].decode()
    assert "${ENVGEN_PYPI}/made/made-1.0.tar.gz" in text
    assert registries.index.offers["made-1.0.tar.gz"].sha256 in text
    built = json.loads(custom(project)["envgen.build.made"])
    assert built["filename"] == "made-1.0-py3-none-any.whl"
    assert set(built["files"]) == {"made.py", "made-1.0.dist-info/METADATA", "made-1.0.dist-info/WHEEL"}
    assert "eggs" in text
    cli("create").succeeded()
    assert cli.process("run", "--", "python", "-c", "import made, eggs; print(made.version)").out == "1.0\n"
    assert "running" not in cli("lock").succeeded().err
    assert project.locks() == before
    forget_builds(cli)
    assert "running the build of" not in cli("lock").succeeded().err, "the lock knows the wheel already"
    assert project.locks() == before


def test_another_machine_builds_the_same_from_the_lock(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "made", build_requires=["eggs <2"], before="import eggs")
    project.spec("demo", SPEC.format(pypi="made"))
    cli("lock").succeeded()
    (environment,) = (json.loads(text) for key, text in custom(project).items() if "build-environment" in key)
    assert [(one["name"], one["version"]) for one in environment] == [("eggs", "1.1")]
    forget_builds(cli)
    assert "running the build of `made`" in cli("create").succeeded().err
    assert cli.process("run", "--", "python", "-c", "import made").code == 0
    assert cli.process("run", "--", "python", "-c", "import eggs").code == 1, "of the build alone"


def test_a_build_that_differs_from_the_lock_is_refused(
    project: Project, registries: Registries, cli: Command, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    marker.write_text("one")
    moody = f"pathlib.Path('moody.py').write_text(pathlib.Path({str(marker)!r}).read_text())"
    offer(registries, "moody", on_wheel=moody)
    project.spec("demo", SPEC.format(pypi="moody"))
    cli("lock").succeeded()
    forget_builds(cli)
    marker.write_text("two")
    outcome = cli("create")
    assert outcome.code == 5
    assert "the build of `moody` 1.0 differs from the locked one in `moody.py`" in outcome.err
    assert not (Path(cli.variables["CONDA_ENVS_PATH"]) / "demo").exists()


@pytest.mark.parametrize(
    ("pkg_info", "project_table"),
    [
        ("Metadata-Version: 2.2\nName: plain\nVersion: 1.0\nRequires-Dist: eggs <2\n", ""),
        (None, '[project]\nname = "plain"\nversion = "1.0"\ndependencies = ["eggs <2"]\n'),
    ],
    ids=["PKG-INFO", "pyproject.toml"],
)
def test_stated_metadata_is_read_without_a_build(
    pkg_info: str | None, project_table: str, project: Project, registries: Registries, cli: Command
) -> None:
    offer(registries, "plain", requires=["eggs <2"], pkg_info=pkg_info, project=project_table)
    project.spec("demo", SPEC.format(pypi="plain"))
    said = cli("lock").succeeded().err
    assert "for its metadata" not in said
    assert "running the build of `plain`" in said


def test_dynamic_fields_are_asked_of_the_backend(project: Project, registries: Registries, cli: Command) -> None:
    info = "Metadata-Version: 2.2\nName: dynamic\nVersion: 1.0\nDynamic: Requires-Dist\n"
    offer(registries, "dynamic", requires=["eggs <2"], pkg_info=info)
    project.spec("demo", SPEC.format(pypi="dynamic"))
    assert "running the build backend of `dynamic` 1.0" in cli("lock").succeeded().err
    assert b"eggs" in project.locks()["demo.linux-64.conda-lock.yml"]


def test_no_build_refuses_and_leaves_nothing(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "made")
    project.spec("demo", SPEC.format(pypi="made"))
    outcome = cli("lock", "--no-build")
    assert outcome.code == 1
    assert "`made` 1.0 must be built from `made-1.0.tar.gz`, whose code must not run (`--no-build`)" in outcome.err
    assert project.locks() == {}
    cli("lock").succeeded()
    cli("lock", "--no-build").succeeded()
    cli("create", "--no-build").succeeded()


def test_a_failed_build_shows_the_end_of_its_log(project: Project, registries: Registries, cli: Command) -> None:
    many = "[print('line', n) for n in range(100)]; raise SystemExit('the compiler is missing')"
    offer(registries, "failing", on_wheel=many)
    project.spec("demo", SPEC.format(pypi="failing"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "failed to build `failing` 1.0 from `failing-1.0.tar.gz`: building the wheel failed" in outcome.err
    assert "the compiler is missing" in outcome.err
    assert "line 99" in outcome.err
    assert "line 50" not in outcome.err
    log = Path(outcome.err.partition("the whole log is `")[2].partition("`")[0])
    assert "line 50" in log.read_text()
    assert project.locks() == {}


def test_long_lines_of_a_log_are_cut(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "talking", on_wheel="print('https://me:hush-hush@host ' + 'y' * 60000); raise SystemExit('last')")
    project.spec("demo", SPEC.format(pypi="talking"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "y …" in outcome.err
    assert "last" in outcome.err
    assert len(outcome.err) < 3000
    assert "hush-hush" not in outcome.err


def test_metadata_that_cannot_be_had_is_explained(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "failing", on_metadata="raise SystemExit('the header is missing')")
    project.spec("demo", SPEC.format(pypi="failing"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "the header is missing" in outcome.err
    assert "preparing metadata failed with status 1" in outcome.err
    assert project.locks() == {}


def test_a_build_has_neither_network_nor_secrets_nor_time_without_end(
    project: Project, registries: Registries, cli: Command
) -> None:
    address = ("127.0.0.1", urlsplit(registries.server.url).port)
    reach = f"print(dict(os.environ), flush=True); import socket; socket.create_connection({address!r}, 5)"
    offer(registries, "reaching", on_wheel=reach)
    project.spec("demo", SPEC.format(pypi="reaching"))
    outcome = cli("lock", PRIVATE="hush-hush")
    assert outcome.code == 1
    assert "ConnectionRefusedError" in outcome.err
    assert "'SOURCE_DATE_EPOCH'" in outcome.err
    assert "hush-hush" not in outcome.err
    assert str(project.root) not in outcome.err
    offer(registries, "endless", on_wheel="import time; time.sleep(1000)")
    project.spec("demo", SPEC.format(pypi="endless"))
    outcome = cli("lock", ENVGEN_BUILD_TIMEOUT="3")
    assert outcome.code == 1
    assert "did not finish within 3.0 s" in outcome.err
    assert "hint: set ENVGEN_BUILD_TIMEOUT to more seconds for each step" in outcome.err


@pytest.mark.skipif(bool(refusal()), reason="this machine refuses user namespaces")
def test_a_build_leaves_no_program_behind(
    project: Project, registries: Registries, cli: Command, tmp_path: Path
) -> None:
    """A daemon in a session of its own would keep the lock on the file."""
    file = tmp_path / "held"
    daemon = (
        f"import fcntl, subprocess; held = open({str(file)!r}, 'w'); fcntl.flock(held, fcntl.LOCK_EX); "
        "subprocess.Popen(['sleep', '1000'], pass_fds=[held.fileno()], start_new_session=True)"
    )
    offer(registries, "staying", on_wheel=daemon)
    project.spec("demo", SPEC.format(pypi="staying"))
    cli("lock").succeeded()
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            make_sdist("lying", pkg_info="Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"),
            "has the metadata of `other` 1.0",
        ),
        (make_tar({"lying-1.0/setup.py": "", "../escaped.txt": ""}), "outside the destination"),
        (make_tar({"lying-1.0/setup.py": "", "second/setup.py": ""}), "has 2 folders at its top, expected one"),
        (make_tar({"lying-1.0/README": ""}), "no pyproject.toml or setup.py"),
        (
            make_sdist("lying", build_requires=["nowhere-to-be-found"]),
            "the build requirements of `lying` 1.0 from `lying-1.0.tar.gz` cannot be met",
        ),
        (
            make_sdist("lying", build_requires=["!!"]),
            "`lying` 1.0 from `lying-1.0.tar.gz`: '!!' in `build-system.requires` is not a requirement",
        ),
        (make_tar({"lying-1.0/pyproject.toml": "# \udcff"}), "`pyproject.toml` is not UTF-8"),
    ],
    ids=["name", "escape", "folders", "no project", "no such requirement", "no requirement", "no text"],
)
def test_bad_archives(content: bytes, what: str, project: Project, registries: Registries, cli: Command) -> None:
    registries.index.add("lying-1.0.tar.gz", content)
    registries.publish()
    project.spec("demo", SPEC.format(pypi="lying"))
    outcome = cli("lock")
    assert outcome.code == 3
    assert what in " ".join(outcome.err.split())
    assert project.locks() == {}


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("return 7", "building the wheel failed: the backend returned a value of another type than PEP 517 says"),
        ("os._exit(0)", "building the wheel failed: the backend ended without an answer"),
        ("import ctypes; ctypes.string_at(0)", "building the wheel was terminated by SIGSEGV"),
    ],
    ids=["type", "silent", "signal"],
)
def test_bad_answers_of_a_backend(code: str, what: str, project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "odd", pkg_info="Metadata-Version: 2.2\nName: odd\nVersion: 1.0\n", on_wheel=code)
    project.spec("demo", SPEC.format(pypi="odd"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert what in outcome.err
    assert "the whole log is" in outcome.err


def test_a_wheel_of_something_else_is_refused(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "posing", on_wheel="global VERSION; VERSION = '2.0'")
    project.spec("demo", SPEC.format(pypi="posing"))
    outcome = cli("lock")
    assert outcome.code == 5
    assert "expected a wheel of `posing` 1.0, got `posing-2.0-py3-none-any.whl`" in outcome.err


def test_a_wheel_with_code_for_this_machine_is_not_locked_for_another(
    project: Project, registries: Registries, cli: Command
) -> None:
    offer(registries, "plain")
    offer(registries, "native", tag="cp311-cp311-linux_x86_64")
    spec = SPEC.replace("}}}}", "}}, linux-aarch64: {{glibc: '2.36'}}}}", 1)
    project.spec("demo", spec.format(pypi="plain"))
    cli("lock").succeeded()
    one, other = (custom(project, platform)["envgen.build.plain"] for platform in ("linux-64", "linux-aarch64"))
    assert json.loads(one)["sha256"] == json.loads(other)["sha256"]
    project.spec("demo", spec.format(pypi="native"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "`native` 1.0 has no wheel for linux-aarch64, and its source has compiled code" in outcome.err
    project.spec("demo", SPEC.format(pypi="native"))
    cli("lock").succeeded()


def test_an_upgrade_builds_in_new_packages(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "made", build_requires=["ham"])
    project.spec("demo", SPEC.format(pypi="made"))
    cli("lock").succeeded()
    before = project.locks()
    registries.index.add(wheel_filename("ham", "2.0"), make_wheel("ham", "2.0"))
    registries.publish()
    cli("lock").succeeded()
    assert project.locks() == before
    cli("lock", "--upgrade", "made").succeeded()
    (environment,) = (json.loads(text) for key, text in custom(project).items() if "build-environment" in key)
    assert environment[0]["version"] == "2.0"


def test_exports_name_the_archive(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "made")
    project.spec("demo", SPEC.format(pypi="made"))
    cli("lock").succeeded()
    cli("build").succeeded()
    for form in ("requirements", "pylock", "pixi", "conda-lock", "cyclonedx"):
        out = cli("export", form).succeeded().out
        assert ("made==1.0" if form == "requirements" else "made-1.0.tar.gz") in out, form
        assert registries.index.offers["made-1.0.tar.gz"].sha256 in out, form


def test_a_build_that_is_not_reproducible_is_accepted_by_name(
    project: Project, registries: Registries, cli: Command, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    marker.write_text("x = 1\n")
    moody = f"pathlib.Path('moody.py').write_text(pathlib.Path({str(marker)!r}).read_text())"
    offer(registries, "moody", on_wheel=moody)
    project.spec("demo", SPEC.format(pypi="moody") + 'builds: {moody: {reproducible: "writes the day"}}\n')
    cli("lock").succeeded()
    assert json.loads(custom(project)["envgen.build.moody"])["terms"] == {"reproducible": "writes the day"}
    forget_builds(cli)
    marker.write_text("x = 2\n")
    assert "accepted by `builds.moody.reproducible`" in cli("create").succeeded().err
    assert cli.process("run", "--", "python", "-c", "import moody; print(moody.x)").out == "2\n"
    assert "up to date, nothing to do" in cli("create").succeeded().err
    project.spec("demo", SPEC.format(pypi="moody"))
    outcome = cli("lock", "--check")
    assert "`builds.moody` is not what `moody` 1.0 was built with" in outcome.out + outcome.err


def test_network_and_variables_are_given_by_name(project: Project, registries: Registries, cli: Command) -> None:
    port = urlsplit(registries.server.url).port
    reach = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5); assert os.environ['MAX_JOBS'] == '4'"
    offer(registries, "reaching", on_wheel=reach)
    builds = 'builds: {reaching: {network: "fetches headers", variables: {MAX_JOBS: "4"}}}\n'
    project.spec("demo", SPEC.format(pypi="reaching") + builds)
    cli("lock").succeeded()
    assert json.loads(custom(project)["envgen.build.reaching"])["terms"] == {
        "network": "fetches headers",
        "variables": {"MAX_JOBS": "4"},
    }
    cli("create").succeeded()


def test_build_constraints_narrow_what_builds_run_in(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "made", build_requires=["eggs"])
    project.spec("demo", SPEC.format(pypi="made") + "build-constraints: [eggs <2]\n")
    cli("lock").succeeded()
    (environment,) = (json.loads(text) for key, text in custom(project).items() if "build-environment" in key)
    assert environment[0]["version"] == "1.1"
    project.spec("demo", SPEC.format(pypi="made") + "build-constraints: [eggs <1.1]\n")
    outcome = cli("lock", "--check")
    assert "`eggs<1.1` under `build-constraints`: a build is locked with 1.1" in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("builds", "fault"),
    [
        ("{made: {network: }}", "the reason is missing"),
        ("{made: {variables: {PATH: x}}}", "`PATH` is fixed"),
        ("{made: {variables: {lower: x}}}", "not a variable: 'lower'"),
        ("{made: {nettwork: x}}", "nettwork"),
    ],
)
def test_faults_of_builds(builds: str, fault: str, project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.format(pypi="eggs") + f"builds: {builds}\n")
    outcome = cli("lock")
    assert outcome.code == 1
    assert fault in outcome.err


def test_a_machine_without_namespaces_says_so_and_records_it(
    project: Project, registries: Registries, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("system.sandbox", "prepare.build_rooms"):
        monkeypatch.setattr(f"envgen.{module}.refusal", lambda: "not permitted")
    offer(registries, "made")
    project.spec("demo", SPEC.format(pypi="made"))
    outcome = cli("lock").succeeded()
    said = "warning: builds can use the network, since this machine refuses user namespaces: not permitted"
    assert outcome.err.count(said) == 1
    assert json.loads(custom(project)["envgen.build.made"])["unconfined"] == "not permitted"
    cli("create").succeeded()


def test_a_build_cannot_take_more_memory_than_there_is(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "greedy", on_wheel="bytearray(1 << 46)")
    project.spec("demo", SPEC.format(pypi="greedy"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "MemoryError" in outcome.err
    assert project.locks() == {}
