"""A comparison as text for a terminal, as Markdown for a pull request, and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envgen.cli.sizes import human_size
from envgen.diff.sides import layers_of
from envgen.packages import PackageKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from envgen.diff.delta import Delta, Entry
    from envgen.diff.sides import Comparison, Difference
    from envgen.image.made_layers import ImageChange, MadeLayer

_DIGITS = 12
"""Of a digest, where a person reads it."""

_FOLDED = 40
"""Rows of a table that a reader of a pull request is spared at first."""


_TITLE = 80
"""Characters of what a layer holds."""

_NAMED = 8
"""Packages of a layer that are named; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
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


def rows(difference: Difference, license_of: Callable[[Entry], str | None]) -> list[Row]:
    """Lay the packages of a difference out, Debian packages last."""
    delta = difference.delta
    found = [
        *(_row("+", None, entry, license_of(entry)) for entry in delta.added),
        *(_row("-", entry, None, None) for entry in delta.removed),
        *(_row("~", c.before, c.after, license_of(c.after)) for c in delta.changed),
    ]
    return sorted(found, key=lambda row: (row.kind is PackageKind.DEBIAN, row.name))


def terminal(comparison: Comparison, tables: Mapping[int, list[Row]]) -> Iterator[str]:
    """Write lines for a terminal."""
    if not comparison.differences:
        yield f"{comparison.before} and {comparison.after} lock the same"
    for number, difference in enumerate(comparison.differences):
        yield f"{difference.environment} for {difference.platform}{_against(difference)}: {_head(difference.delta)}"
        for what, before, after in _settings(difference.delta):
            yield f"  ~ {what}: {before} -> {after}"
        if layers := layers_of(difference):
            yield f"  image layers: {_layers(layers)}"
            yield f"  image: {_image(difference.image)}"
            yield from (f"    {sign} {layer}" for sign, layer in _blobs(difference.image))
        for row in tables[number]:
            versions = " -> ".join(filter(None, (row.before, row.after)))
            details = ", ".join(filter(None, (str(row.kind), _signed(row.size), row.license)))
            yield f"  {row.sign} {row.name} {versions} ({details})"


def markdown(comparison: Comparison, tables: Mapping[int, list[Row]]) -> Iterator[str]:
    """Write Markdown that forges show in a comment."""
    yield f"### Locks: `{comparison.before}` → `{comparison.after}`"
    if not comparison.differences:
        yield "\nNothing changed."
    for number, difference in enumerate(comparison.differences):
        where = f"**{difference.environment}** for {difference.platform}{_against(difference)}"
        yield f"\n{where}: {_head(difference.delta)}\n"
        remarks = [f"* {what}: {_code(before)} → {_code(after)}" for what, before, after in _settings(difference.delta)]
        if layers := layers_of(difference):
            remarks.append(f"* layers of the image that change: {_layers(layers)}")
            remarks.append(f"* image: {_image(difference.image)}")
            remarks.extend(f"  * `{sign}` {layer}" for sign, layer in _blobs(difference.image))
        yield from (*remarks, "") if remarks else ()
        table = tables[number]
        if not table:
            continue
        is_folded = len(table) > _FOLDED
        if is_folded:
            yield f"<details><summary>{len(table)} packages</summary>\n"
        yield "| | package | from | before | after | size | licence |"
        yield "|---|---|---|---|---|---:|---|"
        for row in table:
            cells = (row.sign, f"**{row.name}**", str(row.kind), _code(row.before), _code(row.after), _signed(row.size))
            yield f"| {' | '.join((*cells, row.license.replace('|', '/')))} |"
        if is_folded:
            yield "\n</details>"


def as_json(comparison: Comparison, tables: Mapping[int, list[Row]]) -> dict[str, Any]:
    """Lay the comparison out for `--json`."""
    return {
        "before": comparison.before,
        "after": comparison.after,
        "differences": [
            {
                "environment": difference.environment,
                "platform": str(difference.platform),
                "against": _other(difference),
                "download": {"before": _size(difference.delta, "before"), "after": _size(difference.delta, "after")},
                "layers": {stage: list(names) for stage, names in layers_of(difference).items()},
                "image": _image_facts(difference.image),
                "settings": [{"what": w, "before": b, "after": a} for w, b, a in _settings(difference.delta)],
                "packages": [_facts(row) for row in tables[number]],
            }
            for number, difference in enumerate(comparison.differences)
        ],
    }


