"""The page: complete, escaped, small, and working in a browser."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from envgen.project.shipped import report_texts
from envgen.report.model import (
    ReportedChange,
    ReportedDifference,
    ReportedFinding,
    ReportedFolder,
    ReportedImage,
    ReportedLayer,
)
from envgen.report.page import license_counts, render_page
from envgen.structs import replace
from tests.unit.report.samples import HOSTILE, hostile, package, report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.report.model import Report

has_browser = pytest.mark.skipif(
    not all(map(shutil.which, ("chromium", "chromedriver"))), reason="needs chromium and chromedriver"
)
THEMES = ("light", "dark")
WIDTHS = (1280, 400)


def page_of(one: Report) -> str:
    return render_page(one, report_texts())


class _Tags(html.parser.HTMLParser):
    """Collects tags, and the texts of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append(data)


@pytest.mark.parametrize("one", [report(), hostile()], ids=["plain", "hostile"])
def test_the_page_loads_nothing_and_has_only_its_own_script(one: Report) -> None:
    found = _Tags(page_of(one))
    assert not {tag for tag, _ in found.tags} & {"img", "link", "iframe", "object", "base", "form"}
    assert not [
        value for _, attributes in found.tags for name, value in attributes.items() if name in ("src", "onerror")
    ]
    assert all((facts["href"] or "").startswith("#") for tag, facts in found.tags if tag == "a")
    data, script = found.scripts
    assert script == report_texts()["page.js"]
    (policy,) = [facts["content"] for tag, facts in found.tags if facts.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in (policy or "")
    assert [node[1] for node in json.loads(data)] == [p.size for p in one.packages if p.size]


def test_hostile_text_is_shown_as_text() -> None:
    page = page_of(hostile())
    assert HOSTILE not in page
    assert not re.search("[\u202e\x1b]", page)
    assert "&lt;img src=x" in page


def test_the_same_report_is_the_same_page() -> None:
    assert page_of(hostile()) == page_of(hostile())


def test_headings_and_regions_are_named() -> None:
    found = _Tags(page_of(hostile())).tags
    ids = {facts["id"] for _, facts in found if "id" in facts}
    assert {facts["aria-labelledby"] for tag, facts in found if tag == "section"} <= ids
    assert all(facts.get("aria-label") for _, facts in found if facts.get("role") in ("region", "group"))
    assert all(facts.get("scope") for tag, facts in found if tag == "th")
    assert {facts["href"] for tag, facts in found if tag == "a"} <= {f"#{name}" for name in ids}


def test_what_is_not_in_the_cache_is_said() -> None:
    page = page_of(report(packages=(package(), package("numpy", installed=None, download=10))))
    assert "1 of 2 packages is not in the cache: numpy" in page
    assert "size of the download" in page


def test_files_of_a_finding_that_are_not_listed_are_counted() -> None:
    page = page_of(hostile())
    assert "<summary>25 files</summary>" in page
    assert "and 24 more, which <code>envgen check --json</code> lists" in page


def test_the_map_and_the_legend_say_what_changed_and_why_a_package_is_there() -> None:
    changes = (
        ReportedChange(name="torch", kind="wheel", before="0.9", after="1.0", growth=-30),
        ReportedChange(name="gone", kind="wheel", before="1", after=None, growth=-5),
    )
    difference = ReportedDifference(against="HEAD~1", changes=changes, download_before=100, download_after=65)
    packages = (
        package(reason=("pypi: torch",)),
        package("numpy", installed=40, group="rest", reason=("pypi: torch", "numpy")),
    )
    page = page_of(report(packages=packages, difference=difference))
    torch, numpy = json.loads(_Tags(page).scripts[0])
    assert torch[4:] == ["1.0", "before 0.9, download −30 B; required by pypi: torch", True]  # noqa: RUF001
    assert numpy[4:] == ["1.0", "required by pypi: torch → numpy", False]
    assert re.findall(r'torch <span class="soft">100 B|rest <span class="soft">40 B', page)
    assert "pypi: torch → numpy</td>" in page
    assert "−35 B to download" in page  # noqa: RUF001
    assert '<span class="badge bad">gone</span>' in page


def test_an_accepted_finding_does_not_count_as_a_warning() -> None:
    found = ReportedFinding(
        rule="OMP002", severity="warning", what="`a` <b>", files=(), file_count=0, remedy=None, accepted="tested `c`"
    )
    page = page_of(report(findings=(found, replace(found, accepted=None))))
    assert '<span class="badge warning">1 warning</span> <span class="badge accepted">1 accepted</span>' in page
    assert "<code>a</code> &lt;b&gt;" in page
    assert "accepted: tested <code>c</code>" in page


def test_the_layers_that_changes_touch_are_counted() -> None:
    layers = tuple(
        ReportedLayer(group="torch", size=size, packages=("torch",), touched=touched)
        for size, touched in ((100, ("torch",)), (7, ()))
    )
    difference = ReportedDifference(against="main", changes=(), download_before=1, download_after=1)
    page = page_of(report(image=ReportedImage(planned=True, layers=layers), difference=difference))
    assert "<strong>1 of 2</strong> layers: 100 B." in page


def test_five_hundred_packages_stay_below_a_megabyte() -> None:
    folders = tuple(ReportedFolder(name=f"lib/python3.11/site-packages/folder-{n}", size=1) for n in range(4))
    many = tuple(package(f"package-{n:04}", license="Apache-2.0", folders=folders) for n in range(500))
    assert len(page_of(report(packages=many)).encode()) < 10**6


def test_licences_unknown_first_then_by_count() -> None:
    packages = (package("a", license="MIT"), package("b", license="MIT"), package("c", license="0BSD"), package("d"))
    assert [(one.name, one.packages) for one in license_counts(packages)] == [
        (None, ("d",)),
        ("MIT", ("a", "b")),
        ("0BSD", ("c",)),
    ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    )
    try:
        yield driver
    finally:
        driver.quit()


def opened(browser: Any, tmp_path: Path, one: Report, *, width: int = 1280, theme: str = "light") -> None:
    (tmp_path / "page.html").write_text(page_of(one), encoding="utf-8")
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get((tmp_path / "page.html").as_uri())


@has_browser
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_error_and_nothing_beside_the_screen(browser: Any, tmp_path: Path, width: int, theme: str) -> None:
    one, word = hostile(), "A_VARIABLE_WITH_A_VERY_LONG_NAME_THAT_HAS_NO_BLANK"
    one = replace(one, description=word, audit=replace(one.audit, remarks=(f"set {word}",)))
    opened(browser, tmp_path, one, width=width, theme=theme)
    assert browser.get_log("browser") == []
    wide = "return [...document.querySelectorAll('p, li, dd')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert browser.execute_script(wide) == 0
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    headings = "return [...document.querySelectorAll('thead th')].map(cell => cell.clientHeight)"
    assert max(browser.execute_script(headings)) < 60
    assert len(browser.execute_script("return [...document.querySelectorAll('#map button')].map(b => b.title)")) == 1


@has_browser
def test_the_map_is_entered_and_left_by_keys(browser: Any, tmp_path: Path) -> None:
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    inner = (ReportedFolder(name="lib", size=60, folders=(ReportedFolder(name="deep", size=10),)),)
    packages = (package("large", folders=inner, reason=("pypi: large",)), package("small", installed=50))
    opened(browser, tmp_path, report(packages=packages))

    def named() -> list[str]:
        found: list[str] = browser.execute_script(
            "return [...document.querySelectorAll('#map b')].map(b => b.textContent)"
        )
        return found

    assert named() == ["large", "small"]
    browser.find_element("css selector", "#map button").send_keys(keys.ENTER)
    assert named() == ["lib", "other files"]
    assert (
        browser.find_element("id", "here").text == "large 1.0: 100 B, 66.7 % of all, 2 inside; required by pypi: large"
    )
    browser.switch_to.active_element.send_keys(keys.ARROW_RIGHT)
    assert browser.find_element("id", "said").text == "other files: 40 B, 26.7 % of all"
    browser.switch_to.active_element.send_keys(keys.ESCAPE)
    assert named() == ["large", "small"]
    assert browser.switch_to.active_element.get_attribute("data-name") == "large"


@has_browser
def test_which_layers_a_change_touches(browser: Any, tmp_path: Path) -> None:
    one = hostile()
    assert one.image
    opened(browser, tmp_path, replace(one, image=replace(one.image, layers=one.image.layers * 2)))
    browser.execute_script(
        "const chosen = document.getElementById('chosen');"
        "chosen.value = 'more'; chosen.dispatchEvent(new Event('change'));"
    )
    assert browser.find_element("id", "answer").text == "layers 1, 2 of 2: 200 B"
