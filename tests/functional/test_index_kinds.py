"""Wheel indexes beside the default one: folders, pages without digests or dates, and logins."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.structs import replace
from tests.builders.index import Index
from tests.builders.server import Faults, serve
from tests.functional.further_indexes import HEAD, XPU, lock_text, publish, said, spec, torch_index, wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.builders.registries import Registries
    from tests.builders.server import Server
    from tests.command import Command, Project


class TestFolders:
    def test_a_folder_of_wheels(self, project: Project, registries: Registries, cli: Command) -> None:
        publish(registries)
        name, data = wheel("acme-core", "1.0+site", code="where = 'folder'\n")
        (project.root / "wheelhouse").mkdir()
        (project.root / "wheelhouse" / name).write_bytes(data)
        spec(project, registries, "acme-core", "  house: {url: ./wheelhouse, projects: [acme-core]}")
        cli("lock").succeeded()
        assert f"${{ENVGEN_INDEX_HOUSE}}/acme-core/{name}" in lock_text(project)
        cli("create").succeeded()

    def test_a_folder_of_pages(self, project: Project, registries: Registries, cli: Command) -> None:
        publish(registries)
        name, data = wheel("acme-core", "1.0")
        folder = project.root / "pages/acme-core"
        folder.mkdir(parents=True)
        (folder / name).write_bytes(data)
        (folder / "index.html").write_text(f'<!DOCTYPE html><a href="{name}">{name}</a>')
        uri = (project.root / "pages").as_uri()
        spec(project, registries, "acme-core", f"  house: {{url: '{uri}', projects: [acme-core]}}")
        cli("lock").succeeded()
        cli("create").succeeded()

    def test_archives_of_other_projects_are_not_taken_for_versions(
        self, project: Project, registries: Registries, cli: Command
    ) -> None:
        publish(registries)
        name, data = wheel("acme", "1.0")
        (project.root / "wheelhouse").mkdir()
        (project.root / "wheelhouse" / name).write_bytes(data)
        (project.root / "wheelhouse/acme-core-9.0.tar.gz").write_bytes(b"")
        spec(project, registries, "acme", "  house: {url: ./wheelhouse, projects: [acme, acme-core]}")
        outcome = cli("lock").succeeded()
        assert "9.0" not in said(outcome)
        assert f"/acme/{name}" in lock_text(project)

    def test_a_folder_that_is_not_there(self, project: Project, registries: Registries, cli: Command) -> None:
        publish(registries)
        spec(project, registries, "acme-core", "  house: {url: ./wheelhouse, projects: [acme-core]}")
        outcome = cli("lock")
        assert outcome.code == 4
        assert "index `house`: folder" in said(outcome)

    def test_a_changed_wheel_is_found(self, project: Project, registries: Registries, cli: Command) -> None:
        publish(registries)
        name, data = wheel("acme-core", "1.0")
        folder = project.root / "wheelhouse"
        folder.mkdir()
        (folder / name).write_bytes(data)
        spec(project, registries, "acme-core", "  house: {url: ./wheelhouse, projects: [acme-core]}")
        cli("lock").succeeded()
        (folder / name).write_bytes(wheel("acme-core", "1.0", code="other = 2\n")[1])
        outcome = cli("create")
        assert outcome.code == 5
        assert "expected" in said(outcome)


class TestLessThanPyPI:
    """Indexes without digests, upload times or pages."""

    def bare(self, registries: Registries) -> None:
        """Serve the index of torch without digests."""
        index = torch_index()
        publish(registries, index)
        content = registries.server.content
        assert isinstance(content, dict)
        for path, page in list(content.items()):
            if path.startswith("/whl/simple/"):
                content[path] = re.sub(rb"#sha256=[0-9a-f]{64}", b"", page)

    def test_a_wheel_without_a_digest_is_hashed_by_download(
        self, project: Project, registries: Registries, cli: Command
    ) -> None:
        self.bare(registries)
        spec(project, registries, '"torch ==2.8.0+cpu"', XPU)
        outcome = cli("lock").succeeded()
        assert "provides no sha256 for `torch-2.8.0+cpu-" in said(outcome)
        files = [p for p in registries.server.paths() if p.startswith("/whl/files/")]
        cli("lock").succeeded()
        cli("create").succeeded()
        again = [p for p in registries.server.paths() if p.startswith("/whl/files/")]
        gets = [
            r
            for r in registries.server.requests
            if r.path.startswith("/whl/files/") and "if-none-match" not in r.headers
        ]
        assert len(gets) == len(files), again

    def test_one_page_of_links(self, project: Project, registries: Registries, cli: Command) -> None:
        index = torch_index()
        publish(registries, index)
        content = registries.server.content
        assert isinstance(content, dict)
        pages = b"".join(page for path, page in content.items() if re.fullmatch("/whl/simple/.+/", path))
        content["/whl/torch_stable.html"] = pages.replace(b"../../files", b"files")
        registries.server.faults = replace(
            registries.server.faults,
            content_types={**registries.server.faults.content_types, "/whl/torch_stable.html": "text/html"},
        )
        indexes = '  pytorch: {url: "@/whl/torch_stable.html", projects: [torch, torchvision]}'
        spec(project, registries, '"torch ==2.8.0+cpu"', indexes)
        outcome = cli("lock").succeeded()
        assert "ignored" not in said(outcome)
        cli("create").succeeded()

    def test_exclude_newer_needs_upload_times_or_a_reason(
        self, project: Project, registries: Registries, cli: Command
    ) -> None:
        publish(registries, torch_index())
        spec(project, registries, '"torch ==2.8.0+cpu"', XPU, more="exclude-newer: 2026-11-22\n")
        outcome = cli("lock")
        assert outcome.code == 3
        assert "the index has no upload time for it, which `exclude-newer` needs" in said(outcome)
        assert '`undated: "reason"` in `indexes.pytorch`' in said(outcome)
        undated = XPU.replace("projects:", 'undated: "has none", projects:')
        spec(project, registries, '"torch ==2.8.0+cpu"', undated, more="exclude-newer: 2026-11-22\n")
        outcome = cli("lock").succeeded()
        assert "`exclude-newer` is not applied to files of index `pytorch` without an upload time: has none" in said(
            outcome
        )
        assert cli("lock", "--check").code == 0


LOGIN = "Basic " + base64.b64encode(b"me:hunter2hunter2").decode()
KEYRING = """#!/bin/sh
echo "$@" >> {log}
case "$*" in
  "--mode creds get http://127.0.0.1:"*) printf 'me\\nhunter2hunter2\\n' ;;
  "get http://127.0.0.1:"*" me") echo hunter2hunter2 ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def closed(project: Project, registries: Registries) -> Iterator[Server]:
    """Serve an index to those with a login alone."""
    publish(registries)
    index = Index()
    index.add(*wheel("acme-core", "1.0"))
    project.spec(
        "demo", f"{HEAD}pypi: [acme-core]\nindexes:\n  team: {{url: '${{TEAM}}/pypi/simple', projects: ['acme-*']}}\n"
    )
    faults = Faults(authorization=LOGIN, content_types=index.content_types())
    with serve(index.site(), faults=faults) as server:
        yield server


