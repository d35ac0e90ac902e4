"""Which Debian package has a shared library, read from `Contents`."""

from __future__ import annotations

import io

import pytest

from envgen.sources import debian_contents
from envgen.sources.debian_contents import condense_contents, parse_libraries

CONTENTS = b"""\
bin/ls                                                   utils/coreutils
lib/x86_64-linux-gnu/libfoo.so.1                         libs/libfoo1
usr/lib/x86_64-linux-gnu/libbar.so.2                     libs/libbar2,oldlibs/libbar2-compat
usr/lib/x86_64-linux-gnu/libbar.so                       libdevel/libbar-dev
usr/lib/x86_64-linux-gnu/private/libfoo.so.1             contrib/games/other
usr/share/doc/libfoo.so.1                                doc/foo-doc
usr/lib/libplain.so.3                                    non-free/libs/libplain3
"""


@pytest.mark.parametrize("block", [1, 7, 100, 1 << 20])
def test_libraries_where_the_loader_looks(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian_contents, "_BLOCK", block)
    condensed = condense_contents(io.BytesIO(CONTENTS))
    assert parse_libraries([condensed, b"libfoo.so.1 libfoo1-new\n", b""]) == {
        "libbar.so": ("libbar-dev",),
        "libbar.so.2": ("libbar2", "libbar2-compat"),
        "libfoo.so.1": ("libfoo1", "libfoo1-new"),
        "libplain.so.3": ("libplain3",),
    }
