"""The kernel of an environment: Jupyter shows it by the name of the environment, and no package's file changes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envgen.prefix.strangers import strangers
from tests.builders.wheels import make_wheel, wheel_filename
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

OURS = "share/jupyter/kernels/envgen/kernel.json"
THEIRS = "share/jupyter/kernels/python3/kernel.json"


@pytest.fixture
def prefix(project: Project, cli: Command, registries: Registries) -> Path:
    """Create `demo` with an ipykernel that brings a kernel of its own, as the real one does."""
    data = {f"ipykernel-1.0.data/data/{THEIRS}": '{"display_name": "Python 3 (ipykernel)"}'}
    wheel = make_wheel("ipykernel", "1.0", files={"ipykernel_launcher.py": "print('started')\n", **data})
    registries.index.add(wheel_filename("ipykernel", "1.0", "py3-none-any"), wheel)
    registries.publish()
    project.spec("demo", SPEC.replace("spam ==1.0", "ipykernel, spam ==1.0"))
    cli("lock").succeeded()
    said = cli("create").succeeded().err
    assert "  kernel to write: Jupyter shows it as `demo`\n" in said
    return Path(cli.variables["CONDA_ENVS_PATH"]) / "demo"


def kernel(prefix: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((prefix / OURS).read_text())
    return found


def test_it_has_the_name_of_the_environment_and_starts(prefix: Path) -> None:
    made = kernel(prefix)
    assert (made["display_name"], made["argv"][0]) == ("demo", f"{prefix}/bin/python")
    assert json.loads((prefix / THEIRS).read_text())["display_name"] == "Python 3 (ipykernel)"
    argv = [word.format(connection_file="none") for word in made["argv"]]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "started\n"


def test_it_is_neither_foreign_nor_changed(prefix: Path, cli: Command) -> None:
    cli("verify").succeeded()
    cli("verify", "--quick").succeeded()
    assert cli("create", "--verify").succeeded().err.endswith("up to date, nothing to do\n")
    answer = cli("create", "--json").succeeded().json()
    assert (answer["kernel"], answer["foreign"], answer["damaged"]) == (None, [], {})
    (prefix / "mine.txt").touch()
    assert strangers(prefix) == ("mine.txt",)


@pytest.mark.parametrize("text", ['{"argv": ["/tmp/evil"]}', "{", "\udcff"])
def test_a_change_of_it_is_found_and_mended(prefix: Path, cli: Command, text: str) -> None:
    (prefix / OURS).write_bytes(text.encode(errors="surrogateescape"))
    assert cli("verify").out == f"{OURS}: is not the kernel `demo` that `create` writes\n"
    assert cli("create", "--dry-run", "--json").succeeded().json()["kernel"] == "write"
    cli("create").succeeded()
    assert kernel(prefix)["display_name"] == "demo"
    cli("verify").succeeded()


def test_it_follows_the_environment(prefix: Path, cli: Command, tmp_path: Path) -> None:
    cli("env", "rename", "train").succeeded()
    renamed = prefix.parent / "train"
    assert (kernel(renamed)["display_name"], kernel(renamed)["argv"][0]) == ("train", f"{renamed}/bin/python")
    assert cli("create", "--name", "train").succeeded().err.endswith("up to date, nothing to do\n")
    cli("verify", str(renamed)).succeeded()
    cli("env", "rename", "--name", "train", str(tmp_path / "deep/er")).succeeded()
    moved = kernel(tmp_path / "deep/er")
    assert (moved["display_name"], moved["argv"][0]) == ("demo", f"{tmp_path}/deep/er/bin/python")
    (tmp_path / "deep/er").rename(tmp_path / "by-hand")
    cli("create", "--prefix", str(tmp_path / "by-hand")).succeeded()
    assert kernel(tmp_path / "by-hand")["argv"][0] == f"{tmp_path}/by-hand/bin/python"


def test_it_goes_with_ipykernel(prefix: Path, project: Project, cli: Command) -> None:
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    assert f"{OURS}: the environment has no kernel" in cli("verify").out
    assert "  kernel to remove: ipykernel is not in the lock\n" in cli("create").succeeded().err
    assert not (prefix / "share/jupyter").exists()
    cli("verify").succeeded()
