"""Files without a sha256 in their index are compared with what it gives instead."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.errors import IntegrityError
from envgen.sources.unproven import measure
from envgen.system.http import Http
from envgen.system.store import Store
from tests.builders.server import serve

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"a wheel"


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_another_digest_is_compared(scheme: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "store").mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "site/x.whl").write_bytes(DATA)
    good, bad = f"md5={hashlib.md5(DATA).hexdigest()}", f"sha512={128 * '0'}"  # noqa: S324
    http = Http(environment={}, sleep=lambda _: None)
    with serve(tmp_path / "site") as server:
        url = f"{server.url}/x.whl" if scheme == "http" else (tmp_path / "site/x.whl").as_uri()
        with pytest.raises(IntegrityError, match=rf"x.whl has sha512 .*, its index has {128 * '0'}"):
            measure(http, store, url, stated=bad)
        assert measure(http, store, url, stated=good) == Sha256.of(DATA)
        assert measure(http, store, url) == Sha256.of(DATA)
