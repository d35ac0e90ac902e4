"""Relocatable archives of Python: the key `python-archive` of a spec."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.digest import Sha256
from envgen.manifest import values
from envgen.manifest.document import BadValueError
from envgen.manifest.index_parse import index_url

if TYPE_CHECKING:
    from envgen.manifest.document import Value
    from envgen.platforms import Platform

RECIPE = "python-archive"
"""Name of the shipped recipe, and of the key of a spec."""

_SCHEME = re.compile(r"https?://|file:///")


class PythonArchive(Struct, frozen=True, kw_only=True):
    """An archive that a spec names.

    Attributes:
        url: its address.
        sha256: of its bytes.
    """

    url: str
    sha256: Sha256


def parse_archives(section: Value | None) -> dict[Platform, PythonArchive]:
    """Read the key of a spec; faults go to its document."""
    found: dict[Platform, PythonArchive] = {}
    for key, value in section.fields().items() if section else ():
        platform = value.checked(key, _platform)
        fields = value.fields(("url", "sha256"))
        for name in ("url", "sha256"):
            if name not in fields:
                value.fault(f"`{value.key}`: `{name}:` is missing")
        url = fields["url"].parsed(_url) if "url" in fields else None
        sha256 = fields["sha256"].parsed(_sha256) if "sha256" in fields else None
        if platform and url and sha256:
            found[platform] = PythonArchive(url=url, sha256=sha256)
    return found


def _platform(text: str) -> Platform:
    found = values.platform(text)
    if not found.is_linux:
        raise BadValueError(f"an archive can be used for Linux only, not for {found}", hint="use a channel there")
    return found


def _url(text: str) -> str:
    if not _SCHEME.match(index_url(text)):
        raise BadValueError(f"not an address: {text!r}", hint="write `https://...` or `file:///...`")
    return text


def _sha256(text: str) -> Sha256:
    try:
        return Sha256.parse(text)
    except ValueError as error:
        raise BadValueError(str(error), hint="write 64 hexadecimal digits, as `sha256sum FILE` prints them") from error
