from __future__ import annotations

import pytest

from envgen.convert.patterns import compile_pattern, nearest_paths


@pytest.mark.parametrize(
    ("pattern", "path", "meant"),
    [
        ("usr/share/doc/**", "usr/share/doc/python3.11/NEWS.gz", True),
        ("usr/share/doc/**", "usr/share/doc", False),
        ("usr/share/doc/**", "usr/share/documents/x", False),
        ("**/*.a", "usr/lib/libx.a", True),
        ("**/*.a", "libx.a", True),
        ("**/*.a", "usr/lib/libx.ab", False),
        ("usr/bin/*", "usr/bin/x", True),
        ("usr/bin/*", "usr/bin/x/y", False),
        ("usr/**/x", "usr/a/b/x", True),
        ("usr/lib/nis.*.so", "usr/lib/nis.cpython-311.so", True),
        ("usr/lib/nis.*.so", "usr/lib/nisXso", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("x+y[1]", "x+y[1]", True),
    ],
)
def test_pattern(pattern: str, path: str, *, meant: bool) -> None:
    assert bool(compile_pattern(pattern).fullmatch(path)) is meant


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("usr/doc/man1/**", ("usr/share/man/man1",)),
        ("usr/bin/qt-fastart", ("usr/bin/qt-faststart",)),
        ("usr/lib/libfoo.so.1", ("usr/lib/x86_64-linux-gnu/libfoo.so.1",)),
        ("completely/else", ()),
    ],
)
def test_nearest_paths(pattern: str, expected: tuple[str, ...]) -> None:
    paths = ["usr/share/man/man1/a.1.gz", "usr/bin/qt-faststart", "usr/lib/x86_64-linux-gnu/libfoo.so.1"]
    assert nearest_paths(pattern, paths)[: len(expected)] == expected
