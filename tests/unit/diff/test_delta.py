from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.debs import Deb, DebianArea
from envgen.diff.delta import State, diff_states, only, state_of
from envgen.lock.debian_lock import DebianLock
from envgen.packages import BuiltPackage, PackageKind, Wheel
from envgen.platforms import Platform
from envgen.structs import replace
from tests.unit.lock import samples

if TYPE_CHECKING:
    from envgen.lock.model import Lock


def debian(version: str) -> DebianLock:
    deb = Deb(
        name="libc6",
        version=version,
        architecture="amd64",
        archive=DebianArea.DEBIAN,
        path="pool/main/g/glibc/libc6.deb",
        sha256=samples.digest(version),
        size=7,
    )
    return DebianLock.of_uses(environment="sample", platform=Platform.LINUX_64, suites=["x"], uses={"python": [deb]})


def changed(lock: Lock, name: str, **facts: object) -> Lock:
    packages = tuple(replace(p, **facts) if p.name == name else p for p in lock.packages)  # type: ignore[arg-type]  # by name
    return replace(lock, packages=packages)


def test_same_locks_do_not_differ() -> None:
    state = state_of(samples.lock(), debian("1"))
    assert not diff_states(state, state)
    assert diff_states(state, state).summary() == "no package changed"


def test_added_removed_changed() -> None:
    old = samples.lock()
    new = replace(changed(old, "sympy", version="2.0"), packages=changed(old, "sympy", version="2.0").packages[1:])
    delta = diff_states(state_of(old, None), state_of(new, None))
    assert [e.name for e in delta.removed] == [old.packages[0].name]
    assert [(c.before.version, c.after.version) for c in delta.changed] == [("1.14.0", "2.0")]
    assert [e.name for e in diff_states(None, state_of(old, None)).added] == sorted(p.name for p in old.packages)
    assert delta.summary() == "1 removed, 1 changed"


def test_another_file_of_one_version_is_a_change() -> None:
    old = samples.lock()
    delta = diff_states(state_of(old, None), state_of(changed(old, "idna", sha256=samples.digest("other")), None))
    assert [c.after.name for c in delta.changed] == ["idna"]


def test_other_dependencies_of_the_same_file_are_none() -> None:
    old = samples.lock()
    assert not diff_states(state_of(old, None), state_of(changed(old, "torch", requires={}), None))


def rebuilt(lock: Lock, **facts: object) -> Lock:
    """Return the lock with another archive of the recipe `python`."""
    (python,) = (package for package in lock.built if package.name == "python")
    archive = replace(python.archive, **facts)  # type: ignore[arg-type]  # by name
    return changed(lock, "python", archive=archive)


def test_content_of_what_a_recipe_makes_counts_and_not_its_archive() -> None:
    old = samples.lock()
    again = rebuilt(old, sha256=samples.digest("zstd"), size=99)
    assert not diff_states(state_of(old, None), state_of(again, None))
    assert diff_states(state_of(old, None), state_of(rebuilt(old, content=samples.digest("new")), None))


def test_debian_packages_count() -> None:
    lock = samples.lock()
    delta = diff_states(state_of(lock, debian("2.36-9")), state_of(lock, debian("2.36-10")))
    assert [(c.after.kind, c.after.version) for c in delta.changed] == [(PackageKind.DEBIAN, "2.36-10")]
    assert not only(delta, (PackageKind.WHEEL,))


def test_settings_are_told() -> None:
    old = samples.lock()
    delta = diff_states(state_of(old, None), state_of(replace(old, converter=2), None))
    assert [(s.what, s.before, s.after) for s in delta.settings] == [("converter", "1", "2")]


def test_download_is_what_travels() -> None:
    lock = replace(samples.lock(), packages=tuple(p for p in samples.lock().packages if p.name in {"idna", "python"}))
    wheel = next(p for p in lock.packages if isinstance(p, Wheel))
    assert any(isinstance(p, BuiltPackage) for p in lock.packages)
    assert state_of(lock, debian("1")).download == (wheel.size or 0) + 7
    assert state_of(samples.lock(), None).download is None  # the channel gives no sizes
    assert State(entries=()).download == 0


def test_a_wheel_and_a_conda_package_of_one_name() -> None:
    wheel = samples.wheel("graphviz", "0.21")
    before = samples.lock()
    both = samples.lock(*samples.records(), wheel)
    assert {e.kind for e in state_of(both, None).entries if e.name == "graphviz"} == {
        PackageKind.CHANNEL,
        PackageKind.WHEEL,
    }
    assert not diff_states(state_of(both, None), state_of(both, None))
    assert [(e.name, e.kind) for e in diff_states(state_of(before, None), state_of(both, None)).added] == [
        ("graphviz", PackageKind.WHEEL)
    ]
    records = [record for record in samples.records() if record.name != "graphviz"]
    swapped = diff_states(state_of(before, None), state_of(samples.lock(*records, wheel), None))
    assert [(c.before.kind, c.after.kind) for c in swapped.changed] == [(PackageKind.CHANNEL, PackageKind.WHEEL)]
    assert (swapped.added, swapped.removed) == ((), ())
