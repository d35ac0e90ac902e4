from __future__ import annotations

from envgen.builds import differing, listed_files
from envgen.digest import Sha256


def digests(*paths: str, content: str = "x") -> dict[str, Sha256]:
    return {path: Sha256.of(f"{path}{content}".encode()) for path in paths}


def test_a_small_wheel_is_listed_file_by_file() -> None:
    found = listed_files(digests("a/b.py", "a/c/d.py"))
    assert list(found) == ["a/b.py", "a/c/d.py"]
    assert all(len(digits) == 16 for digits in found.values())


def test_a_large_wheel_is_listed_by_folders() -> None:
    paths = [f"top/deep{n % 3}/file{n}.py" for n in range(1000)]
    one = listed_files(digests(*paths, "top/own.py"))
    assert list(one) == ["top/deep0/", "top/deep1/", "top/deep2/", "top/own.py"]
    other = listed_files({**digests(*paths, "top/own.py"), **digests("top/deep1/file1.py", content="y")})
    assert differing(one, other) == ("top/deep1/",)


def test_what_is_missing_differs() -> None:
    assert differing({"a": "1", "b": "2"}, {"b": "2", "c": "3"}) == ("a", "c")
