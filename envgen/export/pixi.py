"""`pixi.lock`: rattler's lock format, version 6, which every pixi since 0.39 reads.

https://github.com/conda/rattler/tree/main/crates/rattler_lock. Py-rattler itself writes version 7 only, and wheels
without digests; so this is a writer of our own, and py-rattler reads it back in the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envgen.export.export_input import Exported
from envgen.export.yaml_text import dump
from envgen.packages import Wheel, sort_key

if TYPE_CHECKING:
    from envgen.export.export_input import ExportInput
    from envgen.lock.model import Lock
    from envgen.packages import BuiltPackage, ChannelPackage, Package

_FORMAT = 6


def render(inputs: ExportInput) -> Exported:
    """Write the locks of all platforms as the environment `default`."""
    environment = {
        "channels": [{"url": url} for url in _channels(inputs)],
        **({"indexes": [inputs.index, *_public_indexes(inputs)]} if inputs.index else {}),
        "packages": {str(lock.platform): [_reference(p, inputs) for p in lock.packages] for lock in inputs.locks},
    }
    document = {"version": _FORMAT, "environments": {"default": environment}, "packages": _packages(inputs)}
    note = "pixi needs a `pixi.toml` with the same channels and platforms next to the lock; install with `--frozen`"
    return Exported(text=dump(document), notes=(note,))


def _channels(inputs: ExportInput) -> list[str]:
    """List channels; a local channel first, for its packages are no other's."""
    named = [inputs.channels.get(channel, channel) for lock in inputs.locks for channel in lock.channels]
    local = [inputs.channel] if inputs.channel and any(lock.built for lock in inputs.locks) else []
    return list(dict.fromkeys(f"{channel.rstrip('/')}/" for channel in (*local, *named)))


def _public_indexes(inputs: ExportInput) -> list[str]:
    found = (index.public_url for lock in inputs.locks for index in inputs.indexes_of(lock) if index.is_simple)
    return list(dict.fromkeys(url for url in found if url))


def _packages(inputs: ExportInput) -> list[dict[str, Any]]:
    """Describe every package once, whichever platforms have it."""
    found: dict[str, dict[str, Any]] = {}
    for lock in inputs.locks:
        for package in sorted(lock.packages, key=sort_key):
            found.setdefault(inputs.url(package), _package(package, lock, inputs))
    return list(found.values())


def _reference(package: Package, inputs: ExportInput) -> dict[str, str]:
    return {"pypi" if isinstance(package, Wheel) else "conda": inputs.url(package)}


def _package(package: Package, lock: Lock, inputs: ExportInput) -> dict[str, Any]:
    if isinstance(package, Wheel):
        return {
            "pypi": inputs.url(package),
            "name": str(package.project),
            "version": package.version,
            "sha256": str(package.listed.sha256),
            **_unless_empty("requires_dist", [f"{name}{text}" for name, text in sorted(package.requires.items())]),
            "requires_python": f"=={lock.target.python}.*",
        }
    return _conda(package, inputs)


def _conda(package: ChannelPackage | BuiltPackage, inputs: ExportInput) -> dict[str, Any]:
    """Describe a conda package; the kind of a `noarch` one is for rattler to derive, as locks do not hold it."""
    found = inputs.licenses.get(package.sha256)
    return {
        "conda": inputs.url(package),
        "name": str(package.name),
        "version": package.version,
        "build": package.build,
        "subdir": package.subdir,
        "sha256": str(package.sha256),
        "md5": package.md5,
        **_unless_empty("depends", [f"{name} {rest}".rstrip() for name, rest in sorted(package.dependencies.items())]),
        **({"license": found.words} if found else {}),
        **({} if package.size is None else {"size": package.size}),
    }


def _unless_empty(key: str, values: list[str]) -> dict[str, list[str]]:
    return {key: values} if values else {}
