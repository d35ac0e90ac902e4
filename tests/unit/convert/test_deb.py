from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envgen.convert.deb import build_debian_recipe, build_empty, describe
from envgen.convert.package import PLACEHOLDER
from envgen.debs import Deb, DebianArea
from envgen.digest import Sha256
from envgen.errors import ArtifactError, UserError
from envgen.manifest.debian_parse import parse_debian_recipe
from envgen.platforms import Platform
from envgen.structs import replace
from tests.builders import debian
from tests.builders.tree import File, Link
from tests.unit.convert.test_elf import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.manifest.debian_recipe import DebianRecipe

RECIPE = """\
name: tool
version-from: tool
summary: a tool
license: MIT
home: https://example.org
suites: [bookworm]
packages: [tool]
drop: [usr/share/doc/**]
relocate: ["usr/lib/${{ multiarch }}/*.pc"]
edit: [{files: usr/share/tool.conf, old: "${{ multiarch }}-gcc", new: gcc}]
links: {bin/tool: opt/debian/usr/bin/tool, "lib/libtool.so": "opt/debian/usr/lib/${{ multiarch }}/libtool.so"}
join: {ssl/all.pem: usr/share/certs/*.crt}
files: {tool.cfg: tool.cfg}
depends: [zlib, "__glibc >=2.36"]
outputs:
  - {name: tool_abi, version: "${{ minor }}", build: 0_abi, constrains: ["tool ${{ minor }}.*"]}
"""
TEMPLATES = {"tool.cfg": "home = ${{ prefix }}/${{ debian }}\nversion = ${{ version }}\n"}

TOOL: Mapping[str, File | Link] = {
    "usr/bin/tool": File(b"#!/bin/sh\n", 0o755),
    "usr/share/doc/tool/copyright": File(b"MIT\n"),
    "usr/share/doc/tool/NEWS": File(b"old\n"),
    "usr/share/tool.conf": File(b"cc = x86_64-linux-gnu-gcc\n"),
    "usr/share/certs/b.crt": File(b"B\n"),
    "usr/share/certs/a.crt": File(b"A\n"),
    "usr/lib/gone": Link("/etc/host"),
}
LIBRARY: Mapping[str, File | Link] = {
    "lib/x86_64-linux-gnu/libtool.so": File(SAMPLE.read_bytes()),
    "usr/lib/x86_64-linux-gnu/tool.pc": File(b"libdir=/usr/lib/x86_64-linux-gnu\nshare=/usr/share/other\n"),
}


def recipe(text: str = RECIPE) -> DebianRecipe:
    return parse_debian_recipe(
        text,
        source="recipes/tool/debian.yaml",
        recipe="tool",
        digest=Sha256.of(text.encode()),
        templates=TEMPLATES,
    )


def put(
    folder: Path, files: Mapping[str, Mapping[str, File | Link]], versions: Mapping[str, str] | None = None
) -> dict[Deb, Path]:
    """Write `.deb`s and return where they are, the last one first."""
    known = {"tool": "1:3.11.2-6+deb12u9", **(versions or {})}
    found: dict[Deb, Path] = {}
    for name, content in reversed(list(files.items())):
        version = known.get(name, "1.0-1")
        data = debian.make_deb(debian.Deb(name=name, version=version, files=content), compression="none")
        (folder / f"{name}.deb").write_bytes(data)
        deb = Deb(
            name=name,
            version=version,
            architecture="amd64",
            archive=DebianArea.DEBIAN,
            path=f"pool/main/t/tool/{name}.deb",
            sha256=Sha256.of(data),
            size=len(data),
        )
        found[deb] = folder / f"{name}.deb"
    return found


def build(folder: Path, debian: DebianRecipe | None = None, **files: Mapping[str, File | Link]) -> Path:
    folder.mkdir()
    debs = put(folder, files or {"tool": TOOL, "libtool": LIBRARY})
    dest = folder / "package"
    dest.mkdir()
    build_debian_recipe(debian or recipe(), debs, platform=Platform.LINUX_64, dest=dest)
    return dest


