from __future__ import annotations

import json

import pytest

from envgen.digest import Sha256
from envgen.errors import SpecError
from envgen.manifest.debian_parse import parse_debian_recipe
from envgen.manifest.debian_recipe import DebianRecipe, Edit, Output, for_python, render

HEAD = "name: tool\nversion-from: tool\nsuites: [bookworm]\npackages: [tool]\n"


def parse(text: str, templates: dict[str, str] | None = None) -> DebianRecipe:
    return parse_debian_recipe(
        text, source="recipes/tool/debian.yaml", recipe="tool", digest=Sha256.of(b""), templates=templates or {}
    )


def faults(text: str, templates: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse(text, templates)
    return [str(fault).removeprefix("recipes/tool/debian.yaml:") for fault in caught.value.faults]


def test_small_debian_recipe() -> None:
    parsed = parse(HEAD)
    assert parsed.packages == ("tool",)
    assert parsed.exclude == ("libc6",)
    assert dict(parsed.links) == {}


def test_a_c_library_to_link_with_is_taken_and_not_excluded() -> None:
    parsed = parse(HEAD + 'c-library: "opt/${{ machine }}"\n')
    assert (parsed.packages, parsed.exclude) == (("tool", "libc6"), ())
    assert render(parsed, {"machine": "x86_64"}).c_library == "opt/x86_64"
    assert faults(HEAD + "c-library: ../glibc\n")[0].startswith("5: ")


def test_whole_debian_recipe() -> None:
    parsed = parse(
        HEAD
        + """\
exclude: [debconf]
drop: ["usr/share/doc/**"]
relocate: [usr/lib/*.py]
edit:
  - {files: usr/bin/x, old: "${{ multiarch }}-gcc", new: gcc}
links: {bin/tool: "opt/debian/usr/lib/${{ multiarch }}/tool"}
join: {ssl/all.pem: usr/share/*.crt}
files: {etc/x: x}
depends: ["__glibc >=2.36"]
outputs:
  - {name: extra, version: "${{ minor }}", build: "0", constrains: [tool]}
""",
        {"x": "${{ prefix }} ${#array}"},
    )
    assert parsed.exclude == ("libc6", "debconf")
    assert parsed.edits == (Edit(files="usr/bin/x", old="${{ multiarch }}-gcc", new="gcc"),)
    assert parsed.outputs == (Output(name="extra", version="${{ minor }}", build="0", constrains=("tool",)),)
    rendered = render(parsed, {"prefix": "/here", "multiarch": "x86", "minor": "3.11"})
    assert rendered.files == {"etc/x": "/here ${#array}"}
    assert rendered.links == {"bin/tool": "opt/debian/usr/lib/x86/tool"}
    assert rendered.outputs[0].version == "3.11"


@pytest.mark.parametrize(
    "section",
    [
        "links: {'${{ version }}/x': bin/y}",
        "links: {x: '${{ version }}/etc'}",
        "join: {'${{ version }}/x': usr/x}",
        "join: {x: '${{ version }}/*'}",
        "files: {'${{ version }}': x}",
        "files: {'${{ version|lower }}/y': x}",
        "drop: ['${{ version }}/**']",
        "relocate: ['${{ version }}/**']",
        "edit: [{files: '${{ version }}/x', old: a, new: b}]",
        "outputs: [{name: x, version: '${{ version }}', build: '0'}]",
        "outputs: [{name: x, version: '1', build: '${{ version }}'}]",
    ],
)
@pytest.mark.parametrize("version", ["..", "/etc", "a/../..", "conda-meta/../..", "a\n../x", "a\x1b/"])
def test_values_are_checked_after_rendering(section: str, version: str) -> None:
    with pytest.raises(SpecError, match=r"recipes/tool/debian.yaml: .*"):
        render(parse(HEAD + section + "\n", {"x": "text"}), {"version": version})


def test_two_paths_that_render_to_one_are_refused() -> None:
    with pytest.raises(SpecError, match="is listed twice"):
        render(parse(HEAD + "files: {'${{ version }}': x, '1': x}\n", {"x": ""}), {"version": "1"})


@pytest.mark.parametrize("path", ["info/index.json", "INFO/x", "conda-meta/x.json", "a/../b", "x\n"])
def test_metadata_of_a_package_is_not_written(path: str) -> None:
    assert faults(HEAD + f"files: {{{json.dumps(path)}: x}}\n", {"x": ""})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("drop: [/etc]", "5: `drop`: expected a relative path, got '/etc' (write a relative path without `..`)"),
        (
            "links: {../bin/x: bin/y}",
            (
                "5: `links.../bin/x`: expected a path without an empty, `.` or `..` part, got '../bin/x' "
                "(write a relative path without `..`)"
            ),
        ),
        ("depends: ['${{ verson }}']", "5: `depends`: unknown variable `verson` (did you mean `version`?)"),
        ("depends: ['${{ version']", "5: `depends`: not a template"),
        ("exclude: ['a (>= 1)']", "5: `exclude`: not a name: 'a (>= 1)' (write one name per entry, without a version)"),
        ("edit: [{files: x, old: y}]", "5: `edit`: `new:` is missing"),
        ("outputs: [{name: Bad, version: '1', build: '0'}]", "5: `outputs.name`: not a conda package name"),
        ("files: {etc/x: y}", "5: `files.etc/x`: the recipe does not contain the file 'y'"),
        ("summary: [x]", "5: `summary`: expected text, got a list"),
    ],
)
def test_fault_is_told_with_its_line(text: str, said: str) -> None:
    found = faults(HEAD + text + "\n")
    assert len(found) == 1
    assert found[0].startswith(said)


