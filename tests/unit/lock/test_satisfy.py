from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from envgen.digest import Sha256
from envgen.lock.satisfy import stale
from envgen.structs import replace
from tests.unit.lock import samples

if TYPE_CHECKING:
    from envgen.lock.model import Lock
    from envgen.records import Record


def reasons(text: str = samples.SPEC, lock: Lock | None = None, **changed: Any) -> tuple[str, ...]:
    now: dict[str, Any] = {
        "recipe_digests": samples.RECIPES,
        "debian_digest": samples.DEBIAN,
        "converter": samples.CONVERTER,
        "names": samples.NAMES,
    }
    return stale(samples.spec(text), lock or samples.lock(), **(now | changed))


def spec_with(old: str, new: str) -> str:
    assert old in samples.SPEC
    return samples.SPEC.replace(old, new)


def without(*names: str) -> Lock:
    return samples.lock(*(r for r in samples.records() if r.name not in names))


def with_other(record: Record) -> Lock:
    return samples.lock(*(record if r.name == record.name else r for r in samples.records()))


def test_the_lock_of_a_spec_is_true_for_it() -> None:
    assert reasons() == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: sample", "# a comment\nname: sample"),
        ("  - torch ==2.8.0 ;", "  - Torch==2.8 ;"),
        ("  - torch ==2.8.0 ;", "  - torch ;"),
        ("  - torch ==2.8.0 ;", "  - torch >=2,<3 ;"),
        ("graphviz >=9", "graphviz"),
        ("exclude-newer: 2026-11-22", "exclude-newer: 2026-11-23T01:00:00+01:00"),
        ("  linux-aarch64", "  osx-arm64: {macos: 13.0}\n  linux-aarch64"),
        ("  - torch", '  - other ==1 ; platform_machine == "aarch64"\n  - torch'),
        ('python: "3.11"', "python: 3.11"),
        ("name: sample", "name: sample\ndefault: true"),
    ],
)
def test_what_changes_nothing_leaves_a_lock_true(old: str, new: str) -> None:
    assert reasons(spec_with(old, new)) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'python: "3.11"',
            'python: "3.12"',
            ["`python` is 3.12, the lock has 3.11"],
        ),
        ('cuda: "12.8"', 'cuda: "12.9"', ["cuda of linux-64 is 12.9, the lock is for 12.8"]),
        (', cuda: "12.8"', "", ["cuda of linux-64 is none, the lock is for 12.8"]),
        ("x86_64_v3", "x86_64_v2", ["archspec of linux-64 is x86_64_v2, the lock is for x86_64_v3"]),
        (
            "channels: [conda-forge, ./channel]",
            "channels: [./channel, conda-forge]",
            ["`channels` are ./channel, conda-forge, the lock was made with conda-forge, ./channel"],
        ),
        (
            "channels: [conda-forge, ./channel]\n",
            "",
            ["`channels` are none, the lock was made with conda-forge, ./channel"],
        ),
        ("names: {mine: yours}", "", ["`names.mine` is not set, in the lock yours"]),
        ("mine: yours", "mine: ours", ["`names.mine` is ours, in the lock yours"]),
        ("mine: yours", "mine: yours, his: hers", ["`names.his` is hers, in the lock not set"]),
        (
            "exclude-newer: 2026-11-22",
            "",
            ["`exclude-newer` is not set, the lock was made with 2026-11-23T00:00:00+00:00"],
        ),
        (
            "exclude-newer: 2026-11-22",
            "exclude-newer: 2026-11-23",
            [
                "`exclude-newer` is 2026-11-24T00:00:00+00:00, the lock was made with 2026-11-23T00:00:00+00:00",
            ],
        ),
        (
            "torch ==2.8.0",
            "torch ==2.9.0",
            ['`torch==2.9.0; platform_machine == "x86_64"` under `pypi`: locked at 2.8.0+cu128'],
        ),
        ("pypi:", "pypi:\n  - click >=8", ["`click>=8` under `pypi`: no wheel is locked for it"]),
        ("pypi:", "pypi:\n  - numpy", ["`numpy` under `pypi`: no wheel is locked for it"]),
        (
            "jsonschema[format]",
            "jsonschema[format, format-nongpl]",
            [
                "`jsonschema[format,format-nongpl]>=4` under `pypi`: the extra `format-nongpl` is not locked",
            ],
        ),
        (
            "jsonschema[format]",
            "jsonschema",
            ["the extra `format` of `jsonschema` is locked, but no longer required by the spec"],
        ),
        ("graphviz >=9", "graphviz >=13", ["`graphviz >=13` under `dependencies`: locked at 12.0.0 h1_0"]),
        (
            "[graphviz >=9]",
            "[graphviz >=9, scipy]",
            ["`scipy` under `dependencies`: not locked"],
        ),
        ("dependencies: [graphviz >=9]", "", ["`graphviz` 12.0.0 is locked, but nothing requires it"]),
        (
            "  - jsonschema[format] >=4\n",
            "",
            [
                "`idna` 3.11 is locked, but nothing requires it",
                "`jsonschema` 4.25.1 is locked, but nothing requires it",
            ],
        ),
        (
            "  linux-64: {glibc",
            "  osx-64: {}\n  win-64: {}\n  osx-arm64: {macos: 13.0} #",
            ["linux-64 is no longer under `platforms` in the spec"],
        ),
    ],
)
def test_what_the_spec_asks_otherwise(old: str, new: str, expected: list[str]) -> None:
    assert list(reasons(spec_with(old, new))) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"recipe_digests": {"python": Sha256("c" * 64)}}, ["the recipe `python` changed"]),
        ({"recipe_digests": {}}, ["the recipe `python` no longer exists"]),
        ({"debian_digest": Sha256("e" * 64)}, ["its Debian lock changed"]),
        ({"debian_digest": None}, ["its Debian lock is missing"]),
        ({"converter": 2}, ["wheels are converted by converter version 2, the lock was made with version 1"]),
    ],
)
def test_what_packages_are_made_with(changed: dict[str, Any], expected: list[str]) -> None:
    assert list(reasons(**changed)) == expected


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        (
            without("sympy"),
            ["`torch` 2.8.0+cu128 requires `sympy!=1.13,>=1.12`: not locked"],
        ),
        (
            without("numpy"),
            ["`torch` 2.8.0+cu128 requires `numpy>=1.26`: not locked"],
        ),
        (
            with_other(samples.wheel("sympy", "1.13")),
            ["`torch` 2.8.0+cu128 requires `sympy!=1.13,>=1.12`: locked at 1.13"],
        ),
        (
            with_other(samples.conda("numpy", "1.24.0", "__cuda >=13", channel="https://conda.example.org/forge")),
            [
                "`numpy` 1.24.0 depends on `__cuda >=13`: the platform has 12.8 0",
                "`torch` 2.8.0+cu128 requires `numpy>=1.26`: locked at 1.24.0 h1_0",
            ],
        ),
        (
            with_other(
                samples.conda("numpy", "2.3.5", "python_abi file:///x", channel="https://conda.example.org/forge")
            ),
            ["`numpy` 2.3.5 depends on `python_abi file:///x`: not a MatchSpec"],
        ),
        (
            without("python_abi"),
            ["`numpy` 2.3.5 depends on `python_abi 3.11.* *_cp311`: not locked"],
        ),
        (
            with_other(samples.built("python", "3.10.9", "__osx >=13")),
            [
                "`python` 3.11: locked at 3.10.9 h1_0",
                "`numpy` 2.3.5 depends on `python >=3.11,<3.12.0a0`: locked at 3.10.9 h1_0",
                "`python` 3.10.9 depends on `__osx >=13`: the platform has none",
                "`python_abi` 3.11 depends on `python 3.11.*`: locked at 3.10.9 h1_0",
            ],
        ),
    ],
)
def test_what_does_not_hold_among_the_packages(lock: Lock, expected: list[str]) -> None:
    assert list(reasons(lock=lock)) == expected


