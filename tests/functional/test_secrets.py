"""A secret that comes in by any door comes out by none: output, locks, records, SBOMs, the store, other programs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envgen.export.formats import FORMATS
from envgen.structs import replace
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders.registries import Registries
    from tests.command import Command, Project

MARK = "hunter2hunter2"
ENCODED = "aHVudGVyMmh1bnRlcj"
"""What base64 makes of the mark behind `user:`, in part."""

COMMANDS = [
    ("lock",),
    ("lock", "--upgrade", "--json"),
    ("lock", "--check"),
    ("create",),
    ("create", "--dry-run", "--json"),
    ("list", "--json"),
    ("licenses", "--json"),
    ("doctor",),
    ("doctor", "--json"),
    ("build", "--json"),
    ("image", "--push", f"user:{MARK}@127.0.0.1:9/x:y"),
    ("image", "--push", f"https://user:{MARK}@127.0.0.1:9/x:y"),
    *(("export", form) for form in FORMATS),
]


def _with_login(url: str) -> str:
    return url.replace("http://", f"http://user:{MARK}@")


FORMS: dict[str, Callable[[str], str]] = {
    "login": _with_login,
    "user alone": lambda url: url.replace("http://", f"http://{MARK}@"),
    "no scheme": lambda url: _with_login(url).removeprefix("http://"),
    "slash in the password": lambda url: url.replace("http://", f"http://user:{MARK}/{MARK}@"),
    "token in the path": lambda url: url.replace("/pypi", f"/t/tk-{MARK}/pypi"),
    "query": lambda url: f"{url}?apikey={MARK}&jwt={MARK}&pwd={MARK}&zzz={MARK}&{MARK}",
    "fragment": lambda url: f"{url}#{MARK}",
    "odd scheme": lambda url: _with_login(url).replace("http:", "gopher:"),
    "odd port": lambda url: f"http://user:{MARK}@127.0.0.1:99999/simple",
}
"""How an address can hold a secret."""

OTHERS = ["ENVGEN_CHANNEL", "ENVGEN_DEBIAN", "ENVGEN_DEBIAN_SECURITY", "PIP_INDEX_URL"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the command lines of other programs."""
    found: list[str] = []

    class Recorded(subprocess.Popen[Any]):
        def __init__(self, argv: list[str], **options: Any) -> None:
            found.append(" ".join(map(str, argv)))
            super().__init__(argv, **options)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return found


def run_all(cli: Command, started: list[str]) -> None:
    """Run every command, whatever becomes of it, and look for the mark in all that it left."""
    for command in COMMANDS:
        outcome = cli(*command)
        said = outcome.out + outcome.err
        assert MARK not in said, (command, said)
        assert ENCODED not in said, (command, said)
        assert "Traceback" not in said, (command, said)
    assert not [line for line in started if MARK in line]
    for folder in (cli.directory, Path(cli.variables["CONDA_ENVS_PATH"]), Path(cli.variables["ENVGEN_CACHE"])):
        for file in (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
            assert MARK.encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("variable", "form"),
    [("ENVGEN_PYPI", form) for form in FORMS]
    + [(other, form) for other in OTHERS for form in ("login", "no scheme", "slash in the password", "query")],
)
def test_variable(demo: Project, cli: Command, started: list[str], variable: str, form: str) -> None:
    del demo
    plain = cli.variables.get(variable) or cli.variables["ENVGEN_PYPI"]
    if variable == "PIP_INDEX_URL":
        del cli.variables["ENVGEN_PYPI"]
    cli.variables[variable] = FORMS[form](plain)
    run_all(cli, started)


@pytest.mark.parametrize("form", ["login", "no scheme", "slash in the password", "query"])
def test_settings(demo: Project, cli: Command, started: list[str], form: str) -> None:
    del demo
    home = Path(cli.variables["HOME"])
    url = FORMS[form](cli.variables.pop("ENVGEN_PYPI"))
    (home / ".config/envgen").mkdir(parents=True)
    (home / ".config/envgen/config.toml").write_text(f"[mirrors]\npypi = {json.dumps(url)}\n")
    run_all(cli, started)
    (home / ".config/envgen/config.toml").unlink()
    (home / ".config/pip").mkdir()
    for text in (f"[global]\nindex-url = {url}\n", f"{url}\n", f"[global]\n{url}\n", f"[{url}]\n[{url}]\n"):
        (home / ".config/pip/pip.conf").write_text(text)
        outcome = cli("lock")
        assert MARK not in outcome.out + outcome.err, outcome.err


@pytest.mark.parametrize(
    "text", [f"machine 127.0.0.1 login user password {MARK}\n", f"machine 127.0.0.1 login user pasword {MARK}\n"]
)
def test_netrc(demo: Project, cli: Command, started: list[str], text: str) -> None:
    del demo
    Path(cli.variables["HOME"], ".netrc").write_text(text)
    run_all(cli, started)


@pytest.mark.parametrize("form", FORMS)
def test_channel_of_a_spec(
    project: Project, cli: Command, registries: Registries, started: list[str], form: str
) -> None:
    spec = project.spec("demo", f"{SPEC}channels: [{json.dumps(FORMS[form](registries.channel_url + '/pypi'))}]\n")
    for command in (("lock",), ("list",), ("create",), ("doctor", "--json"), ("export", "spdx")):
        outcome = cli(*command)
        assert MARK not in outcome.out + outcome.err, (command, outcome)
    assert not [line for line in started if MARK in line]
    assert not list(spec.parent.parent.glob("locks/*"))


@pytest.mark.parametrize(
    "target", [f"https://127.0.0.1:9/x?token={MARK}", f"http://u:{MARK}@127.0.0.1:9/t/{MARK}/x", "//["]
)
def test_redirect(demo: Project, cli: Command, registries: Registries, started: list[str], target: str) -> None:
    del demo
    page = f"{target}{MARK}" if target == "//[" else target
    faults = registries.server.faults
    registries.server.faults = replace(faults, redirect={"/pypi/simple/eggs/": page, "/pypi/simple/spam/": page})
    run_all(cli, started)
