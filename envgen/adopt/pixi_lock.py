"""Read `pixi.lock`, version 6 and 5: the packages of the environment `default`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envgen.adopt import fields
from envgen.adopt.adopted import Adopted, PinnedPackage
from envgen.adopt.locked import LockedPackage, archive_package, first_words, known_platform, take_packages

if TYPE_CHECKING:
    from envgen.platforms import Platform

_DEFAULT = "default"


def read_pixi_lock(text: str, source: str) -> Adopted:
    """Read a lock of pixi.

    Raises:
        SpecError: it cannot be read, or has no environment `default`.
    """
    document = fields.yaml_document(text, source)
    found = Adopted(source=source)
    environments = fields.table(document.get("environments"), f"{source}: environments")
    if _DEFAULT not in environments:
        found.fail(f"{source}: environments", "there is no environment `default`")
    default = fields.table(environments[_DEFAULT], f"{source}: environments.default")
    for where, channel in fields.tables(default.get("channels"), f"{source}: environments.default.channels"):
        found.channel(where, fields.text(channel.get("url"), where))
    facts = _facts(document, source)
    packages: list[LockedPackage] = []
    for name, listed in fields.table(default.get("packages"), f"{source}: environments.default.packages").items():
        found.platform(f"{source}: environments.default.packages.{name}", name)
        platform = known_platform(name)
        for where, one in fields.tables(listed, f"{source}: environments.default.packages.{name}"):
            packages += _package(where, one, facts, platform)
    take_packages(found, packages)
    return found


def _facts(document: dict[str, Any], source: str) -> dict[str, dict[str, Any]]:
    """Return what the list of all packages says, by address."""
    found = {}
    for _, one in fields.tables(document.get("packages"), f"{source}: packages"):
        url = one.get("conda") or one.get("pypi") or one.get("url")
        found[str(url)] = one
    return found


def _package(
    where: str, one: dict[str, Any], facts: dict[str, dict[str, Any]], platform: Platform | None
) -> list[LockedPackage]:
    url = str(one.get("conda") or one.get("pypi"))
    known = facts.get(url, {})
    if "conda" in one:
        read = archive_package(where, url, first_words([str(t) for t in known.get("depends") or ()]), platform)
        return [read] if read else []
    if "name" not in known or "version" not in known:
        return []
    requires = tuple(
        str(t).split(";")[0].split()[0] for t in known.get("requires_dist") or () if "extra ==" not in str(t)
    )
    names = tuple(text.partition("[")[0].rstrip("<>=!~,.0123456789*") for text in requires)
    pinned = PinnedPackage(name=str(known["name"]), version=str(known["version"]), platform=platform)
    return [LockedPackage(where=where, pinned=pinned, requires=names)]
