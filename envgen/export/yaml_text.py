"""YAML as exports have it: the order given, one line a value, nothing that depends on a C library."""

from __future__ import annotations

from typing import Any

import yaml

_WIDE = 1 << 20


class _PlainDumper(yaml.SafeDumper):
    """PyYAML's own emitter, without `&id001` for equal objects."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the name and the argument are PyYAML's
        return True


def dump(value: Any, *, head: str = "") -> str:
    """Write a document below some comment lines."""
    return head + str(yaml.dump(value, Dumper=_PlainDumper, sort_keys=False, width=_WIDE, allow_unicode=True))
