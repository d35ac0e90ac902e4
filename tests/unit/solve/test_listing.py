from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envgen.digest import Sha256
from envgen.platforms import Platform, PythonMinor, Target
from envgen.solve.listing import Listing, Reason, Rejection, Rules
from tests.unit.solve.fakes import UPLOADED, FakeFile, FakePage

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parents[2] / "cases/wheel_choice.yaml").read_text())


def page(*filenames: str, **facts: Any) -> FakePage:
    found = FakePage()
    for filename in filenames:
        file = FakeFile(**{"filename": filename, "raw": b"", "sha256": Sha256.of(filename.encode()), **facts})
        found.wheels.setdefault(filename.split("-")[1], []).append(file)
    return found


def rules(platform: str = "linux-64", *, python: str | None = "3.11.2", newest: dt.datetime | None = None) -> Rules:
    parsed = Platform(platform)
    on = Target(
        platform=parsed,
        python=PythonMinor(3, 11),
        glibc=(2, 28) if parsed.is_linux else None,
        macos=(12, 0) if "osx" in platform else None,
    )
    return Rules.of(on, python=python, exclude_newer=newest)


def verdict(listing: Listing, version: str = "1", *, pinned: bool = False) -> str:
    found = listing.file(Version(version), pinned=pinned)
    return found.reason.value if isinstance(found, Rejection) else found.filename


@pytest.mark.parametrize(
    ("files", "platform", "expected"),
    [
        pytest.param(case["files"], platform, expected, id=f"{case['name']} ({platform})")
        for case in CASES
        for platform, expected in case["best"].items()
    ],
)
def test_best_wheel(files: list[str], platform: str, expected: str) -> None:
    assert verdict(Listing(page(*files), rules(platform))) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"requires_python": ">=3.12"}, Reason.PYTHON),
        ({"requires_python": ">=3.12.*"}, Reason.PYTHON),
        ({"requires_python": "not a specifier"}, Reason.UNREADABLE),
        ({"yanked": True}, Reason.YANKED),
        ({"sha256": None}, Reason.NO_DIGEST),
        ({"uploaded": None}, Reason.NO_UPLOAD_TIME),
        ({"uploaded": UPLOADED + dt.timedelta(days=99)}, Reason.TOO_NEW),
    ],
)
def test_refused_for_a_reason(facts: dict[str, Any], expected: Reason) -> None:
    listing = Listing(page("spam-1-py3-none-any.whl", **facts), rules(newest=UPLOADED))
    assert verdict(listing) == expected.value


def test_a_name_that_is_none_of_a_wheel_is_never_chosen() -> None:
    listing = Listing(page("spam-1-build-py3-none-any.whl"), rules())
    assert verdict(listing) == Reason.INTERPRETER.value


def test_uploaded_at_the_very_moment_counts() -> None:
    assert verdict(Listing(page("spam-1-py3-none-any.whl"), rules(newest=UPLOADED))) == "spam-1-py3-none-any.whl"


def test_yanked_serves_where_pinned() -> None:
    listing = Listing(page("spam-1-py3-none-any.whl", yanked=True), rules())
    assert verdict(listing, pinned=True) == "spam-1-py3-none-any.whl"
    assert listing.newest(listing.allowing(SpecifierSet("===1"))) == Version("1")
    assert listing.newest(listing.allowing(SpecifierSet(">=1"))) is None


def test_the_locked_file_wins_over_a_better_tag() -> None:
    files = ("spam-1-py3-none-any.whl", "spam-1-cp311-cp311-manylinux_2_17_x86_64.whl")
    kept = Sha256.of(files[0].encode())
    assert verdict(Listing(page(*files), rules(), kept=kept)) == files[0]


def test_an_unknown_patch_release_of_python_is_given_the_benefit() -> None:
    some = page("spam-1-py3-none-any.whl", requires_python=">=3.11.4")
    assert verdict(Listing(some, rules(python=None))) == "spam-1-py3-none-any.whl"
    assert verdict(Listing(some, rules(python="3.11.2"))) == Reason.PYTHON.value