def keyring(cli: Command, text: str) -> Path:
    """Write a program `keyring` into PATH, and return the file that it writes its arguments to."""
    folder = Path(cli.variables["HOME"], "bin")
    folder.mkdir()
    (folder / "keyring").write_text(text.format(log=folder / "log"))
    (folder / "keyring").chmod(0o755)
    cli.variables["PATH"] = f"{folder}:{cli.variables['PATH']}"
    return folder / "log"


class TestLogins:
    def test_of_keyring_for_any_user(self, project: Project, closed: Server, cli: Command) -> None:
        log = keyring(cli, KEYRING)
        outcome = cli("lock", TEAM=closed.url).succeeded()
        cli("create", TEAM=closed.url).succeeded()
        assert "hunter2" not in said(outcome) + lock_text(project)
        assert log.read_text().splitlines() == [f"--mode creds get {closed.url}/pypi/simple"] * 2

    def test_of_keyring_for_the_user_of_the_address(self, closed: Server, cli: Command) -> None:
        log = keyring(cli, KEYRING)
        cli("lock", TEAM=closed.url.replace("http://", "http://me@")).succeeded()
        assert log.read_text().splitlines() == [f"get {closed.url}/pypi/simple me"]

    def test_of_the_variable(self, project: Project, closed: Server, cli: Command) -> None:
        outcome = cli("lock", TEAM=closed.url.replace("http://", "http://me:hunter2hunter2@")).succeeded()
        assert "hunter2" not in said(outcome) + lock_text(project)

    def test_of_netrc(self, closed: Server, cli: Command) -> None:
        log = keyring(cli, KEYRING)
        Path(cli.variables["HOME"], ".netrc").write_text("machine 127.0.0.1 login me password hunter2hunter2\n")
        cli("lock", TEAM=closed.url).succeeded()
        assert not log.exists()

    def test_a_keyring_without_it(self, closed: Server, cli: Command) -> None:
        keyring(cli, "#!/bin/sh\nexit 1\n")
        outcome = cli("lock", TEAM=closed.url)
        assert outcome.code == 4
        assert "returned status 401" in said(outcome)
        assert "`~/.netrc`" in said(outcome)

    def test_a_wrong_login_is_told_with_its_source(self, closed: Server, cli: Command) -> None:
        Path(cli.variables["HOME"], ".netrc").write_text("machine 127.0.0.1 login me password wrong\n")
        outcome = cli("lock", TEAM=closed.url)
        assert outcome.code == 4
        assert "it was sent the login from netrc" in said(outcome)

    def test_no_login_is_asked_for_other_servers(self, closed: Server, cli: Command) -> None:
        log = keyring(cli, KEYRING)
        other = closed.url.replace("127.0.0.1", "localhost")
        cli("lock", TEAM=f"{other}", ENVGEN_PYPI=f"{other}/pypi/simple")
        assert f"get {closed.url}" not in log.read_text()
