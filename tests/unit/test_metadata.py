from __future__ import annotations

import pytest

from envgen.errors import InvalidMetadataError
from envgen.metadata import WheelMetadata, active_requirements, locked_requires, parse_metadata
from envgen.platforms import Platform, PythonMinor, Target
from envgen.versions import InexpressibleError

LINUX = Target(platform=Platform.LINUX_64, python=PythonMinor(3, 11), glibc=(2, 36))
MAC = Target(platform=Platform.OSX_ARM64, python=PythonMinor(3, 11), macos=(13, 0))


def parse(*lines: str, head: tuple[str, ...] = ("Name: Spam_Ham", "Version: 1.0+cu128")) -> WheelMetadata:
    return parse_metadata("\n".join((*head, *lines, "", "A description")).encode())


def active(meta: WheelMetadata, *extras: str, target: Target = LINUX, python: str | None = None) -> list[str]:
    return [requirement.name for requirement in active_requirements(meta, target, extras, python)]


def test_the_fields_that_count_are_read() -> None:
    meta = parse(
        "Metadata-Version: 2.1",
        "Requires-Python: >=3.9",
        "Provides-Extra: All_Of-It",
        "License-Expression: MIT",
        "Requires-Dist: eggs (>=1.0) ; extra == 'All.Of.It'",
    )
    assert (meta.name, str(meta.version), str(meta.requires_python)) == ("spam-ham", "1.0+cu128", ">=3.9")
    assert meta.license == "MIT"
    assert active(meta) == []
    assert active(meta, "all-of-it") == ["eggs"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), None),
        (("License: UNKNOWN",), None),
        (("License: BSD 3-Clause",), "BSD 3-Clause"),
        (("License: Copyright", "        all rights"), None),
        (("Classifier: Topic :: Software", "Classifier: License :: OSI Approved :: MIT License"), "MIT License"),
    ],
)
def test_the_license_is_what_the_file_says_in_one_line(lines: tuple[str, ...], expected: str | None) -> None:
    assert parse(*lines).license == expected


def test_old_spellings_are_read() -> None:
    meta = parse("Requires-Python: >=3.6.*", "Requires-Dist: tinycss2 (>=1.1.0<1.2)", "Requires-Dist: ham >=1.*,")
    assert str(meta.requires_python) == ">=3.6"
    assert list(map(str, meta.requires)) == ["tinycss2<1.2,>=1.1.0", "ham>=1"]


def test_an_unknown_requires_python_is_none() -> None:
    assert not str(parse("Requires-Python: UNKNOWN").requires_python)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("Requires-Dist: tinycss2 (>=1.1 or <1)", r"`Requires-Dist: tinycss2 \(>=1.1 or <1\)` cannot be parsed"),
        ("Requires-Dist: ham ; python_version < 3", "`Requires-Dist: ham ; python_version < 3` cannot be parsed"),
        ("Requires-Python: 3.6 and newer", "`Requires-Python: 3.6 and newer` cannot be parsed"),
        ("Version: 2.0", "`version` cannot be parsed"),
    ],
)
def test_metadata_that_break_the_standard_where_it_counts_are_refused(line: str, fault: str) -> None:
    with pytest.raises(InvalidMetadataError, match=fault):
        parse(line)


def test_all_faults_are_told_with_the_name_of_the_wheel() -> None:
    with pytest.raises(InvalidMetadataError) as caught:
        parse("Requires-Dist: a b", "Requires-Python: new", head=("Name: spam", "Version: 1.0"))
    assert str(caught.value) == (
        "metadata of `spam` 1.0 is invalid: `Requires-Dist: a b` cannot be parsed; "
        "`Requires-Python: new` cannot be parsed"
    )


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ((), "metadata is invalid: it has no name; it has no version"),
        (("Name: spam",), "metadata of `spam` is invalid: it has no version"),
        (("Version: 1.0",), "metadata is invalid: it has no name"),
        (("Name: spam", "Version: 1.0", "Version: 2.0"), "metadata of `spam` is invalid: `version` cannot be parsed"),
        (
            ("Name: spam", "Version: Milestone1"),
            "metadata of `spam` Milestone1 is invalid: `Version: Milestone1` cannot be parsed",
        ),
    ],
)
def test_a_wheel_without_a_name_or_version_is_refused(head: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidMetadataError) as caught:
        parse(head=head)
    assert str(caught.value) == message


def test_a_fault_in_a_field_that_decides_nothing_is_borne() -> None:
    assert parse("Description-Content-Type: no/such", "Home-Page: ::", "Nonsense: 1").requires == ()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_a_description_says_is_no_field(end: str) -> None:
    head = ("Name: spam", "Version: 1", "Requires-Dist: eggs", "Content-Type: multipart/mixed; boundary=x")
    raw = end.join((*head, "", "Requires-Dist: ham", "", "--x", "Name: other", ""))
    meta = parse_metadata(raw.encode() + b"\xff")
    assert (meta.name, active(meta)) == ("spam", ["eggs"])


