"""The manifests of Kubernetes that the README shows are valid, by the schemas that Kubernetes publishes."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.command import REPOSITORY

validate = pytest.importorskip("kubernetes_validate")

BLOCKS = [
    block
    for page in (REPOSITORY / "README.md", *sorted((REPOSITORY / "envgen").glob("*/README.md")))
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    if "containers:" in block
]


def test_there_are_some() -> None:
    assert BLOCKS


@pytest.mark.parametrize("text", BLOCKS, ids=lambda text: text.splitlines()[0])
def test_a_manifest_is_valid(text: str) -> None:
    document = yaml.safe_load(text)
    if "kind" not in document:  # the inner part of a pod
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "train"}, "spec": document}
    validate.validate(document, "1.31", strict=True)


def test_a_misspelt_key_is_found() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"nmae": "x"}]}}
    with pytest.raises(validate.ValidationError):
        validate.validate(pod, "1.31", strict=True)