def _row(sign: str, before: Entry | None, after: Entry | None, license_: str | None) -> Row:
    entry = after or before
    assert entry is not None  # noqa: S101  one of the two is always there
    size = (after.size if after else 0, before.size if before else 0)
    old, new = _versions(before, after)
    return Row(
        sign=sign,
        name=entry.name,
        kind=entry.kind,
        before=old,
        after=new,
        size=None if size[0] is None or size[1] is None else size[0] - size[1],
        license=license_ or "",
    )


def _versions(before: Entry | None, after: Entry | None) -> tuple[str, str]:
    """Word both versions; where they are alike, with what differs."""
    if not before or not after or before.version != after.version:
        return before.version if before else "", after.version if after else ""
    if before.build != after.build:
        return f"{before.version} {before.build}", f"{after.version} {after.build}"
    return tuple(f"{e.version} sha256 {(e.digest or '')[:_DIGITS]}" for e in (before, after))  # type: ignore[return-value]  # two


def _against(difference: Difference) -> str:
    return f" against {difference.against[0]} for {difference.against[1]}" if difference.against else ""


def _other(difference: Difference) -> dict[str, str] | None:
    if difference.against is None:
        return None
    environment, platform = difference.against
    return {"environment": environment, "platform": str(platform)}


def _head(delta: Delta) -> str:
    before, after = _size(delta, "before"), _size(delta, "after")
    if before is None or after is None or before == after:
        return delta.summary()
    return f"{delta.summary()}; download {human_size(before)} → {human_size(after)} ({_signed(after - before)})"


def _size(delta: Delta, side: str) -> int | None:
    state = delta.before if side == "before" else delta.after
    return 0 if state is None else state.download


def _layers(layers: Mapping[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{stage} ({_some(names)})" for stage, names in layers.items())


def _image(change: ImageChange | None) -> str:
    """Say in a line what becomes of the image."""
    if change is None:
        return "exact layers and sizes are known where `envgen image` has made both here"
    new = sum(layer.size for layer in change.new)
    return (
        f"{human_size(change.before)} → {human_size(change.after)} ({_signed(change.after - change.before)}); "
        f"layers: {change.kept} kept, {len(change.new)} new ({human_size(new)})"
    )


def _blobs(change: ImageChange | None) -> Iterator[tuple[str, str]]:
    """Word the layers that go and come."""
    for sign, layers in (("-", change.gone), ("+", change.new)) if change else ():
        for layer in layers:
            title = layer.title if len(layer.title) <= _TITLE else f"{layer.title[: _TITLE - 3]}..."
            yield sign, f"{layer.digest[:_DIGITS]} {human_size(layer.size)}: {title}"


def _image_facts(change: ImageChange | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {
        "before": change.before,
        "after": change.after,
        "kept": change.kept,
        "gone": [_layer_facts(layer) for layer in change.gone],
        "new": [_layer_facts(layer) for layer in change.new],
    }


def _layer_facts(layer: MadeLayer) -> dict[str, Any]:
    return {"digest": f"sha256:{layer.digest}", "bytes": layer.size, "content": layer.title}


def _some(names: Sequence[str]) -> str:
    """List a few names and count the others."""
    more = len(names) - _NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_NAMED])} and {more} more"


def _settings(delta: Delta) -> list[tuple[str, str, str]]:
    return [(s.what, s.before or "none", s.after or "none") for s in delta.settings]


def _signed(size: int | None) -> str:
    if size is None:
        return ""
    return f"{'+' if size > 0 else '-' if size < 0 else '±'}{human_size(abs(size))}"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _facts(row: Row) -> dict[str, Any]:
    return {
        "change": {"+": "added", "-": "removed", "~": "changed"}[row.sign],
        "name": row.name,
        "from": str(row.kind),
        "before": row.before or None,
        "after": row.after or None,
        "bytes": row.size,
        "license": row.license or None,
    }
