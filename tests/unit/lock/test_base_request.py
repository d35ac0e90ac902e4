from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.errors import LockError
from envgen.lock.base_request import base_request, stale_base
from envgen.lock.debian_lock import IMAGE, BaseRequest, DebianLock, read_debian_lock, render_debian_lock
from envgen.manifest.parse import parse_spec
from envgen.platforms import Platform
from envgen.structs import replace
from tests.unit.lock.test_debian_lock import deb

if TYPE_CHECKING:
    from envgen.manifest.env_spec import EnvSpec

ON = Platform.LINUX_64


def spec(image: str) -> EnvSpec:
    text = f'name: demo\npython: "3.11"\nplatforms: {{linux-64: {{}}, osx-arm64: {{}}}}\n{image}\n'
    return parse_spec(text, source="environments/demo.yaml")


def locked(of: EnvSpec) -> DebianLock:
    assert of.image is not None
    return DebianLock.of_uses(
        environment="demo",
        platform=ON,
        suites=["bookworm"],
        uses={IMAGE: [deb("bash"), deb("zlib1g")]},
        base=base_request(of.image.base, of.targets[ON]),
    )


def test_text_and_back_with_a_base() -> None:
    lock = locked(spec("image: {base: {packages: [git]}}"))
    assert read_debian_lock(render_debian_lock(lock)) == lock
    assert "git" in render_debian_lock(lock)


def test_a_lock_without_a_base_does_not_speak_of_one() -> None:
    lock = replace(locked(spec("image: {}")), base=None)
    assert "image:" not in render_debian_lock(lock)
    assert read_debian_lock(render_debian_lock(lock)).base is None


@pytest.mark.parametrize(("old", "new"), [("  exclude:", "  except:"), ("  exclude:\n", "  exclude: ''\n  more:\n")])
def test_a_damaged_base_is_refused(old: str, new: str) -> None:
    text = render_debian_lock(locked(spec("image: {}")))
    assert old in text
    with pytest.raises(LockError, match="image"):
        read_debian_lock(text.replace(old, new))


def test_the_order_in_the_spec_does_not_count() -> None:
    one, other = (spec(f"image: {{base: {{packages: {names}}}}}").image for names in ("[git, vim]", "[vim, git, vim]"))
    assert one is not None
    assert other is not None
    target = spec("").targets[ON]
    assert base_request(one.base, target) == base_request(other.base, target)
    assert isinstance(base_request(one.base, target), BaseRequest)


def test_a_base_that_is_still_wanted() -> None:
    of = spec("image: {}")
    assert stale_base(of, ON, locked(of)) == ()
    with_filter = spec("image: {base: {drop: [usr/games/**]}, services: {jupyter: }}")
    assert stale_base(with_filter, ON, locked(of)) == ()


def test_no_image_and_platforms_without_one_need_no_base() -> None:
    assert stale_base(spec(""), ON, None) == ()
    assert stale_base(spec("image: {}"), Platform.OSX_ARM64, None) == ()


def test_what_changed_is_named() -> None:
    old = locked(spec("image: {base: {packages: [git], exclude: [less]}}"))
    reasons = stale_base(spec("image: {base: {packages: [vim], suites: [bookworm]}}"), ON, old)
    assert reasons == (
        "`image.base.suites` does not contain `bookworm-security`, the base was locked with it",
        "`image.base.suites` does not contain `bookworm-updates`, the base was locked with it",
        "`image.base.packages` contains `vim`, the base was locked without it",
        "`image.base.packages` does not contain `git`, the base was locked with it",
        "`image.base.exclude` does not contain `less`, the base was locked with it",
    )


@pytest.mark.parametrize("without", ["lock", "base", "packages"])
def test_an_image_needs_a_base(without: str) -> None:
    of = spec("image: {}")
    lock = locked(of)
    changed = {
        "lock": None,
        "base": replace(lock, base=None),
        "packages": replace(lock, packages=()),
    }[without]
    assert stale_base(of, ON, changed) == ("`image`: no image base is locked",)
