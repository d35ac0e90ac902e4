"""The client against this machine's real wheel index and Debian mirror."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from envgen.digest import Sha256
from envgen.system.http import Http
from envgen.system.mirrors import DEBIAN, PYPI, Mirrors

pytestmark = pytest.mark.real


@pytest.fixture
def mirrors() -> Mirrors:
    return Mirrors(environment=os.environ, home=Path.home())


@pytest.fixture
def http() -> Http:
    return Http(environment=os.environ)


def test_a_wheel(http: Http, mirrors: Mirrors) -> None:
    page = http.get(f"{mirrors.resolve(PYPI)}/click/", accept="application/vnd.pypi.simple.v1+json")
    file = next(file for file in reversed(json.loads(page.body)["files"]) if file["filename"].endswith(".whl"))
    out = io.BytesIO()
    size = http.download(file["url"], out, expected=Sha256.parse(file["hashes"]["sha256"]))
    tail, total = http.get_tail(file["url"], 22)
    assert (tail, total) == (out.getvalue()[-22:], size)


def test_a_project_that_does_not_exist(http: Http, mirrors: Mirrors) -> None:
    assert http.get(f"{mirrors.resolve(PYPI)}/no-such-project-of-anybody/").status == 404


def test_a_suite(http: Http, mirrors: Mirrors) -> None:
    found = http.get(f"{mirrors.resolve(DEBIAN)}/dists/bookworm/InRelease")
    assert b"Codename: bookworm" in found.body
