"""A function runs in a process of its own: what it returns comes back, and what it imports is what we import."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.system.child import Child, ChildError, call

if TYPE_CHECKING:
    from pathlib import Path


def identify(sha: Sha256) -> tuple[Sha256, int]:
    return sha, os.getpid()


def fail() -> None:
    raise LookupError("no such thing")


def refuse() -> object:
    return lambda: None  # cannot be pickled


def test_arguments_and_results_are_those_of_a_call() -> None:
    sha, process = call(identify, Sha256.of(b""))
    assert sha == Sha256.of(b"")
    assert type(sha) is Sha256
    assert process != os.getpid()


def test_a_failure_says_why() -> None:
    with pytest.raises(ChildError, match="LookupError: no such thing"):
        call(fail)


def test_what_cannot_come_back_is_a_failure() -> None:
    with pytest.raises(ChildError, match="refuse"):
        call(refuse)


def test_nothing_is_imported_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert call(identify, Sha256.of(b""))[1] != os.getpid()


def test_a_child_answers_as_often_as_it_is_asked() -> None:
    child = Child(identify)
    try:
        for text in (b"a", b"b"):
            child.ask(Sha256.of(text))
        answers = [child.answer() for _ in range(2)]
        assert [sha for sha, _ in answers] == [Sha256.of(b"a"), Sha256.of(b"b")]
        assert len({process for _, process in answers} - {os.getpid()}) == 1
    finally:
        child.close()


def test_a_child_that_failed_says_so_and_answers_no_more() -> None:
    child = Child(fail)
    child.ask()
    try:
        for _ in range(2):
            with pytest.raises(ChildError, match="fail failed in a child"):
                child.answer()
    finally:
        child.close()
