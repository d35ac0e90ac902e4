"""Archives of Nix: as its own programs write them, and fixed ones where those are not installed."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Digest, Sha256
from envgen.errors import EnvgenError
from envgen.export.nar import NarFile, NarFolder, NarLink, NarNode, nix32, store_path, write_nar

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"a": (b"", False), "b/12345678": (b"12345678", True), "b.c": (b"x", False), "ü/z": (b"123456789", False)}
NODES: tuple[NarNode, ...] = (
    NarLink(path="z", target="b/../a"),
    NarFolder(path="b/empty"),
    *(
        NarFile(path=path, size=len(data), executable=executable, pieces=lambda data=data: iter([data]))  # type: ignore[misc]
        for path, (data, executable) in FILES.items()
    ),
)
DIGEST = Sha256("f52a9b247d4c90f5d5a60c0108919af5c6510af9137668356f3bf56f3121ae0a")
"""Of `nix-store --dump` of that tree, by Nix 2.8.0."""


def written(*nodes: NarNode) -> bytes:
    found = bytearray()
    write_nar(nodes, found.extend)
    return bytes(found)


def test_a_tree() -> None:
    assert Sha256.of(written(*NODES)) == DIGEST
    assert written(*reversed(NODES)) == written(*NODES)


@pytest.mark.skipif(shutil.which("nix-store") is None, reason="nix is not installed")
def test_a_tree_as_nix_writes_it(tmp_path: Path) -> None:
    for path, (data, executable) in FILES.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(0o755 if executable else 0o644)
    (tmp_path / "z").symlink_to("b/../a")
    (tmp_path / "b/empty").mkdir()
    done = subprocess.run(["nix-store", "--dump", tmp_path], capture_output=True, check=True, env={"PATH": "/usr/bin"})
    assert written(*NODES) == done.stdout


def test_base_32() -> None:
    assert nix32(Digest().digest()) == "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"


def test_store_path() -> None:
    """The path is what `nix-store --print-fixed-path --recursive sha256` of Nix 2.8.0 prints."""
    assert store_path(DIGEST, "demo-env", store="/nix/store") == "/nix/store/24142x112sqxii6f1z9chl25dnqasfci-demo-env"


def test_what_cannot_be_in_one_tree_is_refused() -> None:
    link = NarLink(path="a", target="x")
    with pytest.raises(EnvgenError, match="duplicate path `a`"):
        written(link, NarLink(path="a", target="y"))
    with pytest.raises(EnvgenError, match="below a file"):
        written(link, NarLink(path="a/b", target="y"))
    with pytest.raises(EnvgenError, match="has 1 bytes, expected 2"):
        written(NarFile(path="f", size=2, executable=False, pieces=lambda: [b"x"]))