def test_a_wheel_may_meet_what_a_conda_package_depends_on() -> None:
    graphviz = samples.conda("graphviz", "12.0.0", "pytorch 2.8.* *cu128*", channel="https://conda.example.org/forge")
    assert reasons(lock=with_other(graphviz)) == ()
    other = samples.conda("graphviz", "12.0.0", "pytorch >=2.9", channel="https://conda.example.org/forge")
    (reason,) = reasons(lock=with_other(other))
    assert reason.startswith("`graphviz` 12.0.0 depends on `pytorch >=2.9`: locked at 2.8.0 py311_cu128_h")


@pytest.mark.parametrize(
    "record",
    [
        samples.wheel("sympy", "1.15rc1"),  # of which a wheel requires `!=1.13,>=1.12`
        samples.wheel("sympy", "1.15.dev3"),
        samples.wheel("jsonschema", "5.0b2", idna=""),  # of which the spec asks for `>=4`
        samples.conda("numpy", "2.4.0rc1", channel="https://conda.example.org/forge"),
        samples.conda("graphviz", "13.0rc1", channel="https://conda.example.org/forge"),
    ],
    ids=lambda record: f"{record.name} {record.version}",
)
def test_a_pre_release_that_is_locked_meets_what_its_version_fits(record: Record) -> None:
    """The solve takes one where nothing else fits; that a range does not ask for pre-releases is no reason then."""
    assert reasons(lock=with_other(record)) == ()


def test_a_pre_release_outside_of_the_range_does_not() -> None:
    found = reasons(lock=with_other(samples.wheel("sympy", "1.12rc1")))
    assert found == ("`torch` 2.8.0+cu128 requires `sympy!=1.13,>=1.12`: locked at 1.12rc1",)


