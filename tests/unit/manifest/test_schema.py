"""The JSON Schemas say what the parsers of specs and recipes say, as far as a schema can."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from envgen.digest import Sha256
from envgen.errors import SpecError
from envgen.manifest import (
    audit_parse,
    builds_parse,
    debian_parse,
    image_parse,
    index_parse,
    license_parse,
    parse,
    schema,
)
from envgen.manifest.schema import debian_schema, spec_schema
from tests.command import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

SPEC = spec_schema()
PROPERTIES = SPEC["properties"]
BASE = 'name: x\npython: "3.11"\nplatforms: {linux-64: {glibc: "2.36"}}\n'


class _Loader(yaml.SafeLoader):
    """Reads dates as texts, as the YAML language server does."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(text: str) -> Any:
    return yaml.load(text, _Loader)  # noqa: S506  derived from SafeLoader


def faults(text: str, schema: dict[str, Any] = SPEC) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(load(text))]


@pytest.mark.parametrize("schema", [SPEC, debian_schema()])
def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "environments").glob("*.yaml")), ids=lambda path: path.name)
def test_specs_that_ship_are_valid(path: Path) -> None:
    assert faults(path.read_text()) == []


@pytest.mark.parametrize("path", sorted((REPOSITORY / "recipes").glob("*/debian.yaml")), ids=lambda p: p.parent.name)
def test_recipes_that_ship_are_valid(path: Path) -> None:
    assert faults(path.read_text(), debian_schema()) == []


def test_keys_are_those_of_the_parsers() -> None:
    def below(key: str) -> tuple[str, ...]:
        return tuple(PROPERTIES[key]["properties"])

    def of_each(key: str) -> tuple[str, ...]:
        return tuple(PROPERTIES[key]["additionalProperties"]["properties"])

    assert set(PROPERTIES) == set(parse.SECTIONS)
    assert schema.REQUIRED == parse._REQUIRED
    assert of_each("platforms") == parse._FACTS
    assert of_each("indexes") == index_parse._KEYS
    assert of_each("builds") == builds_parse._KEYS
    assert below("licenses") == license_parse._KEYS
    assert below("audit") == audit_parse._KEYS
    assert below("image") == image_parse._KEYS
    services = PROPERTIES["image"]["properties"]["services"]["properties"]
    assert {name: tuple(one["properties"]) for name, one in services.items()} == image_parse._SERVICE_KEYS
    debian = debian_schema()
    assert set(debian["properties"]) == set(debian_parse._SECTIONS)
    assert tuple(debian["required"]) == debian_parse._REQUIRED


def everything(schema: dict[str, Any], name: str = "a-b") -> Any:
    """Make a value with every key of a schema, and every list with one item."""
    kinds = schema["type"]
    if "object" in kinds:
        found = {key: everything(one, name) for key, one in schema.get("properties", {}).items()}
        if isinstance(schema.get("additionalProperties"), dict):
            key = schema.get("propertyNames", {}).get("enum", [name])[0]
            found[key] = everything(schema["additionalProperties"], name)
        return found
    if "array" in kinds:
        return [everything(schema["items"], name)]
    return True if "boolean" in kinds else schema.get("enum", ["a-b"])[0]


@pytest.mark.parametrize("kind", ["spec", "debian"])
def test_every_key_and_kind_of_value_is_known_to_the_parser(kind: str) -> None:
    """Of a document with everything, the parser complains of words, never of keys and kinds of values."""
    text = yaml.safe_dump(everything(SPEC if kind == "spec" else debian_schema()))
    with pytest.raises(SpecError) as caught:
        read(kind, text)
    wrong = re.compile(r"unknown key|, got (`|a |nothing|true)")
    assert [fault.what for fault in caught.value.faults if wrong.search(fault.what)] == []


def read(kind: str, text: str) -> None:
    if kind == "spec":
        parse.parse_spec(text, source="environments/a-b.yaml")
    else:
        debian_parse.parse_debian_recipe(text, source="x", recipe="x", digest=Sha256.of(b""), templates={})


@pytest.mark.parametrize(
    "text",
    [
        "pypy: [x]\n",
        "pypi: x\n",
        "pypi: {x: y}\n",
        "indexes: {team: {projects: [x]}}\n",
        "indexes: {team: {url: ./x, projects: [x], more: 1}}\n",
        "licenses: {alow: []}\n",
        "check: {accept: {XYZ001: x}}\n",
        "audit: {ignore: {CVE-2026-1: {reason: x}}}\n",
        "image: {base: {sets: [workstatoin]}}\n",
        "image: {services: {board: {port: 6006}}}\n",
        "image: {services: {jupyter: {command: x}}}\n",
        "builds: {x: {netwrok: y}}\n",
        "keep-wheels: maybe\n",
    ],
)
def test_both_refuse(text: str) -> None:
    assert faults(BASE + text)
    with pytest.raises(SpecError):
        parse.parse_spec(BASE + text, source="environments/x.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "pypi:\nindexes:\nimage:\nlicenses:\naudit:\ncheck:\nchannels:\n",
        "exclude-newer: 2026-11-22\n",
        "exclude-newer: 7 days\n",
        "image: {services: {jupyter: , ssh: {port: 2222}, board: {command: x, port: 6006}}, ports: [9000, 5353/udp]}\n",
        "check: {accept: {OMP002: x, CUDA002 torchvision: y}}\n",
        "builds: {x: {network: y, variables: {MAX_JOBS: 4}}}\n",
        "exclude: {spam: [eggs]}\nsubstitutes: {a: b}\n",
    ],
)
def test_both_accept(text: str) -> None:
    assert faults(BASE + text) == []
    parse.parse_spec(BASE + text, source="environments/x.yaml")
