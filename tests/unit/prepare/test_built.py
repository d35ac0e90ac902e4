from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from envgen.convert.package import seal
from envgen.prepare.built import Built, ensure_built
from envgen.system.store import Store

if TYPE_CHECKING:
    from pathlib import Path

INDEX = {"name": "spam", "version": "1.0", "build": "h1_0", "subdir": "noarch"}


def fill(dest: Path) -> None:
    (dest / "share").mkdir()
    (dest / "share/spam").write_text("spam")
    seal(dest, index=INDEX, placeholders={})


def test_what_is_built_stays(tmp_path: Path) -> None:
    store, built = Store(tmp_path), []

    def make(dest: Path) -> None:
        built.append(dest)
        fill(dest)

    first = ensure_built(store, "spam-inputs", make)
    assert ensure_built(store, "spam-inputs", make) == first
    assert len(built) == 1
    assert store.need_package(first.key)


def test_threads_that_want_one_package_build_it_once(tmp_path: Path) -> None:
    """As `python` and `python_abi` do: each asks for all that their recipe makes."""
    built: list[str] = []
    ready = threading.Barrier(2)

    def want(_: int) -> Built:
        ready.wait(10)
        return ensure_built(Store(tmp_path), "spam-inputs", make)

    def make(dest: Path) -> None:
        built.append(threading.current_thread().name)
        time.sleep(0.2)
        fill(dest)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(want, range(2))
    assert first == second
    assert len(built) == 1
