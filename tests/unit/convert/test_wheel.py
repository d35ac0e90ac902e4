"""Whole wheels become packages; the files of `wheel_unpack` are looked at here too, where they lie in a package."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from envgen.convert.conda_archive import content_digest
from envgen.convert.package import PLACEHOLDER
from envgen.convert.wheel import ConversionTerms
from envgen.convert.wheel_unpack import open_wheel, unpack
from envgen.errors import ArtifactError, HostError, UserError
from envgen.names import CondaName, NameTable, project_name
from envgen.platforms import Platform, PythonMinor, Target
from envgen.structs import replace
from tests.builders.streams import convert_both
from tests.builders.wheels import SCRIPT, locked_wheel, make_metadata, make_wheel, record_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envgen.packages import Wheel
    from envgen.records import Record
    from tests.builders.wheels import Rows

TARGET = Target(platform=Platform.LINUX_64, python=PythonMinor(3, 11), glibc=(2, 36))
NAMES = NameTable(
    renamed={project_name("torch"): CondaName("pytorch")},
    clashes={project_name("spam"): (CondaName("libspam"),)},
)
SITE = "lib/python3.11/site-packages"


@dataclass(frozen=True, slots=True)
class Made:
    """A package that a wheel became."""

    root: Path
    record: Record

    def json(self, name: str) -> dict[str, Any]:
        """Read a file of `info`."""
        found: dict[str, Any] = json.loads((self.root / "info" / f"{name}.json").read_text())
        return found

    def paths(self) -> dict[str, dict[str, Any]]:
        """Read `info/paths.json` by path."""
        return {entry["_path"]: entry for entry in self.json("paths")["paths"]}

    def installed_record(self) -> dict[str, tuple[str, str]]:
        """Read the installed RECORD by path."""
        (file,) = self.root.glob(f"{SITE}/*.dist-info/RECORD")
        rows = [line.rsplit(",", 2) for line in file.read_text().splitlines()]
        return {path: (hash_, size) for path, hash_, size in rows}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Made]:
    """Convert a wheel given as bytes, with what a lock says of it; from the disk and as it comes, with one result."""

    def maker(raw: bytes, wheel: Wheel | None = None, **options: Any) -> Made:
        wheel = wheel or locked_wheel(raw, "spam")
        roots = [tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}" for kind in ("package", "streamed")]
        file = tmp_path / wheel.sha256
        file.write_bytes(raw)
        facts = {key: options.pop(key) for key in ("target", "names", "python_full") if key in options}
        terms = ConversionTerms(**{"target": TARGET, "names": NAMES, **facts})
        return Made(roots[0], convert_both(file, wheel, terms, roots=roots, **options))

    return maker


def _everything() -> bytes:
    return make_wheel(
        "spam",
        files={"spam/__init__.py": "x = 1\n", "spam/empty.py": "", "{dist-info}/direct_url.json": "{}"},
        data={
            "scripts/run": "#!python -E\nprint()\n",
            "scripts/tool": "#!/bin/sh\n",
            "data/share/spam/x.txt": "x",
            "headers/spam.h": "int x;",
            "platlib/spam/y.py": "y = 1\n",
        },
        entry_points={"spam": "spam.cli:main"},
        licenses={"LICENSE": "do what you like"},
        requires=["ham >=1,<2"],
        modes={"spam/__init__.py": SCRIPT},
        fields=[("License-Expression", "MIT")],
    )


def _locked(raw: bytes) -> Wheel:
    return locked_wheel(raw, "spam", requires={"ham": ">=1,<2"})


def test_lays_out_a_prefix(make: Callable[..., Made]) -> None:
    raw = _everything()
    made = make(raw, _locked(raw))
    info = f"{SITE}/spam-1.0.dist-info"
    assert sorted(made.paths()) == [
        "bin/run",
        "bin/spam",
        "bin/tool",
        "include/site/python3.11/spam/spam.h",
        f"{info}/INSTALLER",
        f"{info}/METADATA",
        f"{info}/RECORD",
        f"{info}/WHEEL",
        f"{info}/entry_points.txt",
        f"{info}/licenses/LICENSE",
        f"{SITE}/spam/__init__.py",
        f"{SITE}/spam/empty.py",
        f"{SITE}/spam/y.py",
        "share/spam/x.txt",
    ]
    assert (made.root / info / "INSTALLER").read_text() == "conda\n"
    assert (made.root / "info" / "licenses" / "LICENSE").read_text() == "do what you like"


def test_paths_tell_the_truth(make: Callable[..., Made]) -> None:
    raw = _everything()
    made = make(raw, _locked(raw))
    for path, entry in made.paths().items():
        content = (made.root / path).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest(), path
        assert entry["size_in_bytes"] == len(content), path


def test_scripts_run_the_python_of_the_prefix(make: Callable[..., Made]) -> None:
    raw = _everything()
    made = make(raw, _locked(raw))
    marked = {path for path, entry in made.paths().items() if entry.get("prefix_placeholder") == PLACEHOLDER}
    assert marked == {"bin/run", "bin/spam"}
    for path in marked:
        assert (made.root / path).read_text().startswith(f"#!{PLACEHOLDER}/bin/python\n")
    modes = {path: (made.root / path).stat().st_mode & 0o777 for path in made.paths()}
    assert {path for path, mode in modes.items() if mode == 0o755} == {*marked, "bin/tool", f"{SITE}/spam/__init__.py"}
    assert set(modes.values()) == {0o755, 0o644}


def test_record_is_written_anew(make: Callable[..., Made]) -> None:
    raw = _everything()
    made = make(raw, _locked(raw))
    record = made.installed_record()
    base = made.root / SITE
    assert {os.path.relpath(base / path, made.root) for path in record} == set(made.paths())
    assert record["spam/__init__.py"] == (record_hash(b"x = 1\n"), "6")
    assert record["../../../bin/tool"] == (record_hash(b"#!/bin/sh\n"), "10")
    assert record["../../../bin/run"] == ("", "")
    assert record["spam-1.0.dist-info/RECORD"] == ("", "")


def test_index_names_the_package(make: Callable[..., Made]) -> None:
    raw = _everything()
    wheel = _locked(raw)
    made = make(raw, wheel)
    index = made.json("index")
    assert index == {
        "arch": "x86_64",
        "build": f"py311_h{wheel.sha256[:8]}_0",
        "build_number": 0,
        "constrains": ["libspam <0a0"],
        "depends": ["ham >=1,<2dev0", "python 3.11.*"],
        "license": "MIT",
        "name": "spam",
        "platform": "linux",
        "purls": ["pkg:pypi/spam@1.0"],
        "subdir": "linux-64",
        "version": "1.0",
    }
    assert made.record.origin is wheel
    assert made.json("about")["extra"]["wheel"]["sha256"] == wheel.sha256


def test_a_local_version_is_quoted_in_the_purl(make: Callable[..., Made]) -> None:
    raw = make_wheel("torch", "2.8.0+cu128")
    made = make(raw, locked_wheel(raw, "torch", "2.8.0+cu128"))
    assert made.json("index")["purls"] == ["pkg:pypi/torch@2.8.0%2Bcu128"]
    assert made.record.name == "pytorch"
    assert made.record.build.startswith("py311_cu128_h")


def test_the_same_wheel_gives_the_same_bytes(make: Callable[..., Made]) -> None:
    raw = _everything()
    first = make(raw, _locked(raw))
    old = os.umask(0o077)
    try:
        second = make(raw, _locked(raw))
    finally:
        os.umask(old)
    assert content_digest(first.root) == content_digest(second.root)


def test_versions_of_one_library_become_links(make: Callable[..., Made]) -> None:
    names = ("libx.so", "libx.so.1", "libx.so.1.0", "libx.so.2", "liby.so")
    contents = {name: b"other" if name == "libx.so.2" else b"\x7fELF same" for name in names}
    raw = make_wheel("spam", data={f"data/lib/{name}": content for name, content in contents.items()})
    made = make(raw)
    library = made.root / "lib"
    assert {name: str((library / name).readlink()) for name in names if (library / name).is_symlink()} == {
        "libx.so": "libx.so.1.0",
        "libx.so.1": "libx.so.1.0",
    }
    assert {name: (library / name).read_bytes() for name in names} == contents
    assert made.paths()["lib/libx.so"]["path_type"] == "softlink"
    assert made.paths()["lib/libx.so"]["sha256"] == hashlib.sha256(b"\x7fELF same").hexdigest()
    assert made.installed_record()["../../libx.so"] == (record_hash(b"\x7fELF same"), "9")


def test_progress_adds_up(make: Callable[..., Made]) -> None:
    raw = _everything()
    steps: list[int] = []
    make(raw, _locked(raw), advance=steps.append)
    assert 0 < sum(steps) <= len(raw)


def _tampered(path: str) -> Callable[[Rows], Rows]:
    return lambda rows: [(p, record_hash(b"else"), s) if p == path else (p, h, s) for p, h, s in rows]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (make_wheel("spam", files={"a": "1"}, record=_tampered("a")), "`a` in `spam-1.0-py3-none-any.whl` has sha256="),
        (
            make_wheel("spam", files={"a": "1"}, record=lambda rows: [r for r in rows if r[0] != "a"]),
            "`a` is not listed",
        ),
        (make_wheel("spam", unrecorded=[("extra.py", b"")]), "`extra.py` is not listed"),
        (make_wheel("spam", unrecorded=[("../evil", b"")]), "`../evil`"),
        (
            make_wheel("spam", data={"purelib/a": "1"}, files={"a": "1"}),
            "are both installed at `lib/python3.11/site-packages/a`",
        ),
        (make_wheel("spam", data={"purelib/a": "1"}, files={"a/b": "1"}), "which is a folder"),
        (make_wheel("spam", data={"purelib/spam-1.0.dist-info/INSTALLER": "x"}), "and `INSTALLER` in"),
        (make_wheel("spam", data={"data/info/index.json": "{}"}), "is reserved for conda"),
        (make_wheel("ham"), "expected spam 1.0"),
        (make_wheel("spam", "1.1"), "expected spam 1.0"),
        (
            make_wheel("spam", files={"{dist-info}/METADATA": make_metadata("spam", "9")}),
            "METADATA of `spam-1.0-py3-none-any.whl` says spam 9, expected spam 1.0",
        ),
        (b"not a zip", "is not a usable zip file"),
    ],
)
def test_refuses_a_wheel(make: Callable[..., Made], raw: bytes, message: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        make(raw)
    assert message in str(caught.value)


def test_a_wheel_without_hashes_gets_ours(make: Callable[..., Made]) -> None:
    raw = make_wheel("spam", files={"a": "1"}, record=lambda rows: [(path, "", "") for path, _hash, _size in rows])
    assert make(raw).installed_record()["a"] == (record_hash(b"1"), "1")


def test_libraries_without_hashes_are_not_taken_for_one(make: Callable[..., Made]) -> None:
    data = {"data/lib/libx.so": "one", "data/lib/libx.so.1": "two"}
    made = make(make_wheel("spam", data=data, record=lambda rows: [(path, "", "") for path, _h, _s in rows]))
    assert [(made.root / f"lib/{name}").read_text() for name in ("libx.so", "libx.so.1")] == ["one", "two"]


@pytest.mark.parametrize(
    "record",
    [
        _tampered("a"),
        lambda rows: [row for row in rows if row[0] != "a"],
        lambda _rows: [("no", "record", "at all")],
        lambda rows: [(p, h, "9") for p, h, _s in rows],
    ],
)
def test_a_trusted_wheel_needs_no_record(make: Callable[..., Made], record: Callable[[Rows], Rows]) -> None:
    raw = make_wheel("spam", files={"a": "1"}, record=record)
    with pytest.raises(ArtifactError, match="RECORD") as caught:
        make(raw)
    assert "trust-record: {spam:" in str(caught.value.hint)
    assert make(raw, trusted=True).installed_record()["a"] == (record_hash(b"1"), "1")


def test_a_local_version_may_stand_in_the_file_name_alone(make: Callable[..., Made]) -> None:
    raw = make_wheel("spam", "1.0", files={"a": "1"})
    made = make(raw, locked_wheel(raw, "spam", "1.0+cu130"))
    assert (made.record.version, "cu130" in made.record.build) == ("1.0", True)
    assert (made.root / SITE / "spam-1.0.dist-info/METADATA").exists()


def test_a_data_folder_of_another_spelling_is_installed(make: Callable[..., Made]) -> None:
    files = {"My_Tool-1.0.data/scripts/run": "#!python\n", "My_Tool-1.0.data/data/share/x": "1"}
    raw = make_wheel("my-tool", files=files)
    made = make(raw, locked_wheel(raw, "my-tool"))
    assert {"bin/run", "share/x"} <= made.paths().keys()
    assert not any("My_Tool" in path for path in made.paths())


def test_names_that_differ_by_case_only_are_two_on_linux(make: Callable[..., Made]) -> None:
    raw = make_wheel("spam", files={"spam/a.txt": "1", "spam/A.txt": "2"})
    made = make(raw)
    assert [(made.root / SITE / f"spam/{name}.txt").read_text() for name in "aA"] == ["1", "2"]
    with pytest.raises(ArtifactError, match="is a duplicate"):
        make(raw, target=replace(TARGET, platform=Platform.OSX_ARM64, glibc=None))


def test_an_entry_point_wins_over_a_script(make: Callable[..., Made]) -> None:
    made = make(make_wheel("spam", data={"scripts/spam": "#!python\nold"}, entry_points={"spam": "spam:main"}))
    assert "from spam import main" in (made.root / "bin" / "spam").read_text()


def test_metadata_may_differ_from_record(make: Callable[..., Made]) -> None:
    raw = make_wheel("spam", record=_tampered("spam-1.0.dist-info/METADATA"))
    made = make(raw)
    content = (made.root / SITE / "spam-1.0.dist-info" / "METADATA").read_bytes()
    assert made.installed_record()["spam-1.0.dist-info/METADATA"] == (record_hash(content), str(len(content)))


@pytest.mark.parametrize(
    "path",
    [
        "spam-1.0.dist-info/WHEEL",
        "spam-1.0.dist-info/entry_points.txt",
        "spam-1.0.dist-info/licenses/LICENSE",
        "spam-1.0.dist-info/licenses/METADATA",
        "spam-1.0.dist-info/METADATA.json",
        "spam/METADATA",
        "METADATA",
    ],
)
def test_no_other_file_may_differ_from_record(make: Callable[..., Made], path: str) -> None:
    raw = make_wheel(
        "spam",
        entry_points={"spam": "spam:main"},
        licenses={"LICENSE": "do what you like"},
        files={path: "x"} if path.rpartition("/")[2].startswith("METADATA") else {},
        record=_tampered(path),
    )
    with pytest.raises(ArtifactError, match=f"`{re.escape(path)}` in `spam-1.0-py3-none-any.whl` has sha256="):
        make(raw)


@pytest.mark.parametrize(
    ("requires", "locked", "message"),
    [
        (["ham >=2"], {"ham": ">=1"}, "`ham` is required as `>=2`, the lock has required as `>=1`"),
        (["ham"], {}, "`ham` is required as `any version`, the lock has not required"),
        ([], {"ham": ""}, "`ham` is not required, the lock has required as `any version`"),
    ],
)
def test_refuses_other_requirements_than_locked(
    make: Callable[..., Made], requires: list[str], locked: dict[str, str], message: str
) -> None:
    raw = make_wheel("spam", requires=requires)
    with pytest.raises(ArtifactError, match="differs from the lock") as caught:
        make(raw, locked_wheel(raw, "spam", requires=locked))
    assert message in str(caught.value)


def test_requirements_of_extras_and_markers_count(make: Callable[..., Made]) -> None:
    requires = ["a; extra == 'x'", "b; sys_platform == 'win32'", "c>=1,<3"]
    raw = make_wheel("spam", requires=requires, extras=["x"])
    made = make(raw, locked_wheel(raw, "spam", requires={"a": "", "c": "<3,>=1"}), extras=("x",))
    assert [spec.partition(" ")[0] for spec in made.record.depends] == ["c", "python"]


def test_refuses_an_unknown_wheel_version(make: Callable[..., Made]) -> None:
    raw = make_wheel("spam", wheel_version="2.0")
    with pytest.raises(ArtifactError, match=r"Wheel-Version '2\.0', expected 1\.x"):
        make(raw)


def test_refuses_windows(make: Callable[..., Made]) -> None:
    with pytest.raises(UserError, match="win-64"):
        make(make_wheel("spam"), target=replace(TARGET, platform=Platform.WIN_64, glibc=None))


@pytest.mark.parametrize("second", ["LICENSE", "LICENSE/a"])
def test_licences_of_one_name_are_all_kept(make: Callable[..., Made], second: str) -> None:
    made = make(make_wheel("spam", files={"{dist-info}/LICENSE": "one"}, licenses={second: "two"}))
    kept = made.root / "info/licenses"
    assert [(kept / name).read_text() for name in ("LICENSE", f"licenses/{second}")] == ["one", "two"]


def test_a_file_system_that_does_not_tell_case_apart(tmp_path: Path) -> None:
    """Stood in for by a folder that is there already, which is what the second of the two meets."""
    raw = make_wheel("spam", files={"case.py": ""})
    (tmp_path / "out/lib").mkdir(parents=True)
    (tmp_path / "spam.whl").write_bytes(raw)
    with (tmp_path / "spam.whl").open("rb") as stream:
        opened = open_wheel(stream, locked_wheel(raw, "spam"), python=PythonMinor(3, 11))
        with pytest.raises(HostError, match="whose names differ by case only, one of them `lib`"):
            unpack(opened, tmp_path / "out")
