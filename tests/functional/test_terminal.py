"""What servers, packages, specs and locks say never reaches a terminal raw."""

from __future__ import annotations

import json
import unicodedata
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from envgen.export.formats import FORMATS
from tests.builders.wheels import make_wheel, wheel_filename
from tests.functional.conftest import SPEC
from tests.functional.test_lock import LOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.builders.registries import Registries
    from tests.command import Command, Outcome, Project

EVIL = "\x1b]0;x\x07\x9b2J\u202e\nerror: all is well"
READING = [
    ("list",),
    ("list", "--json"),
    ("tree",),
    ("tree", "--json"),
    ("why", "eggs"),
    ("why", "eggs", "--json"),
    ("licenses",),
    ("licenses", "--json"),
    ("doctor",),
    ("doctor", "--json"),
    ("diff", "locks", "locks"),
    ("lock", "--check"),
    ("lock", "--check", "--json"),
    ("lock",),
    ("lock", "--json"),
    ("create", "--dry-run"),
    ("create", "--dry-run", "--frozen"),
    ("create", "--dry-run", "--json"),
    ("image", "--dry-run", "--frozen"),
    ("build",),
    ("run", "--", "true"),
    ("shell-hook",),
    ("clean",),
    *(("export", form) for form in FORMATS),
]


def is_clean(outcome: Outcome) -> bool:
    said = outcome.out + outcome.err
    hidden = [c for c in said if c != "\n" and unicodedata.category(c) in {"Cc", "Cf"}]
    return not hidden and not [line for line in said.splitlines() if line == "error: all is well"]


class _Rude(BaseHTTPRequestHandler):
    """Answers everything with a reason that a terminal would act on."""

    def do_GET(self) -> None:
        self.wfile.write("HTTP/1.1 403 \x1b]0;x\x07\x9b2J FAKE\r\nContent-Length: 0\r\n\r\n".encode("latin-1"))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def rude() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Rude) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()


@pytest.mark.parametrize("command", [("lock",), ("lock", "--json"), ("doctor",), ("doctor", "--json")], ids=" ".join)
def test_reason_of_a_server(demo: Project, cli: Command, rude: str, command: tuple[str, ...]) -> None:
    outcome = cli(*command, ENVGEN_PYPI=rude)
    assert outcome.code
    assert is_clean(outcome), repr(outcome)
    assert "FAKE" in outcome.out + outcome.err


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_field_of_a_lock(locked: Project, cli: Command, command: tuple[str, ...]) -> None:
    file = locked.root / "locks" / LOCK
    good = file.read_text()
    for change in ({"dependencies": {EVIL: EVIL}}, {"name": EVIL}, {"version": EVIL}, {"url": EVIL}, {EVIL: EVIL}):
        document: Any = yaml.safe_load(good)
        document["package"][0] |= change
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        outcome = cli.process(*command) if command[0] == "run" else cli(*command)
        assert is_clean(outcome), repr(outcome)


@pytest.mark.parametrize(
    "spec", [f"python: {json.dumps(EVIL)}\n", SPEC + f"{json.dumps(EVIL)}: 1\n", SPEC + f"names: {json.dumps(EVIL)}\n"]
)
@pytest.mark.parametrize("command", [("lock",), ("list",), ("create",), ("doctor",), ("export", "spdx")], ids=" ".join)
def test_value_of_a_spec(project: Project, cli: Command, spec: str, command: tuple[str, ...]) -> None:
    project.spec("demo", spec)
    outcome = cli(*command)
    assert outcome.code
    assert is_clean(outcome), repr(outcome)


@pytest.mark.parametrize(
    "command", [("licenses",), ("licenses", "--json"), ("list",), ("list", "--json")], ids=" ".join
)
def test_metadata_of_a_wheel(project: Project, registries: Registries, cli: Command, command: tuple[str, ...]) -> None:
    evil = EVIL.partition("\n")[0]
    wheel = make_wheel("rude", fields=[("License", evil), ("Summary", evil), ("Home-page", evil)])
    registries.index.add(wheel_filename("rude"), wheel)
    registries.publish()
    project.spec("demo", SPEC.replace("[spam", "[rude, spam"))
    assert is_clean(cli("lock").succeeded())
    assert is_clean(cli("create").succeeded())
    outcome = cli(*command).succeeded()
    assert is_clean(outcome), repr(outcome)
    assert command[0] == "list" or "]0;x" in outcome.out
