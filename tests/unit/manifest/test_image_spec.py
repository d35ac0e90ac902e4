from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from envgen.manifest import image_spec
from envgen.manifest.image_spec import ImageSpec, ImageUser, Service
from envgen.manifest.parse import parse_spec
from envgen.platforms import Platform

if TYPE_CHECKING:
    from envgen.glibc import Glibc
    from envgen.manifest.image_spec import BaseSpec


def parse(section: str) -> ImageSpec:
    text = f'name: x\npython: "3.11"\nplatforms: {{linux-64: {{glibc: "2.36"}}}}\nimage: {section}\n'
    found = parse_spec(text, source="environments/x.yaml").image
    assert found is not None
    return found


def test_no_section_is_no_image() -> None:
    text = 'name: x\npython: "3.11"\nplatforms: {linux-64: {}}\n'
    assert parse_spec(text, source="environments/x.yaml").image is None


@pytest.mark.parametrize("section", ["{}", "", "{base: {}, user: {}, services: {}, ports: []}"])
def test_an_empty_section_is_an_image_with_defaults(section: str) -> None:
    found = parse(section)
    assert found == ImageSpec(base=found.base)
    assert (found.prefix, found.user, found.services) == ("/opt/env", ImageUser(name="user", uid=1000), ())
    assert found.base.suites == ()


@pytest.mark.parametrize(
    ("glibc", "release"),
    [(None, "bookworm"), ((2, 28), "bookworm"), ((2, 36), "bookworm"), ((2, 38), "trixie"), ((2, 99), "trixie")],
)
def test_the_base_has_the_glibc_that_the_environment_may_rely_on(glibc: Glibc | None, release: str) -> None:
    assert parse("{}").base.suites_for(glibc) == (release, f"{release}-updates", f"{release}-security")
    assert parse("{base: {suites: [sid]}}").base.suites_for(glibc) == ("sid",)


def test_everything() -> None:
    found = parse("""
  base:
    suites: [trixie]
    packages: [git, "libfabric1 [amd64 arm64]", perl-base]
    exclude: [g++]
    drop: [usr/share/perl5/**]
  prefix: /srv/team/env/
  user: {name: ada, uid: 4711}
  services:
    jupyter: {port: 9999}
    ssh: {forwarding: true}
    board: {command: tensorboard --logdir runs, port: 6006}
    watch: {command: "sleep 9"}
  ports: [8080, 5353/udp, 80/tcp]
  environment: {DATA: "${home}/data", WHO: "${user}", LIB: "${prefix}/lib", PRICE: 5$$, THREADS: 4}
  labels: {org.opencontainers.image.vendor: Example}
  layers: {count: 20, size: 512 MiB}
""")
    assert found.prefix == "/srv/team/env"
    assert found.user == ImageUser(name="ada", uid=4711)
    assert found.services == (
        Service(name="jupyter", port=9999),
        Service(name="ssh", port=2222, forwarding=True),
        Service(name="board", command="tensorboard --logdir runs", port=6006),
        Service(name="watch", command="sleep 9"),
    )
    assert found.ports == ("8080", "5353/udp", "80")
    assert found.environment == {
        "DATA": "/home/ada/data",
        "WHO": "ada",
        "LIB": "/srv/team/env/lib",
        "PRICE": "5$",
        "THREADS": "4",
    }
    assert found.labels == {"org.opencontainers.image.vendor": "Example"}
    assert (found.layers, found.layer_size) == (20, 512 * 2**20)
    assert found.base.suites == ("trixie",)
    assert "usr/share/perl5/**" in found.base.drop
    assert "usr/share/man/**" in found.base.drop


def base(section: str) -> BaseSpec:
    return parse(f"{{base: {section}}}").base


def test_packages_are_those_of_the_platform() -> None:
    found = base('{packages: [git, "one [arm64]"]}')
    amd, arm = found.wanted(Platform.LINUX_64), found.wanted(Platform.LINUX_AARCH64)
    assert set(amd) - set(arm) == {"libze1", "ocl-icd-libopencl1"}
    assert set(arm) - set(amd) == {"one"}
    assert {"git", "tini", "bash", "openssh-server", "g++"} <= set(amd)
    assert amd == tuple(sorted(set(amd)))


def test_what_is_excluded_is_not_wanted() -> None:
    found = base("{exclude: [g++, libze1]}")
    assert not {"g++", "libze1"} & set(found.wanted(Platform.LINUX_64))
    assert {"g++", "libze1", "debconf"} <= set(found.exclude)


def test_what_is_asked_for_is_not_excluded_by_default() -> None:
    found = base("{packages: [perl-base]}")
    assert "perl-base" not in found.exclude
    assert "perl-base" in found.wanted(Platform.LINUX_64)


def test_the_defaults_go_together() -> None:
    names = [text.partition(" ")[0] for text in image_spec.PACKAGES]
    assert not set(names) & set(image_spec.EXCLUDE)
    assert names[len(image_spec.CORE) :] == sorted(names[len(image_spec.CORE) :])
    assert len(set(names)) == len(names)


def test_every_key_is_documented() -> None:
    from envgen.manifest import image_parse

    assert image_spec.__doc__ is not None
    sections = [*re.findall(r"^      (\w+): ", image_spec.__doc__, re.MULTILINE), "base"]
    assert sorted(set(sections)) == sorted(image_parse._KEYS)


@pytest.mark.parametrize(
    ("text", "size"), [("2 GB", 2 * 10**9), ("10MB", 10**7), ("1.5 GiB", 3 * 2**29), ("20000 kb", 2 * 10**7)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse(f"{{layers: {{size: {text}}}}}").layer_size == size


def test_a_set_adds_its_packages() -> None:
    plain, found = parse("{}").base, parse("{base: {sets: [workstation], packages: [jq], exclude: [nano]}}").base
    added = set(found.wanted(Platform.LINUX_64)) - set(plain.wanted(Platform.LINUX_64))
    assert {"git", "less", "ncurses-bin", "rsync", "jq"} <= added
    assert "nano" not in added