def test_extras_of_its_own_project_are_followed() -> None:
    meta = parse(
        "Requires-Dist: base",
        "Requires-Dist: a ; extra == 'a'",
        "Requires-Dist: b ; extra == 'b'",
        "Requires-Dist: spam.ham[B] ; extra == 'more'",
        "Requires-Dist: spam-ham[a,more] ; extra == 'all'",
    )
    assert active(meta) == ["base"]
    assert active(meta, "more") == ["base", "b"]
    assert active(meta, "all") == ["base", "a", "b"]
    assert active(meta, "unknown") == ["base"]


def test_extras_that_ask_for_each_other_come_to_an_end() -> None:
    meta = parse("Requires-Dist: spam-ham[b] ; extra == 'a'", "Requires-Dist: spam-ham[a] ; extra == 'b'")
    assert active(meta, "a") == []


def test_a_wheel_that_excludes_itself_says_so() -> None:
    assert active(parse("Requires-Dist: spam-ham[a] ==2.0 ; extra == 'a'"), "a") == ["spam-ham"]


@pytest.mark.parametrize(
    ("marker", "unknown", "known"),
    [
        ("python_full_version < '3.11.3'", True, True),
        ("python_full_version >= '3.11.3'", True, False),
        ("python_full_version == '3.11.5'", True, False),
        ("python_full_version != '3.11.0' and python_full_version < '3.11.2'", True, False),
        ("python_full_version < '3.11.0a1'", False, False),
        ("python_full_version in '3.11.2 3.11.7'", True, True),
        ("implementation_version >= '3.11.1'", True, True),
        ("python_full_version >= '3.12'", False, False),
    ],
)
def test_a_marker_on_the_patch_release_counts_if_it_can_hold(marker: str, unknown: bool, known: bool) -> None:
    meta = parse(f"Requires-Dist: ham ; {marker}")
    assert bool(active(meta)) is unknown
    assert bool(active(meta, python="3.11.2")) is known


@pytest.mark.parametrize(
    ("marker", "target", "expected"),
    [
        ("platform_release >= '20.0'", MAC, True),
        ("platform_release < '20.0'", MAC, True),
        ("sys_platform == 'darwin' and platform_release >= '20.0'", LINUX, False),
        ("platform_version == '#1 SMP'", LINUX, True),
        ("'Microsoft' in platform_release", LINUX, True),
    ],
)
def test_a_marker_on_the_kernel_counts_if_it_can_hold(marker: str, target: Target, expected: bool) -> None:
    assert bool(active(parse(f"Requires-Dist: ham ; {marker}"), target=target)) is expected


@pytest.mark.parametrize(
    ("marker", "on_linux", "on_mac"),
    [
        ("sys_platform == 'linux'", True, False),
        ("platform_system == 'Darwin' and platform_machine == 'arm64'", False, True),
        ("os_name == 'posix' and implementation_name == 'cpython'", True, True),
        ("python_version in '3.10 3.11'", True, True),
        ("platform_python_implementation != 'PyPy'", True, True),
    ],
)
def test_markers_are_evaluated_for_the_target(marker: str, on_linux: bool, on_mac: bool) -> None:
    meta = parse(f"Requires-Dist: ham ; {marker}")
    assert (bool(active(meta)), bool(active(meta, target=MAC))) == (on_linux, on_mac)


def test_a_marker_without_an_answer_makes_the_wheel_unusable() -> None:
    with pytest.raises(InexpressibleError, match="cannot be evaluated"):
        active(parse("Requires-Dist: ham ; sys_platform ~= 'linux'"))


def test_a_requirement_on_a_url_makes_the_wheel_unusable_where_it_holds() -> None:
    meta = parse("Requires-Dist: ham @ https://example.org/ham.whl ; extra == 'x'")
    assert active(meta) == []
    with pytest.raises(InexpressibleError, match="refers to a URL"):
        active(meta, "x")


def test_a_lock_keeps_one_specifier_for_each_name() -> None:
    meta = parse(
        "Requires-Dist: zzz",
        "Requires-Dist: Ham >=1",
        "Requires-Dist: ham <2 ; sys_platform == 'linux'",
        "Requires-Dist: ham[x] !=1.5 ; extra == 'x'",
    )
    assert list(locked_requires(meta, LINUX, ()).items()) == [("ham", "<2,>=1"), ("zzz", "")]
    assert list(locked_requires(meta, LINUX, ("x",)).values()) == ["!=1.5,<2,>=1", ""]
    one, other = (locked_requires(meta, LINUX, ()) for _ in range(2))
    assert all(a is b for a, b in zip(one.values(), other.values(), strict=True))  # releases share their texts
