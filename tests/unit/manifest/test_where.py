from __future__ import annotations

import pytest

from envgen.manifest.where import where

SPEC = """\
name: demo
platforms:
  linux-64: {}
  osx-arm64: {}
image:
  base:
    packages:
      - git
      - libze1 [amd64]
"""


@pytest.mark.parametrize(
    ("keys", "item", "line"),
    [
        (("platforms", "osx-arm64"), None, 4),
        (("platforms", "win-64"), None, 2),
        (("image", "base", "packages"), "libze1", 9),
        (("image", "base", "packages"), "absent", 7),
        (("image", "base", "exclude"), None, 6),
    ],
)
def test_the_line_or_that_of_the_nearest_section(keys: tuple[str, ...], item: str | None, line: int) -> None:
    assert where(SPEC, source="x.yaml", keys=keys, item=item) == f"x.yaml:{line}"
