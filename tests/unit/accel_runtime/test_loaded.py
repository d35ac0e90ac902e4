"""cuDNN of the environment is kept, and another one is named."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from accel_runtime import loaded

SAMPLE = Path(getattr(importlib.util.find_spec("zstandard.backend_c"), "origin", ""))


def site(root: Path) -> Path:
    """Make a site-packages with two parts of cuDNN."""
    folder = root / "site/nvidia/cudnn/lib"
    folder.mkdir(parents=True)
    for name in ("ops", "graph"):
        shutil.copyfile(SAMPLE, folder / f"libcudnn_{name}.so.9")
    return root / "site"


def test_nothing_is_loaded_where_nothing_is_replaced(tmp_path: Path) -> None:
    place = site(tmp_path)
    own = place / "nvidia/cudnn/lib"
    assert loaded.keep_own(place, {}) == ()
    assert loaded.keep_own(place, {"LD_LIBRARY_PATH": f"{tmp_path}/none::{own}"}) == ()
    assert loaded.keep_own(tmp_path, {"LD_LIBRARY_PATH": str(own)}) == ()


def test_another_cudnn_comes_second(tmp_path: Path) -> None:
    place = site(tmp_path)
    own = place / "nvidia/cudnn/lib"
    other = tmp_path / "other"
    other.mkdir()
    shutil.copyfile(SAMPLE, other / "libcudnn_ops.so.9")
    kept = loaded.keep_own(place, {"LD_LIBRARY_PATH": f"{other}:{own}"})
    assert kept == (own / "libcudnn_graph.so.9", own / "libcudnn_ops.so.9")
    maps = Path("/proc/self/maps").read_text()
    assert str(own / "libcudnn_ops.so.9") in maps
    assert str(other) not in maps
    assert loaded.keep_own(place, {"LD_LIBRARY_PATH": f"{own}:{other}"}) == ()


def test_who_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    place = site(tmp_path)
    names = [
        f"{place}/nvidia/cudnn/lib/libcudnn_ops.so.9",
        "",
        "/lib/libc.so.6",
        *2 * ["/opt/cu da/libcudnn_graph.so.9"],
    ]
    maps = "".join(f"7f-80 r-xp 0 fe:00 1  {name}\n" for name in names)
    assert list(loaded.strangers(maps, place)) == [Path("/opt/cu da/libcudnn_graph.so.9")]