def test_an_old_spelling_of_requires_python_is_read() -> None:
    assert (
        verdict(Listing(page("spam-1-py3-none-any.whl", requires_python=">=3.6.*"), rules()))
        == "spam-1-py3-none-any.whl"
    )


UNEVEN = tuple(f"spam-{version}-py3-none-any.whl" for version in ("1.2.3", "1.2.3.post1", "1.2.3.0.4"))


def test_what_conda_sorts_wrongly_is_left_out_with_a_reason() -> None:
    listing = Listing(page(*UNEVEN), rules())
    assert listing.unusable == {
        Version("1.2.3.post1"): "conda sorts 1.2.3.post1 after 1.2.3.0.4, which is kept instead"
    }
    everything = listing.allowing(SpecifierSet())
    assert list(map(str, listing.matching(everything))) == ["1.2.3.0.4", "1.2.3"]
    assert [r.reason for r in listing.blocked(everything).values()] == [Reason.UNUSABLE]


@pytest.mark.parametrize(
    ("facts", "left_out"),
    [
        ({"locked": Version("1.2.3.post1")}, ["1.2.3.0.4"]),
        ({"required": [SpecifierSet("==1.2.3.post1")]}, []),
        ({"required": [SpecifierSet("!=1.2.3.0.4")]}, []),
    ],
)
def test_what_is_locked_or_required_is_not_left_out(facts: dict[str, Any], left_out: list[str]) -> None:
    assert list(map(str, Listing(page(*UNEVEN), rules(), **facts).unusable)) == left_out


def test_what_gives_way_to_the_lock_says_so() -> None:
    found = Listing(page(*UNEVEN), rules(), locked=Version("1.2.3.post1")).unusable
    assert list(found.values()) == ["conda sorts 1.2.3.0.4 before 1.2.3.post1, which is locked"]


def test_what_cannot_be_chosen_anyway_displaces_nothing() -> None:
    some = page(*UNEVEN[:2])
    some.wheels |= page(UNEVEN[2], requires_python=">=3.12").wheels
    assert not Listing(some, rules()).unusable
    some.wheels |= page(UNEVEN[2], yanked=True).wheels
    assert list(map(str, Listing(some, rules()).unusable)) == ["1.2.3.0.4"]
    some.wheels = page(*UNEVEN[:2], "spam-1.2.3.0.4rc1-py3-none-any.whl").wheels
    assert list(map(str, Listing(some, rules()).unusable)) == ["1.2.3.0.4rc1"]


def test_names_that_are_no_versions_are_passed_over() -> None:
    some = page(
        "spam-2-py3-none-any.whl",
        "spam-2004d-py3-none-any.whl",
        "spam-final-py3-none-any.whl",
        f"spam-{'1' * 4301}-any",
    )
    assert Listing(some, rules()).versions == (Version("2"),)


def test_both_of_two_specifiers() -> None:
    listing = Listing(page(*(f"spam-{v}-py3-none-any.whl" for v in ("1", "2", "3rc1", "3", "1!0"))), rules())
    both = listing.allowing(SpecifierSet("<3")) & listing.allowing(SpecifierSet("!=2"))
    assert listing.newest(both) == Version("1")
    assert listing.newest(listing.allowing(SpecifierSet(""))) == Version("1!0")
    assert listing.newest(listing.allowing(SpecifierSet("~=3.0rc1"))) == Version("3")
    assert listing.newest(listing.allowing(SpecifierSet("==3rc1"))) == Version("3rc1")


def test_no_page_offers_nothing() -> None:
    listing = Listing(None, rules())
    assert not listing.exists
    assert listing.newest(listing.allowing(SpecifierSet(""))) is None
    assert verdict(listing) == Reason.SDIST.value
