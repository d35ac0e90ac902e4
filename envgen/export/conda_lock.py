"""`conda-lock.yml` (CEP 37) for tools that do not know our placeholders: all platforms in one file, every URL real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envgen.export.export_input import Exported
from envgen.export.yaml_text import dump
from envgen.lock.cep37 import content_hash, document, entry
from envgen.packages import LOCAL_CHANNEL

if TYPE_CHECKING:
    from envgen.export.export_input import ExportInput
    from envgen.lock.model import Lock


def render(inputs: ExportInput) -> Exported:
    """Write the locks of all platforms."""
    entries = {str(lock.platform): _entries(lock, inputs) for lock in inputs.locks}
    content = {
        "version": 1,
        "metadata": {
            "content_hash": {platform: content_hash(of_one) for platform, of_one in entries.items()},
            "channels": _channels(inputs),
            "platforms": list(entries),
            "sources": [inputs.locks[0].source],
        },
        "package": [package for of_one in entries.values() for package in of_one],
    }
    return Exported(text=dump(content, head=f"# Made by `envgen export` from {inputs.locks[0].source}.\n"))


def _entries(lock: Lock, inputs: ExportInput) -> list[dict[str, Any]]:
    return [{**entry(package, lock.platform), "url": inputs.url(package)} for package in lock.packages]


def _channels(inputs: ExportInput) -> list[dict[str, Any]]:
    """Return the channels that the locks name, the local one by its URL."""
    found: dict[str, dict[str, Any]] = {}
    for lock in inputs.locks:
        for channel in document(lock)["metadata"]["channels"]:
            is_local = channel["url"] == LOCAL_CHANNEL
            url = inputs.channel if is_local else inputs.channel_name(channel["url"])
            if url and not (is_local and not lock.built):
                found[url] = {"url": url, "used_env_vars": []}
    return list(found.values())
