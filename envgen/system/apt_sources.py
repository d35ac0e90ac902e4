"""The Debian archives that this machine's apt is configured for, among whatever else it is configured for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_RELEASES = (
    *("buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid"),
    *("oldoldstable", "oldstable", "stable", "testing", "unstable"),
)
_SUITE = re.compile(rf"(?:{'|'.join(_RELEASES)})(?P<pocket>-updates|-security|/updates|)")
"""`bookworm`, `bookworm-updates`, `bookworm-security`; before Debian 11 the last one was `buster/updates`."""

_SCHEMES = frozenset({"http", "https", "file"})
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")


class AptEntry(Struct, frozen=True, kw_only=True):
    """One archive and suite.

    Attributes:
        uri: root of the archive, without a slash at its end.
        suite: such as `bookworm-security`.
        components: such as `main`.
        signed_by: the keys that its entry names, `""` where it names none.
        file: name of the file that has it.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str
    file: str


def read_entries(root: Path) -> list[AptEntry]:
    """Read all of apt's sources below `root`, in apt's order; files that cannot be read are not there."""
    folder = root / "etc/apt/sources.list.d"
    parts = sorted(path for path in folder.glob("*") if path.suffix in {".list", ".sources"})
    found: list[AptEntry] = []
    for path in (root / "etc/apt/sources.list", *parts):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        parse = parse_deb822 if path.suffix == ".sources" else parse_one_line
        found += parse(text, path.name)
    return found


def parse_one_line(text: str, file: str) -> Iterator[AptEntry]:
    """Read lines such as `deb [arch=amd64 signed-by=/k.gpg] http://host/debian bookworm main contrib # remark`."""
    for line in text.splitlines():
        if found := _ONE_LINE.fullmatch(line.partition("#")[0].strip()):
            options = dict(part.partition("=")[::2] for part in (found["options"] or "").split())
            yield AptEntry(
                uri=found["uri"].rstrip("/"),
                suite=found["suite"],
                components=tuple(found["components"].split()),
                signed_by=options.get("signed-by", ""),
                file=file,
            )


def parse_deb822(text: str, file: str) -> Iterator[AptEntry]:
    """Read paragraphs of `Types: deb`, `URIs: ...`, `Suites: ...`, `Components: ...`, perhaps `Enabled: no`."""
    from debian.deb822 import Deb822  # noqa: PLC0415  65 ms that a machine without such files need not spend

    for paragraph in Deb822.iter_paragraphs(text):
        fields = {key.lower(): str(value) for key, value in paragraph.items()}
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {"no", "false"}:
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield AptEntry(
                    uri=uri.rstrip("/"),
                    suite=suite,
                    components=tuple(fields.get("components", "").split()),
                    signed_by=fields.get("signed-by", ""),
                    file=file,
                )


def debian_archive(entries: Iterable[AptEntry], *, security: bool) -> AptEntry | None:
    """Choose the entry of Debian itself, or of its security archive.

    Third parties too name their suites after Debian's and their component `main`, so an entry needs a sign that it is
    Debian's; the one with the most wins, the first among equals.
    """
    usable = [entry for entry in entries if _is_usable(entry)]
    fitting = [entry for entry in usable if _is_security(entry) is security]
    best = max(fitting, key=lambda entry: _signs(entry, usable), default=None)
    return best if best and _signs(best, usable) else None


def _is_usable(entry: AptEntry) -> bool:
    scheme = entry.uri.partition(":")[0]
    return bool(_SUITE.fullmatch(entry.suite)) and "main" in entry.components and scheme in _SCHEMES


def _is_security(entry: AptEntry) -> bool:
    return entry.suite.endswith(("-security", "/updates"))


def _signs(entry: AptEntry, entries: list[AptEntry]) -> int:
    """Count what speaks for Debian: its keys, its word in the path, its file of apt, its suites for updates."""
    siblings = (other.suite for other in entries if other.uri == entry.uri)
    return sum(
        (
            "debian-archive" in entry.signed_by,
            "debian" in entry.uri.partition("://")[2].partition("/")[2],
            entry.file in {"sources.list", "debian.list", "debian.sources"},
            any(suite.endswith(("-updates", "-security", "/updates")) for suite in siblings),
        )
    )
