"""The notebook page of an image in a real browser: a cell is run there, in the kernel named after the environment.

`ENVGEN_FULL_IMAGE` names an image with JupyterLab that podman has, and `ENVGEN_NOTEBOOK_NAME` its environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from tests.full.container import started
from tests.full.test_image_runs import image, key

__all__ = ["image", "key"]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

webdriver = pytest.importorskip("selenium.webdriver")
by = pytest.importorskip("selenium.webdriver.common.by").By
keys = pytest.importorskip("selenium.webdriver.common.keys").Keys

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        not all(map(shutil.which, ("podman", "chromium", "chromedriver"))),
        reason="needs podman, chromium, chromedriver",
    ),
]

PATIENCE = 120.0
"""Seconds for the page, and for the kernel."""

FOLDER = "work"
"""Of the notebook, in the home of the image's user."""

NOTEBOOK = {
    "cells": [{"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": [], "source": ""}],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def page() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1400,900",
    ):
        options.add_argument(word)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def test_a_cell_runs_in_the_page(image: str, key: Path, page: Any, tmp_path: Path) -> None:
    notebook = json.loads(json.dumps(NOTEBOOK))
    notebook["cells"][0]["source"] = "import sys; print('prefix', sys.prefix)"
    (tmp_path / "page.ipynb").write_text(json.dumps(notebook))
    (tmp_path / "page.ipynb").chmod(0o666)
    tmp_path.chmod(0o777)
    with started(image, "-v", f"{tmp_path}:/home/user/{FOLDER}", key=key) as container:
        token = container.token()
        assert container.jupyter(token) == 200
        page.get(f"http://127.0.0.1:{container.port(8888)}/lab/tree/{FOLDER}/page.ipynb?token={token}")
        until(page, ".jp-Notebook .jp-CodeCell .cm-content", text="prefix")
        until(page, ".jp-Notebook-ExecutionIndicator[data-status='idle']")
        output = run_cell(page, text="prefix")
        assert output.text.strip() == "prefix /opt/env"
        kernel = until(page, ".jp-Toolbar-kernelName", text=os.environ.get("ENVGEN_NOTEBOOK_NAME", "pt28-accel"))
        assert "Python 3" not in kernel.text


def run_cell(page: Any, *, text: str) -> Any:
    """Run the first cell, and return its output; what JupyterLab shows at its start can have the focus, hence again."""
    for _ in range(10):
        until(page, ".jp-Notebook .jp-CodeCell .cm-content", text=text).click()
        webdriver.ActionChains(page).key_down(keys.CONTROL).send_keys(keys.ENTER).key_up(keys.CONTROL).perform()
        with contextlib.suppress(TimeoutError):
            return until(page, ".jp-OutputArea-output", text=text, patience=PATIENCE / 10)
    raise TimeoutError(f"the cell gave nothing; the page says {page.find_element(by.TAG_NAME, 'body').text!r}")


def until(page: Any, selector: str, *, text: str = "", patience: float = PATIENCE) -> Any:
    """Wait for an element of the page, with some text in it."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        for element in page.find_elements(by.CSS_SELECTOR, selector):
            if text in element.text:
                return element
        time.sleep(0.2)
    raise TimeoutError(f"no {selector} with {text!r}; the page says {page.find_element(by.TAG_NAME, 'body').text!r}")
