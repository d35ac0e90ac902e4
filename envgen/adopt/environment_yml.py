"""Read `environment.yml`, the format of conda.

https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from envgen.adopt import fields
from envgen.adopt.adopted import Adopted
from envgen.adopt.requirements import take_lines

if TYPE_CHECKING:
    from envgen.adopt.adopted import Read

_KNOWN = ("name", "channels", "dependencies", "platforms", "variables")
_WHY = {"prefix": "a path of the machine that wrote the file", "category": "a word of conda-lock"}
_CHANNEL = re.compile(r"(?P<channel>[^\s:\[]+)::(?P<rest>.+)")
_SELECTOR = re.compile(r"\s+#\s*\[(?P<selector>[^\]]+)\]")


def read_environment(text: str, source: str, read: Read) -> Adopted:
    """Read an environment file.

    Raises:
        SpecError: it cannot be read, or contradicts itself.
    """
    document = fields.yaml_document(text, source)
    found = Adopted(source=source)
    if "name" in document:
        found.name = fields.text(document["name"], f"{source}: name")
    fields.each(document.get("channels"), f"{source}: channels", found.channel)
    fields.each(document.get("platforms"), f"{source}: platforms", found.platform)
    _dependencies(found, document.get("dependencies"), read)
    for name, value in fields.table(document.get("variables"), f"{source}: variables").items():
        where = f"{source}: variables.{name}"
        found.variable(where, name, str(value).replace("$", "$$"))
    for key in [key for key in document if key not in _KNOWN]:
        found.left(f"{source}: {key}", key, _WHY.get(key, "the spec has no such section"))
    if selectors := sorted({match["selector"] for match in _SELECTOR.finditer(text)}):
        why = "comments are not read: the lines count for all platforms"
        found.left(source, f"selectors [{'], ['.join(selectors)}]", why)
    return found


def _dependencies(found: Adopted, value: Any, read: Read) -> None:
    lines: list[tuple[str, str]] = []
    for where, item in fields.items(value, f"{found.source}: dependencies"):
        if isinstance(item, dict):
            for key, inner in fields.table(item, where).items():
                if key != "pip":
                    found.left(f"{where}.{key}", key, "only `pip:` may stand there")
                    continue
                lines += fields.texts(inner, f"{where}.pip")
        else:
            take_match(found, where, fields.text(item, where))
    take_lines(found, lines, read)


def take_match(found: Adopted, where: str, text: str) -> None:
    """Adopt a MatchSpec; a channel before `::` joins the channels of the spec."""
    match = _CHANNEL.fullmatch(text)
    if match is None:
        found.conda(where, text)
        return
    found.channel(where, match["channel"])
    found.conda(where, match["rest"], written=text, why="the channel stands under `channels`, for all packages")
