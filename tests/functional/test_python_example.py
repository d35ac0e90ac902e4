"""The Python example of the pages runs."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.command import REPOSITORY, TIMEOUT

if TYPE_CHECKING:
    from tests.command import Command, Project


def test_the_example_locks_a_project(demo: Project, cli: Command) -> None:
    page = (REPOSITORY / "envgen/README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    above = demo.root / "above"
    above.mkdir()
    (above / "my-project").symlink_to(demo.root)
    command = [sys.executable, "-c", example]
    done = subprocess.run(
        command, cwd=above, env=cli.variables, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("locks/demo.linux-64.conda-lock.yml ")
    assert "demo.linux-64.conda-lock.yml" in demo.locks()
