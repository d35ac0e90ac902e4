"""The command lines of the benchmarks: what cannot be is refused before anything is measured."""

from __future__ import annotations

import pytest

from tests.benchmarks import bench_all, bench_create, bench_image, compare

ALL = {module.__name__.rpartition(".")[2]: module for module in (bench_all, bench_create, bench_image)}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--work", "/nowhere/at/all"], "argument --work: `/nowhere/at/all` is not a folder"),
        (["--rounds", "0"], "argument --rounds: expected a number from 1 on, got `0`"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    name: str, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [name, *words])
    with pytest.raises(SystemExit, match="2"):
        ALL[name].main()
    assert told in capsys.readouterr().err


def test_two_checkouts_have_to_be_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["compare", "/nowhere", "."])
    with pytest.raises(SystemExit, match="2"):
        compare.main()
    assert "`/nowhere` is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize("group", bench_all.groups())
def test_each_group_has_cases_of_its_own(group: str) -> None:
    jobs = [case.job for case in bench_all.chosen([group], None)]
    assert jobs
    assert len(set(jobs)) == len(jobs)
