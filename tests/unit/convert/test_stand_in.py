from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.convert.conda_archive import content_digest
from envgen.convert.stand_in import write_stand_ins
from envgen.convert.wheel import ConversionTerms, convert
from envgen.convert.wheel_key import package_key
from envgen.errors import ArtifactError
from envgen.manifest.adjust import Adjustments
from envgen.names import Family, NameTable, ProjectName
from envgen.platforms import Platform, PythonMinor, Target
from envgen.structs import replace
from tests.builders.wheels import locked_wheel, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.packages import Wheel

TARGET = Target(platform=Platform.LINUX_64, python=PythonMinor(3, 11), glibc=(2, 36))
SITE = "lib/python3.11/site-packages"
OLD, NEW = ProjectName("cv-old"), ProjectName("cv-new")
FAMILY = Family(holds={OLD: frozenset(), NEW: frozenset({OLD})}, same_versions=True)


def test_the_dist_info_of_each_project(tmp_path: Path) -> None:
    wheel = replace(locked_wheel(b"", "cv-new", "4.12.0+cu128"), stands_for=(ProjectName("cv-old"), ProjectName("cv")))
    written = write_stand_ins(tmp_path, wheel, python=TARGET.python)
    folder = tmp_path / SITE / "cv_old-4.12.0+cu128.dist-info"
    assert (folder / "METADATA").read_text() == (
        "Metadata-Version: 2.1\nName: cv-old\nVersion: 4.12.0+cu128\nSummary: provided by cv-new\n"
        "Requires-Dist: cv-new ==4.12.0+cu128\n"
    )
    assert (folder / "INSTALLER").read_text() == "conda\n"
    listed = {line.partition(",")[0] for line in (folder / "RECORD").read_text().splitlines()}
    assert listed == {f"{folder.name}/{name}" for name in ("INSTALLER", "METADATA", "RECORD")}
    files = {str(path.relative_to(tmp_path)): path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {path: size for path, (_, size) in written.items()}
    assert len(files) == 6


_PLAIN = Adjustments()


def made(tmp_path: Path, raw: bytes, wheel: Wheel, names: NameTable, adjustments: Adjustments = _PLAIN) -> Path:
    dest = tmp_path / "package"
    dest.mkdir()
    file = tmp_path / "file.whl"
    file.write_bytes(raw)
    convert(file, wheel, ConversionTerms(target=TARGET, names=names, adjustments=adjustments), dest=dest)
    return dest


def test_a_requirement_becomes_one_on_what_stands_in(tmp_path: Path) -> None:
    raw = make_wheel("spam", files={"spam.py": ""}, requires=("cv-old >=4",))
    wheel = locked_wheel(raw, "spam", requires={"cv-old": ">=4"})
    names = NameTable(families=(FAMILY,)).substituted({OLD: NEW})
    dest = made(tmp_path, raw, wheel, names)
    assert '"cv-new >=4"' in (dest / "info/index.json").read_text()
    assert "cv-old" not in (dest / "info/index.json").read_text()


def test_versions_of_another_family_do_not_count(tmp_path: Path) -> None:
    raw = make_wheel("spam", files={"spam.py": ""}, requires=("cv-old >=4",))
    wheel = locked_wheel(raw, "spam", requires={"cv-old": ">=4"})
    dest = made(tmp_path, raw, wheel, NameTable().substituted({OLD: NEW}))
    assert '"cv-new"' in (dest / "info/index.json").read_text()


def test_what_the_spec_overrides_and_excludes_is_not_a_contradiction(tmp_path: Path) -> None:
    raw = make_wheel("spam", files={"spam.py": ""}, requires=("eggs <2", "ham"))
    wheel = locked_wheel(raw, "spam", requires={"eggs": ">=3"})
    adjustments = Adjustments(
        overrides={ProjectName("eggs"): ("eggs>=3",)}, exclude={ProjectName("spam"): (ProjectName("ham"),)}
    )
    dest = made(tmp_path, raw, wheel, NameTable(), adjustments)
    index = (dest / "info/index.json").read_text()
    assert '"eggs >=3"' in index
    assert "ham" not in index
    (tmp_path / "other").mkdir()
    with pytest.raises(ArtifactError, match="differs from the lock: `eggs` is required as `<2`"):
        made(tmp_path / "other", raw, wheel, NameTable())


def test_keys_tell_packages_apart_by_what_stands_for_what(tmp_path: Path) -> None:
    raw = make_wheel("cv-new", files={"cv.py": ""})
    wheel = locked_wheel(raw, "cv-new")
    standing = replace(wheel, stands_for=(OLD,))
    user = locked_wheel(b"", "user", requires={"cv-old": ""})
    plain, family = NameTable(), NameTable(families=(FAMILY,))
    keys = [
        package_key(wheel, target=TARGET, names=plain),
        package_key(standing, target=TARGET, names=plain),
        package_key(user, target=TARGET, names=plain),
        package_key(user, target=TARGET, names=plain.substituted({OLD: NEW})),
        package_key(user, target=TARGET, names=family.substituted({OLD: NEW})),
    ]
    assert len(set(keys)) == 5
    assert package_key(wheel, target=TARGET, names=family.substituted({OLD: NEW})) == keys[0]
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        digests.add(content_digest(made(tmp_path / name, raw, standing, plain)))
    assert len(digests) == 1
