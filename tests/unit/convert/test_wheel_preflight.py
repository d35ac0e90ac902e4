"""What is preflight of a wheel is what converting it does."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from envgen.convert.wheel import ConversionTerms, convert
from envgen.convert.wheel_directory import read_wheel_directory
from envgen.convert.wheel_preflight import Preflight, check_terms, foretell
from envgen.digest import Sha256
from envgen.errors import ArtifactError
from envgen.manifest.adjust import Adjustments
from envgen.names import NameTable, project_name
from envgen.platforms import Platform, PythonMinor, Target
from envgen.prefix.contents import LinkPackage, read_contents
from envgen.structs import replace
from tests.builders.wheels import locked_wheel, make_metadata, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.wheels import Rows

TARGET = Target(platform=Platform.LINUX_64, python=PythonMinor(3, 11), glibc=(2, 36))
LIBRARIES = {"data/lib/liba.so": "elf", "data/lib/liba.so.1": "elf"}
GOOD = [
    make_wheel("spam", files={"spam/__init__.py": "x = 1\n", "spam/b.txt": ""}, licenses={"LICENSE": "free"}),
    make_wheel("spam", data={"scripts/run": "#!/bin/sh\n", "headers/a.h": "", **LIBRARIES}),
    make_wheel("spam", data={"scripts/spam": "#!python\nold"}, entry_points={"spam": "spam:main"}),
    make_wheel("spam", files={"Spam-1.0.data/purelib/a.py": "1"}),
    make_wheel("spam", data={"scripts/.spam-post-link.sh": "rm"}, files={"{dist-info}/INSTALLER": "pip"}),
]


def look(raw: bytes, *, target: Target = TARGET, trusted: bool = False) -> Preflight:
    directory = read_wheel_directory(io.BytesIO(raw), what="spam.whl", size=len(raw))
    trust = Adjustments(trust_record={project_name("spam"): "published so"} if trusted else {})
    terms = ConversionTerms(target=target, names=NameTable(), adjustments=trust)
    check_terms(locked_wheel(raw, "spam"), directory, terms, extras=())
    return foretell(locked_wheel(raw, "spam"), directory, python=target.python, trusted=trusted)


def converted(raw: bytes, folder: Path) -> dict[str, str | None]:
    """Convert a wheel and read what its package claims."""
    file, root = folder / "spam.whl", folder / "root"
    file.write_bytes(raw)
    root.mkdir()
    record = convert(file, locked_wheel(raw, "spam"), ConversionTerms(target=TARGET, names=NameTable()), dest=root)
    contents = read_contents(LinkPackage(record=record, directory=root), None)
    return {item.claim.path: item.claim.content for item in contents.items}


@pytest.mark.parametrize("raw", GOOD)
def test_paths_and_contents_are_those_of_the_package(raw: bytes, tmp_path: Path) -> None:
    claimed = converted(raw, tmp_path)
    written = {path for path in claimed if path.endswith((".dist-info/RECORD", ".dist-info/INSTALLER"))}
    preflight = look(raw).paths
    assert preflight.keys() | written == claimed.keys()
    assert not [
        (path, content, claimed[path])
        for path, content in preflight.items()
        if content not in (None, claimed[path]) and not str(content).startswith("script of ")
    ]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (make_wheel("spam", data={"data/info/x": ""}), "is reserved for conda"),
        (make_wheel("spam", data={"strange/x": ""}), "has no scheme `strange`"),
        (make_wheel("spam", data={"purelib/a": "1"}, files={"a": "1"}), "are both installed at"),
        (make_wheel("ham"), "expected spam 1.0"),
        (make_wheel("spam", wheel_version="2.0"), "has Wheel-Version"),
        (make_wheel("spam", files={"{dist-info}/entry_points.txt": "nonsense"}), "`entry_points.txt` of"),
        (make_wheel("spam", unrecorded=[("extra.py", b"")]), "`extra.py` is not listed"),
        (make_wheel("spam", requires=["ham"]), "differs from the lock: `ham` is required as `any version`"),
        (make_wheel("spam", files={"{dist-info}/METADATA": make_metadata("spam", "9")}), "says spam 9, expected"),
    ],
)
def test_refuses_what_converting_would_refuse(raw: bytes, message: str, tmp_path: Path) -> None:
    for attempt in (lambda: look(raw), lambda: converted(raw, tmp_path)):
        with pytest.raises(ArtifactError) as caught:
            attempt()
        assert message in str(caught.value)


def test_contents_are_told_by_record_where_one_hash_is_odd() -> None:
    contents = {f"spam/{number}.py": bytes([number]) for number in range(5)}

    def spell(rows: Rows) -> Rows:
        return [(path, "sha256=x" if path == "spam/2.py" else hash_, size) for path, hash_, size in rows]

    found = look(make_wheel("spam", files=contents, record=spell)).paths
    assert {path: found[f"lib/python3.11/site-packages/{path}"] for path in contents} == {
        path: None if path == "spam/2.py" else f"sha256:{Sha256.of(content)}" for path, content in contents.items()
    }


def test_a_trusted_wheel_says_nothing_of_contents() -> None:
    raw = make_wheel("spam", files={"a.py": "1"}, unrecorded=[("extra.py", b"")])
    found = look(raw, trusted=True).paths
    assert (found["lib/python3.11/site-packages/a.py"], found["lib/python3.11/site-packages/extra.py"]) == (None, None)


def test_names_by_case_are_refused_where_the_platform_cannot_hold_them() -> None:
    raw = make_wheel("spam", files={"a.txt": "1", "A.txt": "2"})
    assert len(look(raw).paths) == 4
    macos = replace(TARGET, platform=Platform.OSX_ARM64, glibc=None)
    with pytest.raises(ArtifactError, match="is a duplicate"):
        look(raw, target=macos)


def test_oddities_are_told() -> None:
    def bare(rows: Any) -> Any:
        return [(path, "", "") for path, _digest, _size in rows]

    assert look(make_wheel("spam", files={"a.py": ""}, record=bare)).oddities == (
        "has no hash of sha256 or stronger for 3 files, such as `a.py`",
    )
    assert json.dumps(look(GOOD[0]).oddities) == "[]"
