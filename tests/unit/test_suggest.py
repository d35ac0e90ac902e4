from __future__ import annotations

import pytest

from envgen.suggest import nearest


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("pytorhc", "did you mean `pytorch`?"),
        ("nccl", "did you mean `nvidia-nccl-cu12`?"),
        ("zzz", None),
    ],
)
def test_nearest_of_several(name: str, hint: str | None) -> None:
    assert nearest(name, {"pytorch", "nvidia-nccl-cu12", "jinja2"}, most=3) == hint


def test_nearest_one() -> None:
    assert nearest("pypl", ["pypi", "python"]) == "did you mean `pypi`?"
    assert nearest("Demo", ["demo"]) == "did you mean `demo`?"
    assert nearest("demo", ["DEMO-2", "other"]) == "did you mean `DEMO-2`?"
    assert nearest("n", ["python"]) is None
