from __future__ import annotations

import pytest
import rattler

from envgen.errors import LockError
from envgen.lock.conda_lock import from_solution
from envgen.lock.model import file_name, normal
from envgen.packages import BuiltPackage, ChannelPackage, Wheel
from envgen.platforms import Platform
from envgen.structs import replace
from tests.unit.lock import samples


def test_every_origin_has_its_placeholder_and_channels_lose_their_secrets() -> None:
    urls = {p.name: p.url for p in samples.lock().packages}
    assert urls["torch"] == "${ENVGEN_PYPI}/torch/torch-2.8.0+cu128-py3-none-any.whl"
    assert urls["python"] == "${ENVGEN_CHANNEL}/linux-64/python-3.11.2-h1_0.conda"
    assert urls["numpy"] == "https://conda.example.org/forge/linux-64/numpy-2.3.5-h1_0.conda"


def test_a_channel_given_relative_to_the_project_is_relative_to_the_lock() -> None:
    packages = {p.name: p for p in samples.lock().packages}
    graphviz = packages["graphviz"]
    assert isinstance(graphviz, ChannelPackage)
    assert graphviz.url == "../channel/linux-64/graphviz-12.0.0-h1_0.conda"
    assert (graphviz.subdir, graphviz.filename) == ("linux-64", "graphviz-12.0.0-h1_0.conda")


def test_packages_are_sorted_by_manager_and_name() -> None:
    kinds = [(type(p), p.name) for p in samples.lock().packages]
    assert kinds == [
        (ChannelPackage, "graphviz"),
        (ChannelPackage, "numpy"),
        (BuiltPackage, "python"),
        (BuiltPackage, "python_abi"),
        (Wheel, "idna"),
        (Wheel, "jsonschema"),
        (Wheel, "sympy"),
        (Wheel, "torch"),
    ]


def test_facts_beside_the_packages() -> None:
    lock = samples.lock()
    assert lock.python == "3.11.2"
    assert lock.recipes == {"python": samples.RECIPES["python"]}
    assert lock.extras == {"jsonschema": ("format",)}
    assert lock.asked_extras == {"jsonschema": ("format",)}
    assert file_name("sample", lock.platform) == "sample.linux-64.conda-lock.yml"


def test_the_request_is_the_same_however_it_is_written() -> None:
    other = samples.spec("""
# another order, other spellings, a comment
exclude-newer: 2026-11-23T00:00:00Z
names: {Mine: yours}
pypi: ["JsonSchema[FORMAT]>=4", "torch==2.8.0;platform_machine=='x86_64'"]
dependencies: ["graphviz[version='>=9']"]
channels: [conda-forge, ./channel]
platforms: {linux-64: {archspec: x86_64_v3, glibc: 2.36, cuda: 12.8}}
python: 3.11
name: sample
""")
    assert samples.lock(wanted=other).request == samples.lock().request
    changed = samples.spec(samples.SPEC.replace("torch ==2.8.0", "torch ==2.8.1"))
    assert samples.lock(wanted=changed).request != samples.lock().request


def test_a_channel_package_without_md5_is_refused() -> None:
    numpy = samples.conda("numpy", "2", channel="https://conda.example.org/forge", md5="")
    with pytest.raises(LockError, match="numpy-2-h1_0: its channel provides no md5") as caught:
        samples.lock(samples.built("python", "3.11.2"), numpy)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("depends", "expected"),
    [
        (["numpy >=1.26,<3"], {"numpy": ">=1.26,<3"}),
        (["numpy>=1.26"], {"numpy": ">=1.26"}),
        (["python_abi 3.11.* *_cp311"], {"python_abi": "3.11.* *_cp311"}),
        (["numpy >=1.26", "numpy <3"], {"numpy": ">=1.26,<3"}),
        (["numpy", "numpy <3"], {"numpy": "<3"}),
        (["a >=1|<0.5", "a <3"], {"a": "(>=1|<0.5),<3"}),
        (["blas 1.0 mkl", "blas"], {"blas": "1.0 mkl"}),
        (["blas * *mkl", "blas >=1"], {"blas": ">=1 *mkl"}),
        (["numpy[version='>=1.26',build='py311*']"], {"numpy": ">=1.26 py311*"}),
        (["conda-forge::numpy >=1"], {"numpy": ">=1"}),
    ],
)
def test_dependencies_become_one_constraint_a_name(depends: list[str], expected: dict[str, str]) -> None:
    lock = samples.lock(samples.built("python", "3.11.2", *depends))
    (python,) = lock.packages
    assert isinstance(python, BuiltPackage)
    assert python.dependencies == expected
    for name, rest in python.dependencies.items():
        rattler.MatchSpec(f"{name} {rest}")


def test_defaults_of_a_target_are_filled_in() -> None:
    spec = samples.spec("name: sample\npython: 3.11\nplatforms: {linux-64: {}}\n")
    lock = from_solution(
        replace(samples.solution(samples.built("python", "3.11.2")), target=spec.targets[Platform.LINUX_64], extras={}),
        spec,
        recipes=samples.RECIPES,
        debian=None,
        converter=1,
    )
    assert (lock.target.glibc, lock.target.archspec) == ((2, 17), "x86_64")
    assert normal(lock.target) == lock.target
