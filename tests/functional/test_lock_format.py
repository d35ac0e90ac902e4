"""Locks of format 1, which envgen wrote first: still good for `create`, and renewed by `lock` with their versions."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from tests.functional import world

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

LOCK = "demo.linux-64.conda-lock.yml"
DEBIAN_LOCK = "demo.linux-64.debian-lock.yml"


@pytest.fixture
def old(locked: Project) -> Project:
    """Convert both locks of `demo` to format 1."""
    debian = locked.root / "locks" / DEBIAN_LOCK
    text = debian.read_text().replace("version: 2\n", "version: 1\n", 1)
    debian.write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    lock = locked.root / "locks" / LOCK
    was = lock.read_text()
    assert "envgen.format: '2'" in was
    now = was.replace("envgen.format: '2'", "envgen.format: '1'")
    lock.write_text(re.sub(r"(envgen\.debian-lock:) \w+", rf"\1 {digest}", now))
    return locked


def test_it_is_not_stale(old: Project, cli: Command) -> None:
    before = old.locks()
    cli("lock", "--check").succeeded()
    cli("create", "--prefix", str(old.root / "env")).succeeded()
    cli("create", "--frozen", "--prefix", str(old.root / "other")).succeeded()
    assert old.locks() == before


def test_lock_writes_format_2_and_keeps_versions(old: Project, cli: Command, registries: Registries) -> None:
    registries.index.add(*world.eggs("1.5"))
    registries.publish()
    outcome = cli("lock").succeeded()
    assert "eggs" not in outcome.err
    locks = {name: content.decode() for name, content in old.locks().items()}
    assert "envgen.format: '2'" in locks[LOCK]
    assert "version: 2\n" in locks[DEBIAN_LOCK]
    assert "/eggs-1.1-" in locks[LOCK]
    assert "unchanged" in cli("lock").succeeded().err


def test_an_older_reader_is_told_the_number(locked: Project, cli: Command) -> None:
    lock = locked.root / "locks" / LOCK
    lock.write_text(lock.read_text().replace("envgen.format: '2'", "envgen.format: '3'"))
    outcome = cli("create", "--frozen", "--prefix", str(locked.root / "env"))
    assert outcome.code == 1
    assert f"locks/{LOCK}: format 3 was written by a newer envgen: this one reads up to format 2" in outcome.err
    assert "hint: upgrade envgen" in outcome.err
