from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from envgen.errors import UserError
from envgen.system.process import ProcessError, StuckError, replace, run, shown


def test_output_input_folder_and_environment(tmp_path: Path) -> None:
    code = "import os,sys; print(os.getcwd(), os.environ['X'], sys.stdin.read()); print('talk', file=sys.stderr)"
    done = run([sys.executable, "-c", code], cwd=tmp_path, env={"X": "y"}, stdin=b"in")
    assert done.stdout.decode().split() == [str(tmp_path), "y", "in"]
    assert done.stderr == b"talk\n"


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("echo why >&2; exit 3", 3, "failed with status 3:\nwhy"),
        ("echo why; exit 3", 3, "failed with status 3:\nwhy"),
        ("kill -TERM $$", -signal.SIGTERM, "was terminated by SIGTERM"),
    ],
)
def test_failure(script: str, status: int, said: str) -> None:
    with pytest.raises(ProcessError) as caught:
        run(["sh", "-c", script])
    assert caught.value.status == status
    assert str(caught.value).endswith(said)


def test_only_the_end_of_long_output_is_told() -> None:
    with pytest.raises(ProcessError) as caught:
        run([sys.executable, "-c", "import sys; sys.exit('x' * 100_000 + 'end')"])
    assert caught.value.tail.endswith("xend")
    assert len(caught.value.tail) == 4000


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ProcessError, match="failed to start `no-such-program`: No such file"):
        run(["no-such-program"])


def test_time_is_up_for_the_whole_group(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"(sleep 2; touch {mark}) & echo begun >&2; wait"
    with pytest.raises(ProcessError, match=r"did not finish within 1 s:\nbegun"):
        run(["sh", "-c", script], timeout=1)
    time.sleep(1.2)
    assert not mark.exists()


def test_secrets_are_masked() -> None:
    argv: list[str | Path] = ["tool", "--index", "https://user:hidden@host/simple", Path("a b")]
    assert shown(argv) == "tool --index 'https://***@host/simple' 'a b'"


def test_becoming_another_program(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\ntrap '' USR1\necho $X $1\nexit 7\n")
    program.chmod(0o755)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 1)
        replace(["program", "y"], {"X": "x", "PATH": f"{tmp_path}:/usr/bin:/bin"})
    os.close(write)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert os.read(read, 100) == b"x y\n"
    os.close(read)


def test_becoming_what_is_not_there(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGPIPE)
    with pytest.raises(UserError, match="failed to run `program`"):
        replace(["program"], {"PATH": str(tmp_path)})
    assert signal.getsignal(signal.SIGPIPE) is before


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="this system does not tell what processes move")
def test_a_program_that_waits_for_nothing_is_ended() -> None:
    with pytest.raises(StuckError, match=r"nothing for 1 s"):
        run(["sh", "-c", "sleep 60"], env={"PATH": "/usr/bin:/bin"}, patience=1.0)


def test_a_program_that_moves_bytes_is_left_alone() -> None:
    script = "for i in 1 2 3 4 5 6 7 8; do sleep 0.3; echo $i; done"
    done = run(["sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, patience=1.2)
    assert done.stdout.split()[-1] == b"8"
