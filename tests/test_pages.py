"""The pages: what they show in fenced blocks is valid."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.command import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

PAGES = sorted(path for path in REPOSITORY.rglob("README.md") if not set(path.parts) & {".venv", ".venv-test", "build"})
_WORKFLOW = re.compile(r"```yaml\n(# \.github/workflows/[^\n]+\n.*?)```", re.DOTALL)
WORKFLOWS = {
    f"{page.relative_to(REPOSITORY)}: {text.splitlines()[0]}": text
    for page in PAGES
    for text in _WORKFLOW.findall(page.read_text())
}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_are_valid(name: str, tmp_path: Path) -> None:
    """The published schema comes with check-jsonschema, so that nothing is fetched."""
    file = tmp_path / "workflow.yml"
    file.write_text(WORKFLOWS[name])
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_workflows() -> None:
    assert len(WORKFLOWS) >= 2
