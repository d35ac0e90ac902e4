"""Files become folders that can be looked at."""

from __future__ import annotations

from envgen.report.folders import folders_of
from envgen.report.model import ReportedFolder


def test_folders_are_sorted_by_size_and_joined_where_there_is_one() -> None:
    sizes = {"lib/site/torch/a.so": 60, "lib/site/torch/b.py": 20, "lib/site/other.py": 30, "bin/run": 5}
    torch = ReportedFolder(name="torch", size=80, folders=(folder("a.so", 60), folder("b.py", 20)))
    assert folders_of(sizes, total=115) == (
        ReportedFolder(name="lib/site", size=110, folders=(torch, folder("other.py", 30))),
        folder("bin/run", 5),
    )


def test_what_is_too_small_to_be_seen_is_left_out() -> None:
    sizes = {"large": 10**6, **{f"small/{n}": 1 for n in range(100)}}
    assert folders_of(sizes, total=10**6) == (folder("large", 10**6),)


def test_a_file_and_a_folder_of_one_name_do_not_clash() -> None:
    assert sum(one.size for one in folders_of({"a": 1, "a/b": 2}, total=3)) == 3


def folder(name: str, size: int) -> ReportedFolder:
    return ReportedFolder(name=name, size=size)
