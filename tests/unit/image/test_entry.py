"""The script that images start with, run by this machine's bash with stand-ins for the programs it starts."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from envgen.project import shipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")

JUPYTER = '#!/bin/bash\necho "token=$JUPYTER_TOKEN options=$*" >&2\nexec sleep 60\n'
STUBBORN = "#!/bin/bash\ntrap '' TERM\necho ready\nwhile :; do sleep 0.1; done\n"
PATIENCE = 20.0
"""Seconds after which a container of a test hangs."""


@dataclass(kw_only=True)
class Image:
    """A folder that stands for an image."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    def program(self, name: str, text: str) -> None:
        file = self.root / "bin" / name
        file.write_text(text)
        file.chmod(0o755)

    def services(self, *lines: str) -> None:
        (self.root / "services").write_text("".join(f"{line}\n" for line in lines))

    def start(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.root / "entry", *command],
            env=self.variables | variables,
            cwd=self.root / "home",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, **variables: str) -> tuple[int, str, str]:
        with self.start(*command, **variables) as process:
            out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    def until(self, says: str, act: Callable[[subprocess.Popen[str]], None], **variables: str) -> tuple[int, str, str]:
        """Start the services, act when one of them says something, and wait for the end."""
        with self.start(**variables) as process:
            seen = ""
            assert process.stdout is not None
            while says not in seen:
                line = process.stdout.readline()
                assert line, f"it ended and said {seen!r}"
                seen += line
            act(process)
            out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, seen + out, err


@pytest.fixture
def image(tmp_path: Path) -> Image:
    for folder in ("bin", "home", "tmp"):
        (tmp_path / folder).mkdir()
    (tmp_path / "entry").write_text(shipped.image_entry())
    (tmp_path / "entry").chmod(0o755)
    variables = {
        "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
        "HOME": f"{tmp_path}/home",
        "TMPDIR": f"{tmp_path}/tmp",
        "USER": "user",
    }
    found = Image(root=tmp_path, variables=variables)
    found.services()
    return found


def terminate(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)


def test_a_command_replaces_the_services(image: Image) -> None:
    image.services("never\t-\techo never")
    assert image.run("bash", "-c", "echo $0 $1; exit 7", "a b", "c") == (7, "a b c\n", "")


def test_a_command_gets_signals_itself(image: Image) -> None:
    with image.start("bash", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done") as process:
        assert process.stdout is not None
        process.stdout.readline()
        terminate(process)
        assert process.wait(PATIENCE) == 9


def test_without_services_there_is_a_shell(image: Image) -> None:
    assert image.run() == (0, "", "")


def test_jupyter_makes_a_token_and_tells_it(image: Image) -> None:
    image.services("jupyter\t8888\t-")
    image.program("jupyter", JUPYTER)
    for given in ({}, {"JUPYTER_TOKEN": ""}):
        code, out, err = image.until("options=", terminate, **given)
        told = re.search(r"^\[jupyter\] http://127\.0\.0\.1:8888/lab\?token=([0-9a-f]{48})$", out, re.MULTILINE)
        assert told, out
        assert f"token={told[1]} options=lab --ip=* --port=8888" in out
        assert (code, err) == (143, "")


def test_tokens_differ(image: Image) -> None:
    image.services("jupyter\t8888\t-")
    image.program("jupyter", JUPYTER)
    outs = {image.until("options=", terminate)[1] for _ in range(2)}
    assert len(outs) == 2


def test_a_given_token_is_taken_and_not_told(image: Image) -> None:
    image.services("jupyter\t9999\t-")
    image.program("jupyter", JUPYTER.replace("token=$JUPYTER_TOKEN", "${#JUPYTER_TOKEN} characters"))
    (image.root / "token").write_text("from-a-file\n")
    for variables, count in (
        ({"JUPYTER_TOKEN": "given"}, 5),
        ({"JUPYTER_TOKEN_FILE": str(image.root / "token")}, 11),
    ):
        _, out, _ = image.until("options=", terminate, **variables)
        told = f"{count} characters options=lab --ip=* --port=9999 --no-browser --ServerApp.port_retries=0"
        assert re.fullmatch(rf"{re.escape(told)}( --allow-root)?\n", out)  # as root, Jupyter asks for the last one


def test_services_say_everything_on_stdout(image: Image) -> None:
    image.services("one\t-\tseq 7 8; seq 9 9 >&2; sleep 60")
    code, out, err = image.until("\n9\n", terminate)
    assert out.splitlines() == ["[one] seq 7 8; seq 9 9 >&2; sleep 60", "7", "8", "9"]
    assert (code, err) == (143, "")


def test_other_services_do_not_see_the_token(image: Image) -> None:
    image.services("jupyter\t8888\t-", "other\t-\tsleep 0.3; env; sleep 60")
    image.program("jupyter", "#!/bin/bash\nexec sleep 60\n")
    _, out, _ = image.until("TMPDIR=", terminate)
    assert "JUPYTER_TOKEN" not in out


def test_when_a_service_ends_the_container_ends(image: Image) -> None:
    image.services("stays\t-\tsleep 60", "ends\t-\tsleep 0.1; exit 3")
    code, out, _ = image.run()
    assert code == 3
    assert out.endswith("[ends] ended with status 3, so the container ends\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_what_services_start(image: Image, number: signal.Signals) -> None:
    image.services("pipe\t-\tsleep 61.7 | cat; true")
    code, _, err = image.until("sleep", lambda process: process.send_signal(number))
    assert (code, err) == (128 + number, "")
    assert not subprocess.run(["pgrep", "-f", "sleep 61[.]7"], capture_output=True, check=False).stdout


def test_what_does_not_stop_is_stopped(image: Image) -> None:
    image.services(f"stubborn\t-\t{image.root}/bin/stubborn")
    image.program("stubborn", STUBBORN)
    started = []

    def act(process: subprocess.Popen[str]) -> None:
        started.append(time.monotonic())
        terminate(process)

    code, _, _ = image.until("ready", act)
    assert code == 143
    # PID 1 has two seconds, of which 1.2 are the service's; a busy machine gets some more
    assert 1.0 < time.monotonic() - started[0] < 6.0


@pytest.mark.parametrize("home", ["", "/", "/nowhere"])
def test_a_home_is_found_where_there_is_none(image: Image, home: str) -> None:
    code, out, err = image.run("bash", "-c", "echo $HOME; touch $HOME/x", HOME=home)
    assert (code, err) == (0, "")
    assert re.fullmatch(rf"{image.root}/tmp/entry\.\w{{8}}/home", out.strip())


def test_a_home_that_can_be_written_is_left(image: Image) -> None:
    assert image.run("bash", "-c", "echo $HOME")[1] == f"{image.root}/home\n"
    assert not list((image.root / "tmp").iterdir())


def test_folders_go_with_the_services(image: Image) -> None:
    image.services("one\t-\techo up; sleep 60")
    image.until("up", terminate, HOME="/nowhere")
    assert not list((image.root / "tmp").iterdir())


def test_a_probe_is_told_whether_the_services_listen(image: Image) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        image.services(f"jupyter\t{port}\t-", "watch\t-\tsleep 60")
        assert image.run("--ready", HOME="/nowhere") == (0, "", "")
    code, out, err = image.run("--ready")
    assert (code, out, err) == (1, f"[jupyter] does not listen on port {port} yet\n", "")
    image.services()
    assert image.run("--ready")[0] == 0
