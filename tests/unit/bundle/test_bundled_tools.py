"""Which wheels of a bundle serve envgen itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.bundle.bundled_tools import bundled_wheels
from envgen.bundle.parts import TOOLS, WHEEL, BundleArtifact, bytes_part, text_part
from envgen.bundle.tools import PLATFORM, PYTHON, VERSION
from envgen.bundle.write import Bundle, write_folder
from envgen.oci.read import START, open_layout

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.oci.read import LayoutReader

OWN = "tools/samebytes-1.0-py3-none-any.whl"
WANTED = {PYTHON: "3.11", PLATFORM: "linux-64", VERSION: "1.0"}


def layout(folder: Path, annotations: dict[str, str]) -> LayoutReader:
    titles = (OWN, "tools/click-8.0-py3-none-any.whl", "tools/../click.whl", "click.whl")
    wheels = [bytes_part(title, WHEEL, title.encode()) for title in titles]
    made = BundleArtifact(
        kind=TOOLS, name="tools", annotations=annotations, parts=(text_part(START, b"start"), *wheels)
    )
    write_folder(Bundle(entries=[made.entry], blobs=made.blobs, start=b"start"), folder, advance=lambda _: None)
    return open_layout(folder)


def test_the_first_bundle_for_the_target_serves(tmp_path: Path) -> None:
    other, fitting = layout(tmp_path / "a", WANTED | {PYTHON: "3.12"}), layout(tmp_path / "b", WANTED)
    found = bundled_wheels([other, fitting], WANTED, own=OWN)
    assert found
    assert found[0] is fitting
    assert list(found[1]) == ["tools/click-8.0-py3-none-any.whl"]


def test_a_bundle_of_another_version_does_not_serve(tmp_path: Path) -> None:
    assert bundled_wheels([layout(tmp_path / "a", WANTED | {VERSION: "0.9"})], WANTED, own=OWN) is None
