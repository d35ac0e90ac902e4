"""What is exported is read back by the tool that it is for: the same names, versions and digests."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest
import rattler
import yaml
from conda_lock.lockfile import parse_conda_lock_file
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from dockerfile_parse import DockerfileParser
from packageurl import PackageURL
from packaging.pylock import Pylock
from packaging.requirements import Requirement
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from envgen.export.formats import FORMATS
from envgen.platforms import Platform
from tests.unit.export import samples

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.lock.model import Lock

WHEELS = {str(wheel.project): (wheel.version, str(wheel.sha256)) for wheel in samples.lock().wheels}
ALL = {str(package.name): (package.version, str(package.sha256)) for package in samples.lock().packages}


def written(name: str, tmp_path: Path, *locks: Lock, converted: bool = False) -> Path:
    one = FORMATS[name]
    file = tmp_path / one.file
    file.write_text(one.render(samples.inputs(*locks, converted=converted)).text, encoding="utf-8")
    return file


def test_conda_lock_reads_conda_lock(tmp_path: Path) -> None:
    content = parse_conda_lock_file(written("conda-lock", tmp_path, samples.lock(), samples.other()))
    found = {p.name: (p.version, p.hash.sha256) for p in content.package if p.platform == "linux-64"}
    assert found == ALL
    assert {p.name for p in content.package if p.platform == "linux-aarch64"} == {
        str(p.name) for p in samples.other().packages
    }


def test_py_rattler_reads_pixi(tmp_path: Path) -> None:
    file = rattler.LockFile.from_path(written("pixi", tmp_path, samples.lock(), samples.other()))
    environment = file.default_environment()
    assert environment is not None
    assert [str(platform) for platform in file.platforms()] == ["linux-64", "linux-aarch64"]
    packages = environment.packages(file.platforms()[0]) or []
    assert {p.name: p.hashes.sha256.hex() for p in packages if p.hashes and p.hashes.sha256} == {
        name: digest for name, (_, digest) in ALL.items()
    }
    versions = {p.name: str(getattr(p, "version", None)) for p in packages}
    assert versions == {name: version for name, (version, _) in ALL.items()}
    torch = next(p for p in packages if p.name == "torch")
    assert isinstance(torch, rattler.lock.PypiLockedPackage)
    assert [Requirement(text).name for text in torch.requires_dist] == ["numpy", "sympy"]
    assert Requirement(torch.requires_dist[1]).specifier == Requirement("sympy!=1.13,>=1.12").specifier


def test_packaging_reads_pylock_and_selects_for_the_target(tmp_path: Path) -> None:
    lock = samples.lock()
    content = tomllib.loads(written("pylock", tmp_path).read_text(encoding="utf-8"))
    pylock = Pylock.from_dict(content)
    pylock.validate()
    chosen = pylock.select(environment=lock.target.marker_environment(), tags=lock.target.wheel_tags())  # type: ignore[arg-type]  # a TypedDict of the same keys
    found = {str(p.name): (str(p.version), file.hashes["sha256"]) for p, file in chosen if hasattr(file, "hashes")}
    assert found == WHEELS


def test_requirements_are_requirements_with_digests(tmp_path: Path) -> None:
    text = written("requirements", tmp_path).read_text(encoding="utf-8").replace("\\\n", "")
    found = {}
    for line in (line for line in text.splitlines() if not line.startswith("#")):
        requirement, _, digest = line.partition("--hash=sha256:")
        parsed = Requirement(requirement)
        found[parsed.name] = (str(parsed.specifier).removeprefix("=="), digest)
    assert found == WHEELS


def test_environment_yml_holds_match_specs_and_requirements(tmp_path: Path) -> None:
    content = yaml.safe_load(written("environment.yml", tmp_path).read_text(encoding="utf-8"))
    *exact, pip = content["dependencies"]
    specs = [rattler.MatchSpec(text) for text in exact]
    found = {str(spec.name.normalized): str(spec.version) for spec in specs if spec.name}
    expected = {p.name: f"=={p.version}" for p in samples.lock().packages if p.name not in WHEELS}
    assert {name: version.lstrip("=") for name, version in found.items()} == {
        name: version.lstrip("=") for name, version in expected.items()
    }
    assert {Requirement(text.partition(" ")[0]).name for text in pip["pip"]} == set(WHEELS)


@pytest.mark.parametrize("converted", [False, True])
def test_explicit_lists_what_conda_takes(converted: bool, tmp_path: Path) -> None:
    lines = written("explicit", tmp_path, converted=converted).read_text(encoding="utf-8").splitlines()
    urls = [line for line in lines[lines.index("@EXPLICIT") + 1 :] if not line.startswith("#")]
    assert all(url.startswith("https://") and len(url.partition("#")[2]) == 32 for url in urls)
    assert len(urls) == len(ALL) if converted else len(ALL) - len(WHEELS)
    assert len([line for line in lines if line.startswith("# pip ")]) == (0 if converted else len(WHEELS))
    names = [url.rpartition("/")[2].rsplit("-", 2)[0] for url in urls]
    assert names.index("python") < names.index("numpy")


def test_notes_say_what_a_format_leaves_out() -> None:
    assert "python 3.11.2" in FORMATS["requirements"].render(samples.inputs()).notes[0]
    assert "4 wheels" in FORMATS["explicit"].render(samples.inputs()).notes[0]
    assert FORMATS["explicit"].render(samples.inputs(converted=True)).notes == ()


def test_cyclonedx_is_valid(tmp_path: Path) -> None:
    text = written("cyclonedx", tmp_path).read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    digests = {c["name"]: c["hashes"][-1]["content"] for c in components if not c["purl"].startswith("pkg:deb")}
    assert digests == {name: digest for name, (_, digest) in ALL.items()}


def test_spdx_is_valid(tmp_path: Path) -> None:
    document = parse_file(str(written("spdx", tmp_path)))
    assert validate_full_spdx_document(document) == []
    found = {p.name: p.version for p in document.packages if p.name in ALL}
    assert found == {name: version for name, (version, _) in ALL.items()}


@pytest.mark.parametrize("name", ["cyclonedx", "spdx"])
def test_purls_are_canonical(name: str, tmp_path: Path) -> None:
    content = json.loads(written(name, tmp_path).read_text(encoding="utf-8"))
    if name == "cyclonedx":
        purls = [component["purl"] for component in content["components"]]
    else:
        purls = [p["externalRefs"][0]["referenceLocator"] for p in content["packages"] if "externalRefs" in p]
    assert [PackageURL.from_string(purl).to_string() for purl in purls] == purls
    assert {purl.partition("/")[0] for purl in purls} == {"pkg:conda", "pkg:pypi", "pkg:deb"}
    assert "pkg:pypi/torch@2.8.0%2Bcu128" in purls


def test_debian_package_is_part_of_what_its_recipe_made(tmp_path: Path) -> None:
    content = json.loads(written("cyclonedx", tmp_path).read_text(encoding="utf-8"))
    needs = {entry["ref"]: entry["dependsOn"] for entry in content["dependencies"]}
    python = next(ref for ref in needs if ref.startswith("pkg:conda/python@"))
    assert [purl.partition("@")[0] for purl in needs[python]] == ["pkg:deb/debian/python3.11", "pkg:deb/debian/zlib1g"]
    assert "distro=bookworm" in needs[python][0]
    assert "pkg:pypi/torch@2.8.0%2Bcu128" in needs["sample@linux-64"]


def test_dockerfile_parses(tmp_path: Path) -> None:
    file = DockerfileParser(path=str(written("dockerfile", tmp_path, samples.lock(), samples.other()).parent))
    instructions = [step["instruction"] for step in file.structure]
    assert instructions.count("FROM") == 2
    assert file.cmd == '["python"]'
    assert file.envs["CONDA_PREFIX"] == "/opt/env"
    assert Platform.LINUX_AARCH64 in file.content