def test_a_fact_of_the_platform_that_the_lock_does_not_know() -> None:
    lock = samples.lock()
    lock = replace(lock, target=replace(lock.target, cuda=None))
    assert reasons(lock=lock) == ("cuda of linux-64 is 12.8, the lock is for none",)


def test_extras_of_a_project_that_is_locked_without_any() -> None:
    lock = samples.lock()
    found = reasons(lock=replace(lock, extras={}, asked_extras={}))
    assert found == ("`jsonschema[format]>=4` under `pypi`: the extra `format` is not locked",)


def test_python_is_needed_where_nothing_names_it() -> None:
    text = samples.SPEC.partition("dependencies:")[0] + "names: {mine: yours}\nexclude-newer: 2026-11-22\n"
    lock = samples.lock(samples.built("python", "3.11.2"), wanted=samples.spec(text))
    assert reasons(text, replace(lock, extras={})) == ()


def test_the_lock_of_another_environment() -> None:
    lock = replace(samples.lock(), environment="other")
    assert reasons(lock=lock) == ("the lock is for `other`, the spec for `sample`",)


def test_markers_are_evaluated_for_the_locked_python() -> None:
    later = spec_with("pypi:", "pypi:\n  - tomli ; python_full_version >= '3.11.3'")
    earlier = spec_with("pypi:", "pypi:\n  - tomli ; python_full_version <= '3.11.2'")
    assert reasons(later) == ()
    assert reasons(earlier) == ('`tomli; python_full_version <= "3.11.2"` under `pypi`: no wheel is locked for it',)


def test_patches_of_a_channels_python_are_judged_as_the_solve_did() -> None:
    """It could not know them, so a requirement counted that holds for any patch release."""
    text = spec_with("pypi:", 'pypi:\n  - idna ; python_full_version < "3.11.2"')
    text = text.replace("  - jsonschema[format] >=4\n", "")
    python = samples.conda("python", "3.11.9", channel="https://conda.example.org/forge")
    chosen = (
        samples.wheel("torch", "2.8.0"),
        samples.wheel("idna", "3.11"),
        samples.conda("graphviz", "12.0.0", channel="https://conda.example.org/forge"),
    )
    lock = replace(samples.lock(python, *chosen, wanted=samples.spec(text)), recipes={})
    assert reasons(text, lock) == ()


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("overrides: [sympy >=1]", "`overrides.sympy` is `sympy>=1`, in the lock not set"),
        (
            "overrides: ['sympy ==1 ; platform_machine == \"aarch64\"']",
            "`overrides.sympy` is for other platforms only, in the lock not set",
        ),
        ("constraints: [sympy <2]", "`constraints.sympy` is `<2`, in the lock not set"),
        ("exclude: {torch: [sympy, numpy]}", "`exclude.torch` is `numpy`, `sympy`, in the lock not set"),
        ("substitutes: {a: b}", "`substitutes.a` is `b`, in the lock not set"),
        ("conflicts: {bin/a: b}", "`conflicts.bin/a` is `b`, in the lock not set"),
        ("trust-record: {a: why}", "`trust-record.a` is `why`, in the lock not set"),
        ("allow-older: {a: why}", "`allow-older.a` is `why`, in the lock not set"),
    ],
)
def test_an_adjustment_that_changed_is_told_in_words(added: str, expected: str) -> None:
    text = samples.SPEC + added + "\n"
    assert reasons(text) == (expected,)
    lock = samples.lock(wanted=samples.spec(text))
    assert reasons(text, lock) == ()
    (gone,) = reasons(lock=lock)
    assert gone.endswith(expected.removesuffix(", in the lock not set").rpartition(" is ")[2])
    assert lock.request != samples.lock().request


@pytest.mark.parametrize("added", ["constraints: ['sympy <2 ; platform_machine == \"aarch64\"']", "overrides: []"])
def test_an_adjustment_for_another_platform_leaves_a_lock_true(added: str) -> None:
    text = samples.SPEC + added + "\n"
    assert reasons(text) == ()
    assert samples.lock(wanted=samples.spec(text)) == samples.lock()


def test_a_wheel_of_a_later_cuda_than_the_machines_have() -> None:
    lock = with_other(samples.wheel("torch", "2.8.0+cu130", numpy=">=1.26", sympy="!=1.13,>=1.12"))
    assert reasons(lock=lock) == ("`torch` 2.8.0+cu130 needs CUDA 13, `cuda` of linux-64 is 12.8",)
    text = spec_with(', cuda: "12.8"', "")
    assert reasons(text, samples.lock(*_with_later_torch(), wanted=samples.spec(text))) == ()


def _with_later_torch() -> tuple[Record, ...]:
    later = samples.wheel("torch", "2.8.0+cu130", numpy=">=1.26", sympy="!=1.13,>=1.12")
    return tuple(later if record.name == later.name else record for record in samples.records())
