"""Read `pixi.toml`, and the table of pixi in `pyproject.toml`: https://pixi.sh/latest/reference/pixi_manifest/."""

from __future__ import annotations

import re
from typing import Any

from envgen.adopt import fields
from envgen.adopt.adopted import Adopted
from envgen.adopt.environment_yml import take_match
from envgen.adopt.uv_tables import direct

_READ = frozenset(
    {"workspace", "project", "dependencies", "pypi-dependencies", "system-requirements", "target", "activation"}
)
_WHY = {
    "tasks": "tasks stay with `make` or `just`",
    "feature": "of another environment: write a spec for each, which `extends` this one",
    "environments": "write a spec for each, with its `solve-group`",
    "host-dependencies": "for building the package of the project",
    "build-dependencies": "for building the package of the project",
    "package": "for building the package of the project",
    "pypi-options": "list further indexes, with their projects, under `indexes`",
}
_OF_PREFIX = re.compile(r"\$(?:CONDA_PREFIX\b|\{CONDA_PREFIX\})")
_OTHER = re.compile(r"\$(?!\{prefix\})")
_FACTS = {"libc": "glibc", "cuda": "cuda", "macos": "macos"}


def read_pixi(text: str, source: str) -> Adopted:
    """Read a manifest of pixi.

    Raises:
        SpecError: it cannot be read.
    """
    found = Adopted(source=source)
    take_pixi(found, fields.toml_document(text, source), f"{source}: ".rstrip())
    return found


def take_pixi(found: Adopted, document: dict[str, Any], where: str) -> None:
    """Adopt what pixi's table says.

    Raises:
        SpecError: something in it is of another kind than it should be.
    """
    section = fields.table(document.get("workspace") or document.get("project"), f"{where} workspace")
    if "name" in section:
        found.name = str(section["name"])
    for place, channel in fields.items(section.get("channels"), f"{where} workspace.channels"):
        found.channel(place, str(channel.get("channel")) if isinstance(channel, dict) else fields.text(channel, place))
    fields.each(section.get("platforms"), f"{where} workspace.platforms", found.platform)
    _facts(found, document, where)
    for name, value in fields.table(document.get("dependencies"), f"{where} dependencies").items():
        _conda(found, f"{where} dependencies.{name}", name, value)
    for name, value in fields.table(document.get("pypi-dependencies"), f"{where} pypi-dependencies").items():
        _wheel(found, f"{where} pypi-dependencies.{name}", name, value)
    for platform in fields.table(document.get("target"), f"{where} target"):
        found.left(f"{where} target.{platform}", platform, "what one platform has alone; markers say so under `pypi`")
    _activation(found, fields.table(document.get("activation"), f"{where} activation"), f"{where} activation")
    for key in [key for key in document if key not in _READ and "$" not in key]:
        found.left(f"{where} {key}", key, _WHY.get(key, "the spec has no such section"))


def _activation(found: Adopted, table: dict[str, Any], where: str) -> None:
    """Adopt variables of activation, which pixi leaves to the shell; scripts are left out."""
    for name, value in fields.table(table.get("env"), f"{where}.env").items():
        text = _OF_PREFIX.sub("${prefix}", str(value))
        if _OTHER.search(text):
            found.left(f"{where}.env.{name}", f"{name}={value}", "it refers to another variable")
        else:
            found.variable(f"{where}.env.{name}", name, text)
    for key in [key for key in table if key != "env"]:
        found.left(f"{where}.{key}", key, "only packages have scripts of activation")


def _facts(found: Adopted, document: dict[str, Any], where: str) -> None:
    for key, value in fields.table(document.get("system-requirements"), f"{where} system-requirements").items():
        place = f"{where} system-requirements.{key}"
        text = str(value.get("version")) if isinstance(value, dict) else str(value)
        if key in _FACTS:
            found.facts[_FACTS[key]] = text
            found.took(place, f"{key} {text}", "platforms")
        else:
            found.left(place, f"{key} {text}", "not a fact that a platform has here")


def _conda(found: Adopted, where: str, name: str, value: Any) -> None:
    if isinstance(value, dict):
        unknown = sorted(set(value) - {"version", "build", "channel"})
        if unknown:
            found.left(where, name, f"`{unknown[0]}` has no counterpart")
            return
        parts = [name, str(value.get("version", "*")), str(value.get("build", ""))]
        text = " ".join(filter(None, parts))
        take_match(found, where, f"{value['channel']}::{text}" if "channel" in value else text)
        return
    version = fields.text(value, where)
    take_match(found, where, name if version == "*" else f"{name} {version}")


def _wheel(found: Adopted, where: str, name: str, value: Any) -> None:
    source = value if isinstance(value, dict) else {"version": fields.text(value, where)}
    extras = [text for _, text in fields.texts(source.get("extras"), f"{where}.extras")]
    head = f"{name}{'[' + ','.join(extras) + ']' if extras else ''}"
    marker = f" ; {source['env-markers']}" if source.get("env-markers") else ""
    address, version = direct(source), str(source.get("version", "*"))
    version = version if version[:1] in "<>=!~*" else f"=={version}"
    if source.get("index"):
        found.index(f"{where}.index", "further", str(source["index"]), (name,))
    wanted = f" @ {address}" if address else "" if version == "*" else f" {version}"
    found.wheel(where, f"{head}{wanted}{marker}")
