"""What messages call a source."""

from __future__ import annotations

import pytest

from envgen.convert.build_backend import SourceName
from envgen.names import project_name


@pytest.mark.parametrize(
    ("version", "text"), [("1.0", "`mylib` 1.0 from `libs/mylib`"), ("", "`mylib` from `libs/mylib`")]
)
def test_a_version_that_is_not_known_is_left_out(version: str, text: str) -> None:
    assert str(SourceName(project=project_name("mylib"), version=version, origin="libs/mylib")) == text
