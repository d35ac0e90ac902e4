"""A lock as the document that CEP 37 (conda-lock v1) describes.

https://github.com/conda/ceps/blob/main/cep-0037.md: "Additional keys MUST NOT be present", so everything that it has
no place for stands in `metadata.custom_metadata`, as strings whose keys begin with `envgen.`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envgen.digest import Sha256
from envgen.lock import locked_indexes, older, told
from envgen.lock.locked_builds import facts_of, sources_facts
from envgen.lock.model import FORMAT
from envgen.packages import LOCAL_CHANNEL, PYPI, BuiltPackage, Package, Wheel, placeholder, sort_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.lock.model import Lock

PREFIX = "envgen."

MADE = "made"
"""Key of an entry of a build's environment that says how the package is built."""


def document(lock: Lock) -> dict[str, Any]:
    """Convert a lock to the document."""
    entries = [entry(package, lock.platform) for package in sorted(lock.packages, key=sort_key)]
    return {
        "version": 1,
        "metadata": {
            "content_hash": {str(lock.platform): content_hash(entries)},
            "channels": _channels(lock),
            "platforms": [str(lock.platform)],
            "sources": [f"../{lock.source}"],
            "custom_metadata": {f"{PREFIX}{key}": value for key, value in sorted(_custom(lock).items())},
        },
        "package": entries,
    }


def entry(package: Package, platform: str) -> dict[str, Any]:
    """Convert one package to a `LockedDependency`."""
    needs = package.needs
    return {
        "name": str(package.name),
        "version": package.version,
        "manager": package.manager,
        "platform": str(platform),
        "dependencies": {name: needs[name] for name in sorted(needs)},
        "url": package.url,
        "hash": _hashes(package),
        **({"build": package.build} if package.build else {}),
        "category": "main",
        "optional": False,
    }


def build_entry(package: Package, platform: str) -> dict[str, Any]:
    """Return the entry of a package that a build runs in: as in a lock, and how it is built itself."""
    made = package.made if isinstance(package, Wheel) else None
    if not isinstance(package, Wheel) or made is None:
        return entry(package, platform)
    return {**entry(package, platform), MADE: facts_of(made, filename=package.filename, sha256=package.sha256)}


def content_hash(entries: Sequence[Mapping[str, Any]]) -> str:
    """Digest the entries of a platform.

    CEP 37: "The hash MUST be computed from the packages present in that target platform." It does not say how; this is
    conda-lock's own way of hashing (sha256 over JSON with sorted keys), applied to the entries as the file has them. So
    a reader can tell a lock whose packages were changed by hand.
    """
    return str(Sha256.of(json.dumps(list(entries), sort_keys=True).encode()))


def _hashes(package: Package) -> dict[str, str]:
    md5 = {"md5": package.md5} if package.md5 else {}
    sha256 = package.listed.sha256 if isinstance(package, Wheel) else package.sha256
    return {**md5, "sha256": str(sha256)}


def _channels(lock: Lock) -> list[dict[str, Any]]:
    """List the channels of the spec, and the one that what envgen makes itself goes to.

    A wheel index is no conda channel; its variable stands with the local channel, since that is where converted
    wheels would be published.
    """
    variables = [
        *([LOCAL_CHANNEL] if lock.built or lock.wheels else []),
        *sorted({placeholder(wheel.index) for wheel in lock.wheels}, key=lambda text: (text != PYPI, text)),
    ]
    found: list[dict[str, Any]] = [{"url": channel, "used_env_vars": []} for channel in lock.channels]
    if variables:
        found.append({"url": LOCAL_CHANNEL, "used_env_vars": [variable.strip("${}") for variable in variables]})
    return found


def _custom(lock: Lock) -> dict[str, str]:
    return {
        "format": str(FORMAT),
        "environment": lock.environment,
        "request": str(lock.request),
        "python": lock.python,
        "python-minor": str(lock.target.python),
        "virtual-packages": _json(lock.target.virtual_packages()),
        "converter": str(lock.converter),
        **({"indexes": locked_indexes.to_json(lock.indexes)} if lock.indexes else {}),
        **({"names": _json(lock.names)} if lock.names else {}),
        **{key: _json(value) for key, value in lock.adjustments.by_key().items()},
        **({"exclude-newer": lock.exclude_newer.isoformat()} if lock.exclude_newer else {}),
        **({"newest-upload": lock.newest_upload.isoformat()} if lock.newest_upload else {}),
        **({"asked-extras": _json(lock.asked_extras)} if lock.asked_extras else {}),
        **({"extras": _json(lock.extras)} if lock.extras else {}),
        **({"older": older.to_json(lock.older)} if lock.older else {}),
        **({"shared": _json(lock.shared)} if lock.shared else {}),
        **({"told": told.to_json(lock.told)} if lock.told is not None else {}),
        **({"debian-lock": str(lock.debian)} if lock.debian else {}),
        **{f"stands-for.{w.project}": _json(w.stands_for) for w in lock.wheels if w.stands_for},
        **_builds(lock),
        **{f"recipe.{recipe}": str(digest) for recipe, digest in lock.recipes.items()},
        **{f"recipe-sources.{recipe}": _json(sources_facts(one)) for recipe, one in lock.recipe_sources.items()},
        **{f"recipe-build.{recipe}": _json(document(build)) for recipe, build in lock.builds.items()},
        **{f"recipe-of.{p.name}": p.recipe for p in lock.packages if isinstance(p, BuiltPackage)},
        **{f"content.{p.name}": str(p.content) for p in lock.packages if isinstance(p, BuiltPackage)},
        **{f"size.{p.manager}.{p.name}": str(p.size) for p in lock.packages if p.size is not None},
    }


def _builds(lock: Lock) -> dict[str, str]:
    """Describe the wheels that are built, and the packages that their builds run in."""
    found = {
        f"build.{wheel.project}": _json(facts_of(wheel.made, filename=wheel.filename, sha256=wheel.sha256))
        for wheel in lock.wheels
        if wheel.made
    }
    for key, packages in lock.build_environments.items():
        found[f"build-environment.{key}"] = _json([build_entry(package, lock.platform) for package in packages])
    return found


def _json(value: Mapping[Any, Any] | Sequence[Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
