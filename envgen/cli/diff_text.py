"""Differences as text for a terminal, and as Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.cli.sizes import human_size
from envgen.packages import PackageKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envgen.digest import Sha256
    from envgen.ops import Comparison, Delta, Difference, Entry, EntryChange, ImageChange

_DIGITS = 12
"""Of a digest, where a person reads it."""

_FOLDED = 40
"""Rows of a table that a reader of a pull request is spared at first."""


_TITLE = 80
"""Characters of what a layer holds."""

_NAMED = 8
"""Packages of a layer that are named; the others are counted."""


class Row(Struct, frozen=True, kw_only=True):
    """One changed package.

    Attributes:
        sign: `+`, `-` or `~`.
        name: of the package.
        kind: where it comes from.
        before: version and what else tells it apart from `after`; "" if it is new.
        after: likewise; "" if it is gone.
        size: difference in bytes, where it is known.
        license: of the new one, where it is known.
    """

    sign: str
    name: str
    kind: PackageKind
    before: str
    after: str
    size: int | None
    license: str


def rows(delta: Delta, licenses: Mapping[Sha256, str]) -> list[Row]:
    """Return a row for each changed package, Debian packages last."""
    found = [
        *(_row("+", e, ("", _version(e)), (0, e.size), licenses) for e in delta.added),
        *(_row("-", e, (_version(e), ""), (e.size, 0), {}) for e in delta.removed),
        *(_row("~", c.after, _versions(c), (c.before.size, c.after.size), licenses) for c in delta.changed),
    ]
    return sorted(found, key=lambda row: (row.kind is PackageKind.DEBIAN, row.name))


def lines(delta: Delta) -> Iterator[str]:
    """Yield a line for each change of a delta: settings, then packages."""
    yield from _setting_lines(delta)
    yield from _row_lines(rows(delta, {}))


def terminal(comparison: Comparison) -> Iterator[str]:
    """Write lines for a terminal."""
    if not comparison.differences:
        yield f"{comparison.before} and {comparison.after} have the same packages"
    for difference in comparison.differences:
        yield f"{difference.environment} for {difference.platform}{_against(difference)}: {_head(difference.delta)}"
        yield from (f"  {line}" for line in _setting_lines(difference.delta))
        if difference.layers:
            yield f"  image layers: {_layers(difference.layers)}"
            yield f"  image: {_image(difference.image)}"
            yield from (f"    {sign} {layer}" for sign, layer in _blobs(difference.image))
        yield from (f"  {line}" for line in _row_lines(rows(difference.delta, comparison.licenses)))


def markdown(comparison: Comparison) -> Iterator[str]:
    """Write Markdown that forges show in a comment."""
    yield f"### Locks: `{comparison.before}` → `{comparison.after}`"
    if not comparison.differences:
        yield from ("", "No changes.")
    for difference in comparison.differences:
        where = f"**{difference.environment}** for {difference.platform}{_against(difference)}"
        yield from ("", f"{where}: {_head(difference.delta)}", "")
        remarks = [
            f"* {what}: {_code(before)} → {_code(after)}" for what, before, after in setting_texts(difference.delta)
        ]
        if difference.layers:
            remarks.append(f"* changed image layers: {_layers(difference.layers)}")
            remarks.append(f"* image: {_image(difference.image)}")
            remarks.extend(f"  * `{sign}` {layer}" for sign, layer in _blobs(difference.image))
        yield from (*remarks, "") if remarks else ()
        yield from _table(rows(difference.delta, comparison.licenses))


def _table(table: Sequence[Row]) -> Iterator[str]:
    if not table:
        return
    is_folded = len(table) > _FOLDED
    if is_folded:
        yield from (f"<details><summary>{len(table)} packages</summary>", "")
    yield "| | package | from | before | after | size | licence |"
    yield "|---|---|---|---|---|---:|---|"
    for row in table:
        cells = (row.sign, f"**{row.name}**", str(row.kind), _code(row.before), _code(row.after), _signed(row.size))
        yield f"| {' | '.join((*cells, row.license.replace('|', '/')))} |"
    if is_folded:
        yield from ("", "</details>")


def _row(
    sign: str,
    entry: Entry,
    versions: tuple[str, str],
    sizes: tuple[int | None, int | None],
    licenses: Mapping[Sha256, str],
) -> Row:
    before, after = sizes
    return Row(
        sign=sign,
        name=entry.name,
        kind=entry.kind,
        before=versions[0],
        after=versions[1],
        size=None if before is None or after is None else after - before,
        license=licenses.get(entry.digest, "") if entry.digest else "",
    )


def _version(entry: Entry) -> str:
    return f"{entry.version} by {entry.installer}" if entry.installer else entry.version


def _versions(change: EntryChange) -> tuple[str, str]:
    """Return both versions; where they are equal, with what differs."""
    before, after = change.before, change.after
    if before.version != after.version:
        return _version(before), _version(after)
    if before.build != after.build:
        return f"{before.version} {before.build}", f"{after.version} {after.build}"
    digests = (before.digest, after.digest) if before.digest != after.digest else (before.sha256, after.sha256)
    if digests[0] == digests[1]:
        names = change.other_dependencies
        return f"{after.version}: other dependencies: {', '.join(names)}" if names else after.version, ""
    old, new = (f"{after.version} sha256 {(digest or '')[:_DIGITS]}" for digest in digests)
    return old, new


def _setting_lines(delta: Delta) -> Iterator[str]:
    yield from (f"~ {what}: {before} -> {after}" for what, before, after in setting_texts(delta))


def _row_lines(table: Sequence[Row]) -> Iterator[str]:
    for row in table:
        versions = " -> ".join(filter(None, (row.before, row.after)))
        details = ", ".join(filter(None, (str(row.kind), _signed(row.size), row.license)))
        yield f"{row.sign} {row.name} {versions} ({details})"


def _against(difference: Difference) -> str:
    return f" against {difference.against[0]} for {difference.against[1]}" if difference.against else ""


def _head(delta: Delta) -> str:
    before, after = delta.downloads
    if before is None or after is None or before == after:
        return delta.summary()
    return f"{delta.summary()}; download {human_size(before)} → {human_size(after)} ({_signed(after - before)})"


def _layers(layers: Mapping[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{stage} ({_some(names)})" for stage, names in layers.items())


def _image(change: ImageChange | None) -> str:
    """Return the change of the image in one line."""
    if change is None:
        return "exact layers and sizes are unknown: `envgen image` has not built both on this machine"
    new = sum(layer.size for layer in change.new)
    return (
        f"{human_size(change.before)} → {human_size(change.after)} ({_signed(change.after - change.before)}); "
        f"layers: {change.kept} kept, {len(change.new)} new ({human_size(new)})"
    )


def _blobs(change: ImageChange | None) -> Iterator[tuple[str, str]]:
    """Yield a sign and a description for each removed and added layer."""
    for sign, layers in (("-", change.gone), ("+", change.new)) if change else ():
        for layer in layers:
            title = layer.title if len(layer.title) <= _TITLE else f"{layer.title[: _TITLE - 3]}..."
            yield sign, f"{layer.digest[:_DIGITS]} {human_size(layer.size)}: {title}"


def _some(names: Sequence[str]) -> str:
    """List a few names and count the others."""
    more = len(names) - _NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_NAMED])} and {more} more"


def setting_texts(delta: Delta) -> list[tuple[str, str, str]]:
    """Return what changed beside packages: name and both values, `none` where one is not set."""
    return [(s.what, s.before or "none", s.after or "none") for s in delta.settings]


def _signed(size: int | None) -> str:
    if size is None:
        return ""
    return f"{'+' if size > 0 else '-' if size < 0 else '±'}{human_size(abs(size))}"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
