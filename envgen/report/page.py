"""The page: a report as one HTML file that loads nothing and runs nothing but the script that ships.

Names and texts come from packages and servers. Jinja escapes them, what is not printable is shown as an escape, and a
content security policy with the digest of the script keeps a browser from running anything else.
"""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from envgen.digest import Sha256
from envgen.printable import one_line
from envgen.report.drawing import SPEC, draw
from envgen.sizes import human_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.report.model import Report, ReportedFolder, ReportedPackage

_SHOWN = 8
"""Packages of a layer that are shown at once; the others are folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseCount:
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
    jinja = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_printable
    )
    jinja.filters |= {"size": _size, "growth": _growth, "share": _share}
    # ours alone is marked as safe: both files ship with envgen
    return jinja.from_string(texts["page.html.j2"]).render(
        r=report,
        script=Markup(script),  # noqa: S704
        script_digest=_source_digest(script),
        style=Markup(style),  # noqa: S704
        tree=[_node(package) for package in report.packages if package.size],
        drawing=draw(report.links),
        spec=SPEC,
        stacked={component.name for component in report.stack if component.name},
        licenses=license_counts(report.packages),
        counts=Counter(finding.severity for finding in report.findings),
        shown=_SHOWN,
        image_size=sum(layer.size for layer in report.image.layers) if report.image else 0,
    )


def license_counts(packages: Iterable[ReportedPackage]) -> tuple[LicenseCount, ...]:
    """Group packages by licence: unknown ones first, then the most frequent."""
    found: dict[str | None, list[str]] = {}
    for package in packages:
        found.setdefault(package.license, []).append(package.name)
    counts = (LicenseCount(name=name, packages=tuple(sorted(names))) for name, names in found.items())
    return tuple(sorted(counts, key=lambda c: (c.name is not None, -len(c.packages), c.name or "")))


def _node(package: ReportedPackage) -> list[Any]:
    """Return a package as the script reads it: name, bytes, folders, group, remark."""
    remark = "" if package.installed is not None else "size of the download: not in the cache"
    name = one_line(f"{package.name} {package.version}")
    return [name, package.size, [_folder(folder) for folder in package.folders], package.group, remark]


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


def _share(count: int, total: int) -> str:
    """Return a share in per cent, for widths."""
    return f"{100 * count / total:.2f}" if total else "0"
