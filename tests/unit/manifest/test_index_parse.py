"""The section `indexes:` of a spec, and what is wrong with it."""

from __future__ import annotations

import pytest

from envgen.errors import SpecError
from envgen.indexes import NamedIndex
from envgen.manifest.parse import parse_spec

HEAD = """\
name: demo
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
indexes:
"""


def read(indexes: str) -> dict[str, NamedIndex]:
    return dict(parse_spec(f"{HEAD}{indexes}\n", source="environments/demo.yaml").indexes)


def faults(indexes: str) -> str:
    with pytest.raises(SpecError) as caught:
        read(indexes)
    return str(caught.value)


def test_indexes_are_read_and_patterns_normalised() -> None:
    found = read('  team: {url: "${TEAM_INDEX}/", projects: ["Acme_*", Torch]}\n  b2: {url: ./wheels, projects: [x]}')
    assert list(found) == ["b2", "team"]
    assert found["team"] == NamedIndex(name="team", url="${TEAM_INDEX}", projects=("acme-*", "torch"))


@pytest.mark.parametrize(
    "url",
    [
        "https://host/simple",
        "http://127.0.0.1:8080/x",
        "file:///srv/wheels",
        "/srv/wheels",
        "../wheels",
        "${TEAM_INDEX}/simple",
        "https://${HOST}/simple",
        "https://${TOKEN}@host/simple",
        "https://__token__:${TOKEN}@host/simple",
    ],
)
def test_addresses(url: str) -> None:
    assert read(f'  team: {{url: "{url}", projects: [x]}}')["team"].url == url


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("https://user:hunter2@host/simple", "the URL contains credentials"),
        ("https://hunter2@host/simple", "the URL contains credentials"),
        ("https://${USER}:hunter2@host/simple", "the URL contains credentials"),
        ("https://host/t/tk-1234-abcd/simple", "the URL contains credentials"),
        ("https://host/simple?token=hunter2", "the URL contains a query or a fragment"),
        ("${TEAM_INDEX}?token=hunter2", "the URL contains a query or a fragment"),
        ("host/simple", "not the address of an index"),
        ("ftp://host/simple", "not the address of an index"),
        ("https://", "not the address of an index"),
        ("https://host/a b", "not the address of an index"),
    ],
)
def test_addresses_that_are_refused(url: str, what: str) -> None:
    said = faults(f'  team: {{url: "{url}", projects: [x]}}')
    assert f"environments/demo.yaml:5: `indexes.team.url`: {what}" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("indexes", "what"),
    [
        ("  team: {url: ./a, projects: [x]}\n  team: {url: ./b, projects: [y]}", "`indexes.team` is already defined"),
        ("  pypi: {url: ./a, projects: [x]}", "`pypi` is the default index"),
        ("  Team: {url: ./a, projects: [x]}", "not the name of an index: 'Team'"),
        ("  a_b: {url: ./a, projects: [x]}", "not the name of an index: 'a_b'"),
        ("  team: {projects: [x]}", "`indexes.team.url` is missing"),
        ("  team: {url: ./a}", "`indexes.team.projects` is missing"),
        ("  team: {url: ./a, projects: []}", "`indexes.team.projects`: no project is listed"),
        ("  team: {url: ./a, projects: x}", "expected a list, got `x`"),
        ('  team: {url: ./a, projects: ["*"]}', "`*` covers every project"),
        ('  team: {url: ./a, projects: ["a b"]}', "not a project name or pattern: 'a b'"),
        ("  team: {url: ./a, projects: [x, X]}", "`x` is already listed, in line 5"),
        ("  team: {url: ./a, projects: [x], project: y}", "unknown key `indexes.team.project`"),
        ("  team: ./a", "`indexes.team`: expected a mapping, got `./a`"),
        ("  - team", "`indexes`: expected a mapping"),
        ("  team: {url: ./a, projects: [x], undated: ''}", "`indexes.team.undated`: the reason is missing"),
    ],
)
def test_faults(indexes: str, what: str) -> None:
    assert what in faults(indexes)


@pytest.mark.parametrize(
    ("one", "other"), [("torch", "torch"), ("acme-core", "acme-*"), ("acme-*", "acme-core"), ("a-*", "a-b-*")]
)
def test_a_name_of_two_indexes_is_told_with_both_lines(one: str, other: str) -> None:
    said = faults(f'  one: {{url: ./a, projects: ["{one}"]}}\n  two: {{url: ./b, projects: ["{other}"]}}')
    assert said.startswith(
        f"environments/demo.yaml:6: `indexes.two.projects`: `{other}` is already covered by `{one}` of `one`, in line 5"
    )
