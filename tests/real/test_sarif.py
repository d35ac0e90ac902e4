"""`audit --sarif` against the JSON schema of SARIF 2.1.0, which a package of Node.js has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import pytest

from envgen.audit.affects import Ecosystem
from envgen.audit.findings import Vulnerability
from envgen.audit.sarif import sarif
from envgen.audit.subjects import Audited
from envgen.packages import PackageKind
from envgen.platforms import Platform
from envgen.structs import replace
from tests.real import npm

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
PACKAGE = "@microsoft/jest-sarif"
SCHEMA = f"node_modules/{PACKAGE}/lib/schemas/sarif-2.1.0-rtm.5.json"

SPAM = Audited(
    name="spam",
    version="1.0",
    kind=PackageKind.WHEEL,
    ecosystem=Ecosystem.PYPI,
    release=None,
    project="spam",
    project_version="1.0",
    is_assumed=False,
    platforms=(Platform.LINUX_64,),
)
KNOWN = Vulnerability(
    subject=SPAM,
    id="CVE-2026-1",
    aliases=("GHSA-spam",),
    summary='"<b>" \N{SNOWMAN}\n{0} [x](y)',
    severity="CVSS:3.1/AV:N",
    fixed="2.0",
    is_minor=False,
)
FOUND = (
    KNOWN,
    replace(KNOWN, id="CVE-2026-2", aliases=(), summary="", severity=None, fixed=None),
    replace(KNOWN, id="CVE-2026-3", severity="HIGH", ignored="it is not used"),
    replace(KNOWN, id="CVE-2026-4", severity="unimportant", is_minor=True),
)


def test_reports_are_valid(tmp_path: Path) -> None:
    npm.install(tmp_path, f"{PACKAGE}@1.0.0-beta.0")
    schema = jsonschema.Draft4Validator(json.loads((tmp_path / SCHEMA).read_text()))
    dates = {"advisories of PyPI": "2026-11-20T10:00:00Z", "wheel index": None}
    for found in ((), FOUND):
        document = sarif(found, spec="environments/my spec#1.yaml", dates=dates)
        assert list(schema.iter_errors(document)) == []
        assert list(schema.iter_errors(document | {"version": "2"}))
