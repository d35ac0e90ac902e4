from __future__ import annotations

import pytest
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from envgen.lenient import parse_requirement, parse_specifiers

SPELLINGS = [
    (">=3.6.*", ">=3.6"),
    (">=3.*", ">=3"),
    (">=2.7,!=3.0.*,!=3.1.*,<3.4.*", ">=2.7,!=3.0.*,!=3.1.*,<3.4"),
    (">=2.7,!=3.0*,!=3.1*", ">=2.7,!=3.0.*,!=3.1.*"),
    ("!=~5.0,>=4.12", "!=5.0.*,>=4.12"),
    (">=7.2.0<8.0.0", ">=7.2.0,<8.0.0"),
    (">=1!2.0<2!3", ">=1!2.0,<2!3"),
    (">=3.6,", ">=3.6"),
    (">=2.7, !=3.0.*, !=3.4.*, ", ">=2.7,!=3.0.*,!=3.4.*"),
    (">=9.0.0a1.0", ">=9.0.0a1"),
    (">dev", ">0.0.0.dev0"),
    (">= '2.7'", ">=2.7"),
    ('>="3.6"', ">=3.6"),
    (">=1.3.0,<1.4.0',", ">=1.3.0,<1.4.0"),
    (">=2.7, !=3.1.*', !=3.3*'", ">=2.7,!=3.1.*,!=3.3.*"),
]


@pytest.mark.parametrize(("text", "standard"), SPELLINGS)
def test_an_old_spelling_of_specifiers_is_read(text: str, standard: str) -> None:
    assert parse_specifiers(text) == SpecifierSet(standard)


@pytest.mark.parametrize(("text", "standard"), SPELLINGS)
@pytest.mark.parametrize("form", ["spam {}", "spam ({})", "spam[ham, eggs]{}", "'spam' {} ; python_version >= '3.7'"])
def test_an_old_spelling_of_a_requirement_is_read(form: str, text: str, standard: str) -> None:
    assert parse_requirement(form.format(text)) == Requirement(form.replace("'spam'", "spam").format(standard))


@pytest.mark.parametrize("text", ["", ">=1,<2", "==3.*,!=3.1.*", "===1.0", "~=2.2rc1", ">=1!2"])
def test_what_the_standard_allows_is_not_changed(text: str) -> None:
    assert str(parse_specifiers(text)) == str(SpecifierSet(text))
    assert str(parse_requirement(f"spam{text}")) == str(Requirement(f"spam{text}"))


@pytest.mark.parametrize("text", ["3.6", "=>3.6", "*", "~=3.6.*", ">=3.6 <4", ">=3.6 || <2", ">=3.6.x", ">=3.6.", "^3"])
def test_what_has_no_clear_meaning_is_refused_as_it_was_written(text: str) -> None:
    with pytest.raises(InvalidSpecifier) as specifiers:
        parse_specifiers(text)
    assert text in str(specifiers.value)
    with pytest.raises(InvalidRequirement) as requirement:
        parse_requirement(f"spam {text}")
    assert text in str(requirement.value)


def test_a_number_that_python_does_not_read_is_refused() -> None:
    for text in (f">={'1' * 4301}", f"=={'1' * 9999}.*"):
        with pytest.raises(InvalidSpecifier, match="more than 4300 digits"):
            parse_specifiers(text)
        with pytest.raises(InvalidRequirement, match="more than 4300 digits"):
            parse_requirement(f"spam{text}")
    assert not parse_specifiers(">=" + ",>=".join(["1" * 4000] * 3)).contains("2")


@pytest.mark.parametrize("text", ["", "spam >=1 ; python_version < 3", "spam ham"])
def test_a_requirement_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequirement):
        parse_requirement(text)