def read(package: Path, name: str) -> Any:
    return json.loads((package / "info" / name).read_text())


def snapshot(package: Path) -> dict[str, Any]:
    return {
        path.relative_to(package).as_posix(): str(path.readlink())
        if path.is_symlink()
        else (path.read_bytes(), path.stat().st_mode)
        for path in sorted(package.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_a_script_of_the_recipe_can_be_run(tmp_path: Path) -> None:
    text = RECIPE.replace("files: {tool.cfg: tool.cfg}", "files: {bin/run: run.sh, tool.cfg: tool.cfg}")
    debian_recipe = parse_debian_recipe(
        text,
        source="recipes/tool/debian.yaml",
        recipe="tool",
        digest=Sha256.of(text.encode()),
        templates={**TEMPLATES, "run.sh": "#!/bin/sh\nexec ${{ prefix }}/tool\n"},
    )
    package = build(tmp_path / "built", debian_recipe)
    assert (package / "bin/run").stat().st_mode & 0o777 == 0o755
    assert (package / "tool.cfg").stat().st_mode & 0o777 == 0o644


C_LIBRARY: Mapping[str, File | Link] = {
    "lib/x86_64-linux-gnu/libc.so.6": File(SAMPLE.read_bytes()),
    "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": File(b"loader"),
    "lib64/ld-linux-x86-64.so.2": Link("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
    "usr/lib/x86_64-linux-gnu/gconv/UTF-16.so": File(b"not for linking"),
    "usr/share/doc/libc6/copyright": File(b"LGPL\n"),
}


def with_c_library(folder: Path, *, place: str = "opt/glibc", version: str = "2.36-9+deb12u9") -> Path:
    """Build the recipe with a C library of its own."""
    files = {"tool": TOOL, "libtool": LIBRARY, "libc6": C_LIBRARY}
    debs = put(folder, files, {"libc6": version})
    dest = folder / "package"
    dest.mkdir()
    build_debian_recipe(recipe(f"{RECIPE}c-library: {place}\n"), debs, platform=Platform.LINUX_64, dest=dest)
    return dest


def test_a_c_library_to_link_with_is_kept_apart_and_unchanged(tmp_path: Path) -> None:
    package = with_c_library(tmp_path)
    kept = {path.name: path.read_bytes() for path in (package / "opt/glibc").iterdir()}
    assert kept == {"libc.so.6": SAMPLE.read_bytes(), "ld-linux-x86-64.so.2": b"loader"}
    assert not any("libc.so.6" in path.name for path in (package / "opt/debian").rglob("*"))
    assert not list(package.rglob("UTF-16.so"))
    assert (package / "info/licenses/libc6/copyright").read_bytes() == b"LGPL\n"
    assert read(package, "debian.json")["glibc"] == "2.36"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"place": "opt/debian/glibc"}, "`c-library: opt/debian/glibc`, where its programs would load it"),
        ({"place": "tool.cfg"}, "which already exists"),
        ({"version": "2.41-12"}, r"need glibc 2\.41, the recipe declares an older one"),
    ],
)
def test_a_c_library_that_does_not_fit_is_refused(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        with_c_library(tmp_path, **given)


def test_package_is_described_before_it_is_built(tmp_path: Path) -> None:
    debs = put(tmp_path, {"tool": TOOL, "libtool": LIBRARY})
    main, abi = describe(recipe(), debs, platform=Platform.LINUX_64)
    assert (main.name, main.version, main.subdir) == ("tool", "3.11.2", "linux-64")
    assert main.build == f"6_deb12u9_h{main.inputs[:8]}_0"
    assert main.depends == ("__glibc >=2.36", "zlib")
    assert main.key == f"{main.dist}-{main.inputs[:16]}"
    assert (abi.dist, abi.subdir, abi.constrains) == ("tool_abi-3.11-0_abi", "noarch", ("tool 3.11.*",))


def test_build_string_holds_all_inputs(tmp_path: Path) -> None:
    debs = list(put(tmp_path, {"tool": TOOL, "libtool": LIBRARY}))
    first = describe(recipe(), debs, platform=Platform.LINUX_64)
    assert describe(recipe(), debs[::-1], platform=Platform.LINUX_64) == first
    other_bytes = [replace(debs[0], sha256=Sha256.of(b"else")), debs[1]]
    changed = [
        describe(recipe(), other_bytes, platform=Platform.LINUX_64),
        describe(recipe(), debs, platform=Platform.LINUX_AARCH64),
        describe(recipe(RECIPE + "# another\n"), debs, platform=Platform.LINUX_64),
    ]
    assert len({packages[0].build for packages in (first, *changed)}) == 4
    assert changed[1][1] == first[1], "the package without files is the same for every platform"


def test_version_needs_its_package(tmp_path: Path) -> None:
    debs = put(tmp_path, {"libtool": LIBRARY})
    with pytest.raises(UserError, match="takes its version from `tool`, which is not one of its packages"):
        describe(recipe(), debs, platform=Platform.LINUX_64)


def test_package_holds_what_the_recipe_says(tmp_path: Path) -> None:
    package = build(tmp_path / "a")
    files = {path["_path"]: path for path in read(package, "paths.json")["paths"]}
    assert sorted(files) == [
        "bin/tool",
        "lib/libtool.so",
        "opt/debian/usr/bin/tool",
        "opt/debian/usr/lib/x86_64-linux-gnu/libtool.so",
        "opt/debian/usr/lib/x86_64-linux-gnu/tool.pc",
        "opt/debian/usr/share/tool.conf",
        "ssl/all.pem",
        "tool.cfg",
    ]
    assert (package / "bin/tool").readlink() == Path("../opt/debian/usr/bin/tool")
    assert (package / "ssl/all.pem").read_text() == "A\nB\n"
    assert (package / "tool.cfg").read_text() == f"home = {PLACEHOLDER}/opt/debian\nversion = 3.11.2\n"
    assert (package / "opt/debian/usr/share/tool.conf").read_text() == "cc = gcc\n"
    assert (package / "opt/debian/usr/lib/x86_64-linux-gnu/tool.pc").read_text() == (
        f"libdir={PLACEHOLDER}/opt/debian/usr/lib/x86_64-linux-gnu\nshare=/usr/share/other\n"
    )
    assert [path for path, entry in files.items() if "prefix_placeholder" in entry] == [
        "opt/debian/usr/lib/x86_64-linux-gnu/tool.pc",
        "tool.cfg",
    ]


def test_digests_are_those_of_the_files_as_they_are_now(tmp_path: Path) -> None:
    """Those of unpacked files are known, but not of texts, programs and libraries that the recipe changes."""
    package = build(tmp_path / "a")
    for path in read(package, "paths.json")["paths"]:
        data = (package / path["_path"]).read_bytes()
        assert (path["_path"], path["sha256"], path["size_in_bytes"]) == (path["_path"], Sha256.of(data), len(data))


def test_package_says_where_it_comes_from(tmp_path: Path) -> None:
    package = build(tmp_path / "a")
    assert read(package, "index.json")["subdir"] == "linux-64"
    assert read(package, "about.json") == {"summary": "a tool", "license": "MIT", "home": "https://example.org"}
    report = read(package, "debian.json")
    assert report["dangling_links"] == ["usr/lib/gone"]
    assert report["dropped"] == {"usr/share/doc/**": {"files": 1, "size": 4}}
    assert [entry["purl"] for entry in report["packages"]] == [
        "pkg:deb/debian/libtool@1.0-1?arch=amd64",
        "pkg:deb/debian/tool@1%3A3.11.2-6%2Bdeb12u9?arch=amd64",
    ]
    assert (package / "info/licenses/tool/copyright").read_text() == "MIT\n"


def test_two_builds_are_alike_whatever_the_umask(tmp_path: Path) -> None:
    first = build(tmp_path / "a")
    before = os.umask(0o077)
    try:
        second = build(tmp_path / "b")
    finally:
        os.umask(before)
    assert snapshot(first) == snapshot(second)


def test_package_without_files(tmp_path: Path) -> None:
    debs = put(tmp_path, {"tool": TOOL})
    abi = describe(recipe(), debs, platform=Platform.LINUX_64)[1]
    (tmp_path / "abi").mkdir()
    build_empty(abi, recipe(), platform=Platform.LINUX_64, dest=tmp_path / "abi")
    assert read(tmp_path / "abi", "paths.json")["paths"] == []
    index = read(tmp_path / "abi", "index.json")
    assert (index["name"], index["noarch"], index["subdir"]) == ("tool_abi", "generic", "noarch")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("__glibc >=2.36", "zlib-ng", r"need glibc 2\.\d+, the recipe declares an older one"),
        ("__glibc >=2.36", "__glibc >=2.1", r"need glibc 2\.\d+, the recipe declares an older one"),
        ("usr/bin/tool, ", "usr/bin/gone, ", "links `bin/tool` to `opt/debian/usr/bin/gone`, which does not exist"),
        ("{tool.cfg: ", "{opt/debian/usr/bin/tool: ", "creates `opt/debian/usr/bin/tool`, which already exists"),
        ("certs/*", "none/*", r"`join`: pattern `usr/share/none/\*\.crt` matches no file"),
    ],
)
def test_recipe_that_does_not_fit_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in RECIPE
    with pytest.raises(ArtifactError, match=says):
        build(tmp_path / "a", recipe(RECIPE.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("files: {tool.cfg: tool.cfg}", "files: {\"${{ '../' * 3 }}planted\": tool.cfg}"),
        ("files: {tool.cfg: tool.cfg}", "files: {\"${{ 'conda-META' }}/planted.json\": tool.cfg}"),
        ("links: {bin/tool: opt", "links: {\"${{ '../' * 3 }}planted\": opt"),
        ("links: {bin/tool: opt/debian/usr/bin/tool", "links: {bin/tool: \"${{ '../' * 3 }}secret\""),
        ("join: {ssl/all.pem:", "join: {\"${{ '/' }}tmp/planted\":"),
    ],
)
def test_a_path_is_one_of_the_package_after_it_is_filled_in(tmp_path: Path, old: str, new: str) -> None:
    assert old in RECIPE
    (tmp_path / "secret").write_text("secret")
    inside = tmp_path / "a/b"
    inside.mkdir(parents=True)
    debs = put(inside, {"tool": TOOL, "libtool": LIBRARY})
    with pytest.raises(UserError, match=r"recipes/tool/debian\.yaml.*expected"):
        build_debian_recipe(recipe(RECIPE.replace(old, new)), debs, platform=Platform.LINUX_64, dest=inside / "dest")
    assert not list(tmp_path.rglob("*planted*"))


@pytest.mark.parametrize("key", ["version", "build"])
def test_an_output_has_words_for_file_names(tmp_path: Path, key: str) -> None:
    old = {"version": 'version: "${{ minor }}"', "build": "build: 0_abi"}[key]
    text = RECIPE.replace(old, f"{key}: \"${{{{ '../' }}}}x\"")
    assert text != RECIPE
    debs = put(tmp_path, {"tool": TOOL, "libtool": LIBRARY})
    with pytest.raises(UserError, match=r"recipes/tool/debian\.yaml: expected a version or build string.*got '\.\./x'"):
        describe(recipe(text), debs, platform=Platform.LINUX_64)
