"""How a process of envgen ends: by Ctrl-C at any moment, by a channel that cannot be read, with output nobody takes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from tests.builders.server import Faults
from tests.builders.system import base_debs
from tests.command import TIMEOUT

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

TOLD = "interrupted; run the same command again to continue"
MOMENTS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.2)
"""Seconds: from the first import to files on their way."""

LIMIT = 10.0
"""Seconds: a process takes 1.5 on a free machine; one that waits for a silent server takes 30."""


def served(registries: Registries) -> tuple[str, ...]:
    content = registries.server.content
    return tuple(content) if isinstance(content, Mapping) else ()


def begin(cli: Command, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "envgen", *arguments],
        cwd=cli.directory,
        env=cli.variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupt(process: subprocess.Popen[str], moment: float) -> tuple[int, str, float]:
    """Send SIGINT after `moment` seconds; return the exit code, what was said, and how long it took to end."""
    time.sleep(moment)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, err, time.monotonic() - began


def wait_for_a_request(registries: Registries, silent: Mapping[str, float]) -> None:
    end = time.monotonic() + TIMEOUT
    while not any(path in silent for path in registries.server.paths()):
        assert time.monotonic() < end
        time.sleep(0.05)


def is_of_the_interpreter(code: int, err: str) -> bool:
    """Return whether the signal came before the first function of envgen: Python was starting or reading modules."""
    return code in (-signal.SIGINT, 1) and not re.search(r"/envgen/.*, in (?!<module>)", err)


@pytest.mark.parametrize("arguments", [("--help",), ("lock", "--upgrade"), ("create",), ("image",)], ids=" ".join)
def test_ctrl_c_is_quiet_at_any_moment(
    arguments: tuple[str, ...], project: Project, registries: Registries, cli: Command
) -> None:
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    seen = set()
    for moment in MOMENTS:
        code, err, took = interrupt(begin(cli, *arguments), moment)
        if is_of_the_interpreter(code, err):
            continue
        assert took < LIMIT
        assert (code, "Traceback" in err, "Exception ignored" in err) in ((130, False, False), (0, False, False)), err
        assert code == 0 or err.splitlines()[-1] == TOLD
        seen.add(code)
    assert seen


SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
dependencies: [python]
pypi: [spam ==1.0, eggs <2]
image: {base: {suites: [bookworm, bookworm-security]}}
"""


@pytest.mark.parametrize(
    ("verb", "suffix"), [("lock --refresh", "/"), ("lock", "InRelease"), ("create", ".whl"), ("create", ".deb")]
)
def test_ctrl_c_does_not_wait_for_a_server(
    verb: str, suffix: str, locked: Project, registries: Registries, cli: Command
) -> None:
    silent = {path: 30.0 for path in served(registries) if path.endswith(suffix)}
    registries.publish(Faults(silent=silent))
    registries.server.requests.clear()
    cli.variables["ENVGEN_CACHE"] = str(locked.root.parent / "empty")
    process = begin(cli, *verb.split())
    wait_for_a_request(registries, silent)
    code, err, took = interrupt(process, 0.3)
    assert (code, err.splitlines()[-1], "Traceback" in err) == (130, TOLD, False)
    assert took < LIMIT


def test_a_second_ctrl_c_ends_it_at_once(demo: Project, registries: Registries, cli: Command) -> None:
    del demo
    silent = dict.fromkeys(served(registries), 30.0)
    registries.publish(Faults(silent=silent))
    process = begin(cli, "lock")
    wait_for_a_request(registries, silent)
    process.send_signal(signal.SIGINT)
    code, err, took = interrupt(process, 0.1)
    assert (code, "Traceback" in err) == (130, False)
    assert took < LIMIT
    assert TOLD in err


def test_an_ignored_signal_stays_ignored(cli: Command) -> None:
    ask = "from envgen.cli import interrupt; interrupt.install(); print(interrupt.signal.getsignal(2))"
    script = f"trap '' INT; {sys.executable} -c '{ask}'"
    done = subprocess.run(["sh", "-c", script], env=cli.variables, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("1", "Handlers.SIG_IGN")


@pytest.mark.parametrize("channel", ["http://127.0.0.1:9/none", "file:///nowhere/at/all"])
def test_a_channel_that_cannot_be_read_is_an_error_each_time(channel: str, project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.replace("dependencies: [python]", f"dependencies: [python, xz]\nchannels: ['{channel}']"))
    for _ in range(6):
        outcome = cli.process("lock")
        assert (outcome.code, "Fatal Python error" in outcome.err) == (4, False), outcome.err


def test_output_that_cannot_be_written_is_a_failure(locked: Project, cli: Command) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123  a device
        done = subprocess.run(
            [sys.executable, "-m", "envgen", "list"], cwd=locked.root, env=cli.variables, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert re.search("cannot write to standard output: No space left", done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["list", "schema"])  # the second one writes more than fits into a buffer
def test_output_whose_reader_left_is_none(locked: Project, cli: Command, verb: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "envgen", verb], cwd=locked.root, env=cli.variables, stdout=writer,
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr.count("Broken")) == (0, 0)


def test_help_does_not_import_what_it_does_not_need() -> None:
    code = "import sys; from envgen.cli.main import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not loaded & {"rattler", "urllib3", "yaml", "envgen.project.context", "rich", "asyncio"}


@pytest.mark.parametrize(
    ("words", "needless"),
    [
        (["list"], {"rattler", "urllib3", "rich", "asyncio", "envgen.resolve.resolve"}),
        (["lock", "--check"], {"urllib3", "rich", "pypi_simple", "conda_lock", "envgen.resolve.resolve"}),
        (["create", "--dry-run"], {"installer", "asyncio", "envgen.convert.wheel", "envgen.resolve.resolve"}),
    ],
)
def test_commands_that_read_locks_import_no_solver_and_no_builder(
    locked: Project, cli: Command, words: list[str], needless: set[str]
) -> None:
    code = f"import sys; from envgen.cli.main import run; run({words}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=locked.root, env=cli.variables, capture_output=True, text=True, check=True
    )
    assert not set(done.stderr.split()) & needless


def test_a_lock_without_recipes_of_debian_needs_neither_templates_nor_debian() -> None:
    code = "import sys, envgen.resolve.solve_group; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"jinja2", "debian.deb822", "charset_normalizer", "conda_lock", "pydantic"}
