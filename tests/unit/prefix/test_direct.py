"""Packages that are linked without rattler, held against what rattler makes of the same packages."""

from __future__ import annotations

import errno
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from envgen.digest import Sha256
from envgen.errors import ArtifactError, HostError
from envgen.platforms import Platform
from envgen.prefix.contents import PythonLayout
from envgen.prefix.facts import facts_of
from envgen.prefix.link import link
from envgen.prefix.state import read_state, status_of
from envgen.prefix.verify import verify_prefix
from envgen.structs import replace
from tests.builders.extracted import PLACEHOLDER, Draft, Link, make
from tests.unit.prefix import samples
from tests.unit.prefix.samples import BETA, BUILT, CHANNEL, NOARCH, PYTHON, SITE, tree

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.prefix.contents import LinkPackage
    from envgen.system.store import Store

ALPHA = replace(samples.ALPHA, files={**samples.ALPHA.files, "lib/liba.so": Link(to="liba.so.1", listed=True)})
LINKS = Draft(
    name="links",
    files={
        "lib/libb.so": Link(to="../lib/liba.so.1", listed=True),
        "lib/away.so": Link(to="nowhere", listed=True),
        "share/docs": Link(to="../lib", listed=True),
        "share/é.txt": "text",
        "share/notes.txt": f"of {PLACEHOLDER}\nand {PLACEHOLDER}/lib\n",
    },
)
CIRCLE = Draft(
    name="circle",
    files={"share/circle": Link(to="round", listed=True), "share/round": Link(to="circle", listed=True)},
)
COMMANDS = Draft(
    name="commands",
    noarch="python",
    files={
        "etc/commands.conf": f"home = {PLACEHOLDER}\n",
        "python-scripts/linked": Link(to="../site-packages/commands/é.py", listed=True),
        "python-scripts/plain": "#!/bin/sh\n",
        "site-packages/commands/__init__.py": f"HERE = '{PLACEHOLDER}'\n",
        "site-packages/commands/é.py": "é",
        "site-packages/commands/same.py": Link(to="__init__.py", listed=True),
        "site-packages.txt": "beside",
    },
    depends=("python",),
    constrains=("other >=1",),
    entry_points=("pure = pure:main", "run = commands:Main.run", " spaced=commands.cli:main "),
    origin=BUILT,
)
DRAFTS: tuple[Draft, ...] = (
    PYTHON,
    replace(samples.ALPHA, name="other", files={"lib/libo.so": Link(to="liba.so.1")}),
    replace(ALPHA, origin=CHANNEL),
    replace(BETA, origin=BUILT),
    LINKS,
    NOARCH,
    COMMANDS,
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A path without a space, which may stand in the first line of a script."""
    return tmp_path / "env"


def made(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch, *, direct: bool, **more: Any) -> dict[str, str]:
    """Link all samples into a new prefix at `place`; return every file with its content and mode."""
    packages = [make(store, draft) for draft in DRAFTS]
    with monkeypatch.context() as patch:
        if not direct:
            patch.setattr("envgen.prefix.direct._links_and_does_not_clone", lambda *_places: False)
        link(packages, place, store=store, platform=Platform.LINUX_64, requested={"alpha": "alpha ==1.0"}, **more)
    modes = {name: oct((place / name).lstat().st_mode) for name in tree(place)}
    found = {name: f"{modes[name]} {text}" for name, text in tree(place).items()}
    shutil.rmtree(place)
    return found


@pytest.mark.parametrize("more", [{}, {"alternative_prefix": "/opt/env"}, {"archives": "file:///c"}], ids=str)
def test_files_and_records_are_those_of_rattler(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    direct = made(store, place, monkeypatch, direct=True, **more)
    assert direct == made(store, place, monkeypatch, direct=False, **more)


@pytest.mark.parametrize("by_rattler", [False, True])
def test_a_skeleton_has_the_records_links_and_texts_of_all(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch, by_rattler: bool
) -> None:
    """With a link that rattler lays out, which may lead to any file, nothing is left in the store."""
    drafts = [draft for draft in (*DRAFTS, CIRCLE) if by_rattler or draft.name != "other"]
    monkeypatch.setattr(f"{__name__}.DRAFTS", drafts)
    whole = made(store, place, monkeypatch, direct=True, alternative_prefix="/opt/env")
    skeleton = made(store, place, monkeypatch, direct=True, alternative_prefix="/opt/env", skeleton=True)
    assert skeleton.items() <= whole.items()
    kept = {"lib/libb.so", "lib/away.so", "lib/liba.so", "share/docs", "share/notes.txt", "share/circle"}
    assert kept | {name for name in whole if name.startswith("conda-meta/")} <= skeleton.keys()
    assert (skeleton == whole) is by_rattler
    assert by_rattler or "lib/liba.so.1" not in skeleton


@pytest.mark.parametrize("length", range(123, 131))
def test_the_first_line_of_a_script_is_that_of_rattler(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    there = f"/{'p' * (length - len('#!//bin/python'))}"
    first = made(store, tmp_path / "env", monkeypatch, direct=True, alternative_prefix=there)
    assert first == made(store, tmp_path / "env", monkeypatch, direct=False, alternative_prefix=there)


@pytest.mark.parametrize("odd", [{"sha256": None}, {"no_link": True}, {"file_mode": "binary"}], ids=str)
def test_a_package_with_more_to_it_is_left_to_rattler(store: Store, odd: dict[str, object]) -> None:
    package = make(store, ALPHA)
    listing = package.directory / "info/paths.json"
    document = json.loads(listing.read_text())
    document["paths"][2] |= odd
    listing.write_text(json.dumps(document))
    assert facts_of(package, store) is facts_of(package, store) is None


@pytest.mark.parametrize("entry_point", ["odd = pure", "odd = pure:", "odd = pure:main [gui]", "pure = pure:main"])
def test_a_command_of_another_form_is_left_to_rattler(store: Store, entry_point: str) -> None:
    layout = PythonLayout(site_packages=SITE, scripts="bin", program="bin/python3.11")
    package = make(store, replace(NOARCH, entry_points=(*NOARCH.entry_points, entry_point)))
    assert facts_of(package, store, layout) is facts_of(package, store, layout) is None
    assert facts_of(make(store, NOARCH), store) is None
    assert facts_of(make(store, NOARCH), store, replace(layout, windows=True)) is None


def test_facts_of_a_noarch_package_are_those_of_the_python_beside_it(store: Store, place: Path) -> None:
    package, newer = make(store, NOARCH), make(store, replace(PYTHON, version="3.12.1"))
    for python, folder in (
        (make(store, PYTHON), "python3.11"),
        (newer, "python3.12"),
        (make(store, PYTHON), "python3.11"),
    ):
        link([python, package], place, store=store, platform=Platform.LINUX_64)
        assert (place / "lib" / folder / "site-packages/pure/__init__.py").exists()
        assert f"{place}/bin/{folder}\n" in (place / "bin/pure").read_text()
        assert verify_prefix(place) == ()


def test_the_state_of_files_is_that_which_the_store_told(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = [make(store, draft) for draft in (PYTHON, ALPHA, NOARCH, COMMANDS)]
    assert not any(store.altered(package.key) for package in packages)
    plain, asked = os.lstat, set[str]()

    def lstat(path: str | Path, **named: Any) -> os.stat_result:
        asked.add(str(path))
        return plain(path, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", lstat)
        link(packages, place, store=store, platform=Platform.LINUX_64)
    assert str(place / "bin/pure") in asked
    assert asked.isdisjoint(str(place / SITE / path) for path in ("alpha/__init__.py", "pure/__init__.py"))
    state = read_state(place)
    assert state is not None
    for package in state.packages.values():
        assert package.status == status_of(place, package.installed.files)


def test_rattler_is_not_asked_for_files_links_and_texts(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise AssertionError("rattler is not needed")

    monkeypatch.setattr("envgen.prefix.installer.install", refuse)
    packages = [make(store, draft) for draft in (PYTHON, ALPHA, BETA, LINKS, NOARCH, COMMANDS)]
    link(packages, place, store=store, platform=Platform.LINUX_64)
    assert verify_prefix(place) == ()
    assert (place / "conda-meta/history").read_text() == ""


def test_a_file_with_too_many_links_is_copied(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = make(store, ALPHA)
    plain = os.link

    def link_or_refuse(source: str | Path, target: str | Path) -> None:
        if str(source).endswith("liba.so.1"):
            raise OSError(errno.EMLINK, "too many links")
        plain(source, target)

    monkeypatch.setattr(os, "link", link_or_refuse)
    link([package], place, store=store, platform=Platform.LINUX_64)
    assert not (place / "lib/liba.so.1").samefile(package.directory / "lib/liba.so.1")
    assert verify_prefix(place) == ()


def test_a_fault_of_one_package_ends_the_change_and_the_next_run_finishes_it(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records are rendered while files are linked; none is written before all files are there."""
    packages = [make(store, draft) for draft in (PYTHON, ALPHA, BETA, LINKS)]
    plain = os.link

    def link_or_refuse(source: str | Path, target: str | Path) -> None:
        if str(source).endswith("liba.so.1"):
            raise OSError(errno.EIO, "input/output error")
        plain(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", link_or_refuse)
        with pytest.raises(HostError, match="input/output error"):
            linked(store, place, *packages)
    assert not list((place / "conda-meta").glob("*.json"))
    linked(store, place, *packages)
    assert verify_prefix(place) == ()


def test_packages_share_folders_however_deep(store: Store, place: Path) -> None:
    """Each makes its own, in two threads; 600 levels are more than recursion could go down."""
    deep = "/".join("d" * 600)
    names = [f"p{number}" for number in range(8)]
    drafts = [Draft(name=name, files={f"{deep}/{name}/{one}": one for one in "ab"}) for name in names]
    linked(store, place, *(make(store, draft) for draft in drafts))
    assert all((place / deep / name / "a").read_text() == "a" for name in names)
    assert verify_prefix(place) == ()


def linked(store: Store, place: Path, *packages: LinkPackage) -> None:
    link(packages, place, store=store, platform=Platform.LINUX_64)


def test_what_a_package_holds_is_read_once(
    store: Store, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = make(store, ALPHA)
    linked(store, place, package)
    monkeypatch.setattr("envgen.prefix.facts.read_paths", lambda _package: pytest.fail("it is read again"))
    linked(store, tmp_path / "other", package)
    assert verify_prefix(tmp_path / "other") == ()
    assert tree(place).keys() == tree(tmp_path / "other").keys()


def test_a_listing_that_was_damaged_is_noticed(store: Store, place: Path, tmp_path: Path) -> None:
    package = make(store, ALPHA)
    linked(store, place, package)
    (package.directory / "info/paths.json").write_text("damaged")
    with pytest.raises(ArtifactError, match=r"failed to read `info/paths\.json`"):
        linked(store, tmp_path / "other", package)


@pytest.mark.parametrize("kept", [b"", b"not JSON", b"[]", b'{"format": 0}', b'{"format": 2, "listing": ""}'])
def test_facts_of_another_form_are_made_again(store: Store, place: Path, kept: bytes) -> None:
    package = make(store, ALPHA)
    store.put("linking", package.key, kept)
    linked(store, place, package)
    assert verify_prefix(place) == ()
    assert store.cached("linking", package.key) not in {None, kept}


def test_a_kept_path_that_leads_outside_is_not_used(store: Store) -> None:
    package = make(store, ALPHA)
    listing = Sha256.of((package.directory / "info/paths.json").read_bytes())
    sound = facts_of(package, store)
    kept = (store.cached("linking", package.key) or b"").replace(b"bin/alpha", b"../alphas")
    assert listing.encode() in kept
    store.put("linking", package.key, kept)
    found = facts_of(package, store)
    assert found == sound
    assert found is not None
    assert f"{SITE}/alpha/__init__.py" in found.paths


def test_a_store_that_cannot_be_written_serves(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    package = make(store, ALPHA)
    monkeypatch.setattr(store, "put", refuse)
    linked(store, place, package)
    assert verify_prefix(place) == ()
