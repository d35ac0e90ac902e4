from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from envgen.digest import Sha256
from envgen.image.config import LayerNote, annotations_of, cuda_major, environment_of, image_config, labels_of
from envgen.manifest.parse import parse_spec
from envgen.platforms import Platform
from tests.unit.lock.samples import built, lock, wheel

if TYPE_CHECKING:
    from envgen.manifest.env_spec import EnvSpec
    from envgen.manifest.image_spec import ImageSpec
    from envgen.records import Record

SPEC = """\
name: demo
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
image:
  services: {jupyter: , ssh: }
  ports: [9000, 53/udp]
  environment: {OMP_NUM_THREADS: 4, LANG: de_DE.UTF-8}
  labels: {org.opencontainers.image.vendor: Example, team: a}
"""


def spec(text: str = SPEC) -> EnvSpec:
    return parse_spec(text, source="environments/demo.yaml")


def image(of: EnvSpec) -> ImageSpec:
    assert of.image is not None
    return of.image


def config(of: EnvSpec, **more: Any) -> dict[str, Any]:
    raw = image_config(
        image(of),
        platform=more.pop("platform", Platform.LINUX_64),
        environment=environment_of(of, image(of), cuda=None, own={}),
        labels=labels_of(of, image(of), cuda=None),
        layers=[LayerNote(diff_id=Sha256("a" * 64), note="Debian base")],
        created=more.pop("created", None),
        **more,
    )
    found: dict[str, Any] = json.loads(raw)
    return found


def test_an_image_runs_as_somebody_by_number() -> None:
    run = config(spec())["config"]
    assert run["User"] == "1000:1000"
    assert run["WorkingDir"] == "/home/user"
    assert run["Entrypoint"] == ["/usr/bin/tini", "--", "/usr/local/lib/envgen/entry"]
    assert "Cmd" not in run
    assert run["ExposedPorts"] == {"2222/tcp": {}, "53/udp": {}, "8888/tcp": {}, "9000/tcp": {}}


def test_the_shape_is_ocis() -> None:
    found = config(spec(), platform=Platform.LINUX_AARCH64)
    assert (found["architecture"], found["os"]) == ("arm64", "linux")
    assert found["rootfs"] == {"type": "layers", "diff_ids": ["sha256:" + "a" * 64]}
    assert found["history"] == [{"created_by": "envgen: Debian base"}]
    assert "created" not in found


def test_activation_is_in_the_variables() -> None:
    of = spec()
    found = environment_of(of, image(of), cuda=None, own={"OWN": "1", "LANG": "x"})
    assert found["PATH"].startswith("/opt/env/bin:/usr/local/sbin:")
    assert found["CONDA_PREFIX"] == "/opt/env"
    assert found["CONDA_DEFAULT_ENV"] == "demo"
    assert (found["HOME"], found["USER"]) == ("/home/user", "user")
    assert (found["OWN"], found["OMP_NUM_THREADS"], found["LANG"]) == ("1", "4", "de_DE.UTF-8")
    assert not [name for name in found if name.startswith("NVIDIA")]
    assert list(found) == sorted(found)


def test_variables_of_the_spec_are_in_the_image_and_those_of_the_image_win() -> None:
    of = spec(SPEC + 'env: {OMP_NUM_THREADS: 8, DATA: "${prefix}/data", LANG: C}\n')
    found = environment_of(of, image(of), cuda=None, own={"DATA": "x"})
    assert (found["OMP_NUM_THREADS"], found["DATA"], found["LANG"]) == ("4", "/opt/env/data", "de_DE.UTF-8")


def test_cuda_asks_for_any_driver_of_its_major_version() -> None:
    of = spec()
    found = environment_of(of, image(of), cuda=12, own={})
    assert {name: value for name, value in found.items() if "NVIDIA" in name} == {
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": "cuda>=12.0",
        "NVIDIA_VISIBLE_DEVICES": "all",
    }
    assert "CUDA_VERSION" not in found
    assert labels_of(of, image(of), cuda=12)["com.nvidia.volumes.needed"] == "nvidia_driver"


@pytest.mark.parametrize(
    ("records", "major"),
    [
        ((), None),
        ((wheel("nvidia-nccl-cu12", "2.27.3"),), None),
        ((wheel("nvidia-cuda-runtime-cu12", "12.8.90"),), 12),
        ((wheel("nvidia-cuda-runtime", "13.0.48"),), 13),
    ],
)
def test_cuda_is_what_packages_bring(records: tuple[Record, ...], major: int | None) -> None:
    assert cuda_major(lock(built("python", "3.11.2"), *records)) == major


def test_annotations_are_the_labels_with_words_of_oci() -> None:
    of = spec()
    labels = labels_of(of, image(of), cuda=None)
    assert labels == {
        "org.opencontainers.image.title": "demo",
        "org.opencontainers.image.vendor": "Example",
        "team": "a",
    }
    assert annotations_of(labels) == {key: labels[key] for key in labels if key != "team"}


def test_bytes_are_a_function_of_the_arguments() -> None:
    of = spec()
    one, other = (
        image_config(
            image(of),
            platform=Platform.LINUX_64,
            environment=dict(order(environment_of(of, image(of), cuda=12, own={}).items())),
            labels=dict(order(labels_of(of, image(of), cuda=12).items())),
            layers=[],
            created=None,
        )
        for order in (sorted, lambda items: sorted(items, reverse=True))
    )
    assert one == other


def test_the_date_is_that_of_the_lock() -> None:
    when = dt.datetime(2026, 1, 2, 4, 4, 5, 999, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    found = config(spec(), created=when)
    assert (found["created"], found["history"][0]["created"]) == ("2026-01-02T03:04:05Z",) * 2
    labels = labels_of(spec(), image(spec()), cuda=None, created=when)
    assert annotations_of(labels)["org.opencontainers.image.created"] == "2026-01-02T03:04:05Z"
    without = config(spec())
    assert "created" not in without
    assert "created" not in without["history"][0]
