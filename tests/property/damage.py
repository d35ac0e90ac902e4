"""Foreign bytes with something wrong in them: cut, flipped, with odd values in place of good ones."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

TOKENS = (
    *(b"\0", b"\xff\xfe", b"\xc2\xb2", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\x1b]0;x\x07", b"\r", b"\n\n", b"\t", b" "),
    *(
        b"../",
        b"/",
        b"\\",
        b"~",
        b"%2e%2e/",
        b"a" * 300,
        b"[" * 3000,
        b"{" * 3000,
        b"(" * 200,
        b"&a [*a]",
        b"*a",
        b"<<: 5",
    ),
    *(b"!!bool x", b"!!int x", b"!!binary x", b"? ", b"- ", b": ", b"'", b'"', b"#", b"|", b">", b"%TAG ! x", b"---\n"),
    *(
        b"-1",
        b"0",
        b"1e999",
        b"NaN",
        b"9" * 5000,
        b"18446744073709551616",
        b"2026-99-99",
        b"99999999999",
        b"null",
        b"true",
    ),
    *(
        b"{{ x }}",
        b"{% for a in b %}",
        b"${{ x }}",
        b"==",
        b">=1,",
        b"~=",
        b"; extra == 'x'",
        b"@ file:///x",
        b"<a href=x>",
    ),
)
"""What parsers stumble over, of which each has been a fault somewhere."""

ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 2**64, 10**400, "", "x", "..", "/x", "a\nb", "\ud800", "\u202e", "9" * 5000, "a" * 300),
    *([], {}, [None], [[]], {"": None}, ["x", 1], "file:///x", "2026-99-99", ">=1,", "sha256:zz"),
)
"""Values that stand where others should."""


@st.composite
def damaged(draw: st.DrawFn, sample: bytes) -> bytes:
    """Draw a sample with up to four changes."""
    data = bytearray(sample)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = at + draw(st.sampled_from((0, 0, 1, 1, 2, 8, 64)))
        data[at:end] = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4)))
    return bytes(data[: draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))])


@st.composite
def odd_json(draw: st.DrawFn, document: Any) -> bytes:
    """Draw a JSON document with odd values at up to three places."""
    root = [copy.deepcopy(document)]
    for _ in range(draw(st.integers(1, 3))):
        holder: Any = root
        key: Any = 0
        while isinstance(holder[key], dict | list) and holder[key] and draw(st.integers(0, 4)):
            holder = holder[key]
            key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        value = copy.deepcopy(draw(st.sampled_from(ODD)))
        if isinstance(holder, dict) and draw(st.booleans()):
            holder[str(draw(st.sampled_from(ODD)))] = holder.pop(key)
        else:
            holder[key] = value
    return json.dumps(root[0]).encode("utf-8", "surrogatepass")