def test_fault_of_a_template_names_it() -> None:
    assert faults(HEAD + "files: {etc/x: x}\n", {"x": "${{ prefx }}"}) == [
        "5: `x`: unknown variable `prefx` (did you mean `prefix`?)"
    ]


def test_missing_sections_are_told_together() -> None:
    assert faults("summary: x\n") == [
        f"1: `{key}:` is missing" for key in ("name", "version-from", "suites", "packages")
    ]


PYTHONS = """\
name: tool
version-from: python${{ python }}
packages: ["lib${{ python }}"]
drop: [usr/a]
rebind: {f: f@GLIBC_2.2.5}
pythons:
  "3.11": {suites: [bookworm], drop: [usr/b], rebind: {g: "g@${{ 'GLIBC_2.17' if machine == 'aarch64' else 'x' }}"}}
  "3.13": {suites: [trixie], packages: [more], exclude: ["no${{ python }}"]}
"""


def test_a_recipe_for_several_pythons() -> None:
    parsed = parse(PYTHONS)
    old, new = for_python(parsed, "3.11"), for_python(parsed, "3.13")
    assert old is not None
    assert new is not None
    assert (old.version_from, old.suites, old.packages, old.drop) == (
        "python3.11",
        ("bookworm",),
        ("lib3.11",),
        ("usr/a", "usr/b"),
    )
    assert (new.suites, new.packages, new.exclude, new.rebind) == (
        ("trixie",),
        ("lib3.13", "more"),
        ("libc6", "no3.13"),
        {"f": "f@GLIBC_2.2.5"},
    )
    assert render(old, {"machine": "aarch64"}).rebind == {"f": "f@GLIBC_2.2.5", "g": "g@GLIBC_2.17"}
    with pytest.raises(SpecError, match="expected a symbol and its version"):
        render(old, {"machine": "x86_64"})
    assert for_python(parsed, "3.12") is None


def test_a_recipe_without_pythons_is_the_same_for_all() -> None:
    found = for_python(parse(HEAD), "3.12")
    assert found is not None
    assert (found.packages, found.python) == (("tool",), "3.12")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("suites: [a]\npackages: ['${{ machine }}']\n", "4: `packages`: unknown variable `machine`"),
        ("packages: [a]\npythons: {'3.11': {suites: [a]}, '3.13': {}}\n", "1: `suites:` is missing"),
        ("suites: [a]\npackages: [a]\npythons: {x: {}}\n", "5: `pythons.x`: not a minor version of Python: 'x'"),
        ("suites: [a]\npackages: [a]\npythons: {'3.11': {links: {}}}\n", "5: unknown key `pythons.3.11.links`"),
    ],
)
def test_fault_of_a_recipe_for_several_pythons(text: str, said: str) -> None:
    (found,) = faults("name: tool\nversion-from: tool\n" + text)
    assert found.startswith(said)
