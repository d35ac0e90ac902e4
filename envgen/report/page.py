"""The page: a report as one HTML file that loads nothing and runs nothing but the script that ships.

Names and texts come from packages and servers. Jinja escapes them, what is not printable is shown as an escape, and a
content security policy with the digest of the script keeps a browser from running anything else.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape
from msgspec import Struct

from envgen.digest import Sha256
from envgen.printable import one_line
from envgen.report.drawing import SPEC, draw
from envgen.sizes import human_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.report.model import Report, ReportedChange, ReportedFolder, ReportedPackage

_QUOTED = re.compile(r"`([^`]+)`")
_SHOWN = 8
"""Packages of a layer that are shown at once; the others are folded."""


class LicenseCount(Struct, frozen=True, kw_only=True):
    """A licence and the packages under it; `name` is None for those whose licence is not known."""

    name: str | None
    packages: tuple[str, ...]


def render_page(report: Report, texts: Mapping[str, str]) -> str:
    """Render a report as HTML.

    Args:
        report: what to show.
        texts: `page.html.j2`, `page.css` and `page.js`.
    """
    script, style = texts["page.js"], texts["page.css"]
    changes = {change.name: change for change in report.difference.changes} if report.difference else {}
    jinja = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_printable
    )
    jinja.filters |= {"size": _size, "growth": _growth, "share": _share, "quoted": _quoted}
    # ours alone is marked as safe: both files ship with envgen
    return jinja.from_string(texts["page.html.j2"]).render(
        r=report,
        script=Markup(script),  # noqa: S704
        script_digest=_source_digest(script),
        style=Markup(style),  # noqa: S704
        tree=[_node(package, changes.get(package.name)) for package in report.packages if package.size],
        groups=_group_sizes(report.packages),
        drawing=draw(report.links),
        spec=SPEC,
        stacked={component.name for component in report.stack if component.name},
        licenses=license_counts(report.packages),
        counts=Counter("accepted" if finding.accepted else finding.severity for finding in report.findings),
        shown=_SHOWN,
    )


def license_counts(packages: Iterable[ReportedPackage]) -> tuple[LicenseCount, ...]:
    """Group packages by licence: unknown ones first, then the most frequent."""
    found: dict[str | None, list[str]] = {}
    for package in packages:
        found.setdefault(package.license, []).append(package.name)
    counts = (LicenseCount(name=name, packages=tuple(sorted(names))) for name, names in found.items())
    return tuple(sorted(counts, key=lambda c: (c.name is not None, -len(c.packages), c.name or "")))


def _group_sizes(packages: Iterable[ReportedPackage]) -> dict[str, int]:
    """Add up the bytes of the packages of each group, the largest first."""
    found: Counter[str] = Counter()
    for package in packages:
        found[package.group] += package.size
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _node(package: ReportedPackage, change: ReportedChange | None) -> list[Any]:
    """Return a package as the script reads it: name, bytes, folders, group, version, remark, whether it changed."""
    remarks = [
        "" if package.installed is not None else "size of the download: not in the cache",
        _change_words(change) if change else "",
        f"required by {' → '.join(package.reason)}" if package.reason else "",
    ]
    return [
        one_line(package.name),
        package.size,
        [_folder(folder) for folder in package.folders],
        package.group,
        one_line(package.version),
        one_line("; ".join(filter(None, remarks))),
        change is not None,
    ]


def _change_words(change: ReportedChange) -> str:
    growth = "" if change.growth is None else f", download {_growth(change.growth)}"
    return f"new{growth}" if change.before is None else f"before {change.before}{growth}"


def _folder(folder: ReportedFolder) -> list[Any]:
    return [one_line(folder.name), folder.size, [_folder(inner) for inner in folder.folders]]


def _source_digest(script: str) -> str:
    """Return the hash source of a script: https://www.w3.org/TR/CSP3/#grammardef-hash-source."""
    return base64.b64encode(Sha256.of(script.encode()).raw).decode("ascii")


def _printable(value: Any) -> Any:
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _size(count: int | None) -> str:
    return "unknown" if count is None else human_size(count)


def _growth(count: int | None) -> str:
    if not count:
        return "unknown" if count is None else "0 B"
    return f"{'+' if count > 0 else '−'}{human_size(abs(count))}"  # noqa: RUF001  the minus of typography


def _quoted(text: str) -> Markup:
    """Return a text as HTML, with what stands between backticks as code."""
    return Markup(_QUOTED.sub(r"<code>\1</code>", str(escape(one_line(text)))))  # noqa: S704  escaped before


def _share(count: int, total: int) -> str:
    """Return a share in per cent, for widths."""
    return f"{100 * count / total:.2f}" if total else "0"
