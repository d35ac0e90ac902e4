from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from envgen.system.fs import remove_tree
from tests.unit.system.nobody import NOBODY
from tests.unit.system.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder of nobody's that nobody can reach, which pytest's own are not."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, *NOBODY)
    yield folder
    remove_tree(folder)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.http.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a file with the certificates of two authorities, and the key and certificate of a server of the second."""
    folder, first, second = tmp_path_factory.mktemp("tls"), trustme.CA(), trustme.CA()
    (folder / "ca.pem").write_bytes(first.cert_pem.bytes() + second.cert_pem.bytes())
    second.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return folder / "ca.pem", folder / "server.pem"
