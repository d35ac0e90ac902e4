from __future__ import annotations

import pytest

from envgen.cli import diff_text
from envgen.cli.diff_json import comparison_json
from envgen.cli.sizes import human_size
from envgen.diff.comparison import Comparison, Difference
from envgen.diff.delta import Delta, Entry, State, diff_states
from envgen.diff.settings import SettingChange
from envgen.digest import Sha256
from envgen.image.made_layers import ImageChange, MadeLayer
from envgen.packages import PackageKind
from envgen.platforms import Platform


def entry(name: str, version: str, **facts: object) -> Entry:
    defaults = {"kind": PackageKind.WHEEL, "build": "", "digest": Sha256.of(version.encode()), "size": 1000}
    return Entry(name=name, version=version, **{**defaults, **facts})  # type: ignore[arg-type]  # by name


def comparison(before: list[Entry], after: list[Entry], *settings: SettingChange) -> Comparison:
    delta = diff_states(State(entries=tuple(before)), State(entries=tuple(after)))
    told = Delta(
        before=delta.before,
        after=delta.after,
        added=delta.added,
        removed=delta.removed,
        changed=delta.changed,
        settings=settings,
    )
    difference = Difference(environment="demo", platform=Platform.LINUX_64, delta=told)
    licenses = {e.digest: f"licence of {e.name}" for e in after if e.digest}
    return Comparison(before="main", after="HEAD", differences=(difference,) if told else (), licenses=licenses)


def lines(found: Comparison, *, markdown: bool = False) -> list[str]:
    write = diff_text.markdown if markdown else diff_text.terminal
    return "\n".join(write(found)).splitlines()


def test_terminal() -> None:
    setting = SettingChange(what="cuda", before="", after="12.8")
    assert lines(comparison([entry("a", "1"), entry("b", "1")], [entry("a", "2", size=3000)], setting)) == [
        "demo for linux-64: 1 removed, 1 changed; download 2 kB → 3 kB (+1 kB)",
        "  ~ cuda: none -> 12.8",
        "  ~ a 1 -> 2 (wheel, +2 kB, licence of a)",
        "  - b 1 (wheel, -1 kB)",
    ]


def test_same_version_says_what_differs() -> None:
    build = comparison([entry("a", "1", build="h1_0")], [entry("a", "1", build="h2_0")])
    assert "  ~ a 1 h1_0 -> 1 h2_0 (wheel, ±0 B, licence of a)" in lines(build)
    file = comparison([entry("a", "1", digest=Sha256("0" * 64))], [entry("a", "1", digest=Sha256("f" * 64))])
    assert "  ~ a 1 sha256 000000000000 -> 1 sha256 ffffffffffff (wheel, ±0 B, licence of a)" in lines(file)


def test_sizes_that_are_not_known_are_left_out() -> None:
    assert lines(comparison([], [entry("a", "1", size=None)])) == [
        "demo for linux-64: 1 added",
        "  + a 1 (wheel, licence of a)",
    ]


def test_nothing_differs() -> None:
    assert lines(comparison([entry("a", "1")], [entry("a", "1")])) == ["main and HEAD have the same packages"]
    assert lines(comparison([], []), markdown=True) == ["### Locks: `main` → `HEAD`", "", "No changes."]


def test_markdown() -> None:
    assert lines(comparison([], [entry("a", "1"), entry("libc6", "2", kind=PackageKind.DEBIAN)]), markdown=True) == [
        "### Locks: `main` → `HEAD`",
        "",
        "**demo** for linux-64: 2 added; download 0 B → 2 kB (+2 kB)",
        "",
        "| | package | from | before | after | size | licence |",
        "|---|---|---|---|---|---:|---|",
        "| + | **a** | wheel |  | `1` | +1 kB | licence of a |",
        "| + | **libc6** | Debian |  | `2` | +1 kB | licence of libc6 |",
    ]


def test_long_tables_are_folded() -> None:
    found = lines(comparison([], [entry(f"p{n:02}", "1") for n in range(50)]), markdown=True)
    assert "<details><summary>50 packages</summary>" in found
    assert found[-1] == "</details>"


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (4_640_000_000, "4.6 GB")])
def test_human_size(count: int, text: str) -> None:
    assert human_size(count) == text


def _with_image(change: ImageChange | None) -> Comparison:
    base = {"kind": PackageKind.DEBIAN, "users": ("image",)}
    delta = diff_states(
        State(entries=(entry("bash", "1", **base),), has_image=True),
        State(entries=(entry("bash", "2", **base),), has_image=True),
    )
    difference = Difference(environment="demo", platform=Platform.LINUX_64, delta=delta, image=change)
    return Comparison(before="main", after="HEAD", differences=(difference,))


CHANGE = ImageChange(
    before=1000,
    after=3000,
    kept=1,
    gone=(MadeLayer(digest=Sha256("0" * 64), size=900, title="Debian base"),),
    new=(MadeLayer(digest=Sha256("1" * 64), size=2900, title="a, " * 40),),
)


def test_layers_of_images_that_were_made() -> None:
    assert lines(_with_image(CHANGE))[1:5] == [
        "  image layers: base (bash)",
        "  image: 1 kB → 3 kB (+2 kB); layers: 1 kept, 1 new (3 kB)",
        "    - 000000000000 900 B: Debian base",
        f"    + 111111111111 3 kB: {('a, ' * 40)[:77]}...",
    ]
    assert "  * `-` 000000000000 900 B: Debian base" in lines(_with_image(CHANGE), markdown=True)
    (facts,) = comparison_json(_with_image(CHANGE))["differences"]
    assert facts["image"]["gone"] == [{"digest": f"sha256:{'0' * 64}", "bytes": 900, "content": "Debian base"}]


def test_layers_that_are_not_known_are_not_guessed() -> None:
    assert (
        "exact layers and sizes are unknown: `envgen image` has not built both on this machine"
        in lines(_with_image(None))[2]
    )
    (facts,) = comparison_json(_with_image(None))["differences"]
    assert facts["image"] is None
