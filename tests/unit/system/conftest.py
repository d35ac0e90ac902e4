from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

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
