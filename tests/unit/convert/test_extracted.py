"""What an extracted archive says about itself is proved before anybody believes it."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from envgen.convert.extracted import Identity, check_extracted, check_stored
from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from pathlib import Path

SPAM = Identity(name="spam", version="1.0", build="0", subdir="linux-64")
DATA = b"spam"


def entry(path: str, kind: str = "hardlink", data: bytes = DATA, **more: object) -> dict[str, Any]:
    return {
        "_path": path,
        "path_type": kind,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_in_bytes": len(data),
        **more,
    }


def package(folder: Path, *entries: dict[str, Any], files: tuple[str, ...] = ("share/a",), **index: Any) -> Path:
    """Make an extracted package with files of the same bytes, and an `info/` that says what the test wants."""
    root = folder / "package"
    for path in files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(DATA)
    (root / "info").mkdir(parents=True)
    stated = {"name": "spam", "version": "1.0", "build": "0", "subdir": "linux-64", **index}
    (root / "info/index.json").write_text(json.dumps(stated))
    (root / "info/paths.json").write_text(json.dumps({"paths_version": 1, "paths": list(entries)}))
    return root


def test_a_package_that_tells_the_truth_is_left_as_it_is(tmp_path: Path) -> None:
    root = package(tmp_path, entry("share/a"), entry("share/b", "softlink"), entry("share/c", "directory"))
    (root / "share/b").symlink_to("a")
    (root / "share/c").mkdir()
    before = (root / "info/paths.json").read_bytes()
    check_extracted(root, what="spam.conda", expected=SPAM)
    assert (root / "info/paths.json").read_bytes() == before


@pytest.mark.parametrize(
    ("key", "value"), [("name", "numpy"), ("version", "9.9"), ("build", "1"), ("subdir", "linux-aarch64")]
)
def test_another_identity_than_the_locked_one_is_refused(tmp_path: Path, key: str, value: str) -> None:
    claims: dict[str, Any] = {key: value}
    root = package(tmp_path, entry("share/a"), **claims)
    with pytest.raises(ArtifactError, match=r"`spam.conda`: .* expected spam 1.0 0 \(linux-64\), got ") as refused:
        check_extracted(root, what="spam.conda", expected=SPAM)
    assert value in str(refused.value)


def test_a_package_need_not_state_its_subdir(tmp_path: Path) -> None:
    root = package(tmp_path, entry("share/a"))
    index = {"name": "spam", "version": "1.0", "build": "0"}
    (root / "info/index.json").write_text(json.dumps(index))
    check_extracted(root, what="spam.conda", expected=SPAM)


@pytest.mark.parametrize("key", ["name", "version", "build", "subdir"])
@pytest.mark.parametrize("value", ["../x", "a/b", "", ".", "a\x1b", 1, None, ["a"]])
def test_words_that_name_files_are_plain(tmp_path: Path, key: str, value: object) -> None:
    claims: dict[str, Any] = {key: value}
    root = package(tmp_path, entry("share/a"), **claims)
    with pytest.raises(ArtifactError, match=f"`spam.conda`: `info/index.json`: `{key}`: expected a"):
        check_extracted(root, what="spam.conda")


@pytest.mark.parametrize(
    "path", ["../../x", "/etc/passwd", "a//b", "conda-meta/x.json", "Conda-Meta/history", "a\\b", "a\nb", 1, None]
)
def test_a_path_that_no_package_may_have_is_refused(tmp_path: Path, path: object) -> None:
    root = package(tmp_path, entry("share/a"), {**entry("share/a"), "_path": path})
    with pytest.raises(ArtifactError, match=r"`spam.conda`: `info/paths.json`: expected a"):
        check_extracted(root, what="spam.conda")


def test_a_path_below_a_link_of_the_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ssh").mkdir()
    (tmp_path / "ssh/id_rsa").write_bytes(DATA)
    root = package(tmp_path, entry("share/a"), entry("share/x/id_rsa"))
    (root / "share/x").symlink_to(tmp_path / "ssh")
    with pytest.raises(
        ArtifactError, match="`share/x/id_rsa` lies below `share/x`: expected a folder there, got a link"
    ):
        check_extracted(root, what="spam.conda")


def test_so_is_one_below_a_link_that_stays_inside(tmp_path: Path) -> None:
    root = package(tmp_path, entry("share/a"), entry("lib64/a"))
    (root / "lib64").symlink_to("share")
    with pytest.raises(ArtifactError, match="`lib64/a` lies below `lib64`"):
        check_extracted(root, what="spam.conda")


@pytest.mark.parametrize("kind", ["softlink", "directory"])
def test_a_file_is_listed_as_one(tmp_path: Path, kind: str) -> None:
    root = package(tmp_path, entry("share/a", kind))
    with pytest.raises(ArtifactError, match=r"`share/a`: expected a .* as `info/paths.json` says, got a file"):
        check_extracted(root, what="spam.conda")


def test_a_link_is_not_listed_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "id_rsa").write_bytes(DATA)
    root = package(tmp_path, entry("share/key"), files=())
    (root / "share").mkdir()
    (root / "share/key").symlink_to(tmp_path / "id_rsa")
    with pytest.raises(ArtifactError, match=r"`share/key`: expected a file as `info/paths.json` says, got a link"):
        check_extracted(root, what="spam.conda")


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    root = package(tmp_path, entry("share/pipe"))
    os.mkfifo(root / "share/pipe")
    with pytest.raises(ArtifactError, match=r"`share/pipe`: expected a file .*, got a device"):
        check_extracted(root, what="spam.conda")


@pytest.mark.parametrize(("key", "value"), [("sha256", "0" * 64), ("size_in_bytes", 5), ("sha256", 7)])
def test_a_digest_or_size_of_other_bytes_is_refused(tmp_path: Path, key: str, value: object) -> None:
    root = package(tmp_path, {**entry("share/a"), key: value})
    with pytest.raises(ArtifactError, match=f"`spam.conda`: `share/a`: `{key}`: expected {value} .*, got "):
        check_extracted(root, what="spam.conda")


def test_many_faults_are_told_in_a_few_lines(tmp_path: Path) -> None:
    files = tuple(f"share/{number}" for number in range(9))
    root = package(tmp_path, *(entry(path, data=b"other") for path in files), files=files)
    with pytest.raises(ArtifactError, match="and 13 more") as refused:
        check_extracted(root, what="spam.conda")
    assert len(str(refused.value).splitlines()) == 6


@pytest.mark.parametrize("key", ["sha256", "size_in_bytes"])
def test_what_is_not_stated_is_put_in(tmp_path: Path, key: str) -> None:
    root = package(tmp_path, {k: v for k, v in entry("share/a").items() if k != key})
    check_extracted(root, what="spam.conda")
    assert json.loads((root / "info/paths.json").read_text())["paths"] == [entry("share/a")]


@pytest.mark.parametrize(
    "document", ["[]", "{}", '{"paths": {}}', '{"paths": [1]}', '{"paths": [{"_path": "share/a"}]}', "{", "[" * 100_000]
)
def test_a_malformed_list_of_paths_is_refused(tmp_path: Path, document: str) -> None:
    root = package(tmp_path)
    (root / "info/paths.json").write_text(document)
    with pytest.raises(ArtifactError, match=r"`spam.conda`.*`info/paths.json`"):
        check_extracted(root, what="spam.conda")


@pytest.mark.parametrize("more", [{"prefix_placeholder": ""}, {"prefix_placeholder": 1}, {"file_mode": "octal"}])
def test_a_placeholder_is_some_text(tmp_path: Path, more: dict[str, Any]) -> None:
    root = package(tmp_path, entry("share/a", **more))
    with pytest.raises(ArtifactError, match="'share/a': not a placeholder"):
        check_extracted(root, what="spam.conda")


@pytest.mark.parametrize("place", ["../../victim", "/victim", "conda-meta", 7])
def test_site_packages_lie_in_the_prefix(tmp_path: Path, place: object) -> None:
    root = package(tmp_path, entry("share/a"), python_site_packages_path=place)
    with pytest.raises(ArtifactError, match="`python_site_packages_path`: expected a"):
        check_extracted(root, what="spam.conda")


@pytest.mark.parametrize("entry_point", ["../../x = a:b", "a/b = a:b", " = a:b", "a\nb = a:b", f"{'x' * 256} = a:b", 5])
def test_a_command_is_a_file_name(tmp_path: Path, entry_point: object) -> None:
    root = package(tmp_path, entry("share/a"))
    document = {"noarch": {"type": "python", "entry_points": [entry_point]}}
    (root / "info/link.json").write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match=r"`info/link.json`: entry point: expected a"):
        check_extracted(root, what="spam.conda")


@pytest.mark.parametrize("noarch", [None, "python", 3, {"entry_points": None}, {"entry_points": "a = b:c"}])
def test_commands_are_a_list(tmp_path: Path, noarch: object) -> None:
    root = package(tmp_path, entry("share/a"))
    (root / "info/link.json").write_text(json.dumps({"noarch": noarch}))
    with pytest.raises(ArtifactError, match=r"`info/link.json`: expected `noarch` with a list of `entry_points`"):
        check_extracted(root, what="spam.conda")


def stored(folder: Path, *entries: dict[str, Any], key: str = "spam-1.0-0-0123", **index: Any) -> Path:
    """Make a package as a store has it, named by its key."""
    return package(folder, *entries, **index).rename(folder / key)


def test_a_package_of_an_earlier_envgen_is_proven(tmp_path: Path) -> None:
    check_stored(stored(tmp_path, entry("share/a")))


def test_one_without_files_too(tmp_path: Path) -> None:
    check_stored(stored(tmp_path))


@pytest.mark.parametrize(
    ("key", "index", "listed"),
    [
        ("spam-2.0-0-0123", {}, entry("share/a")),
        ("ham-1.0-0-0123", {}, entry("share/a")),
        ("spam-1.0-0-0123", {"name": "ham"}, entry("share/a")),
        ("spam-1.0-0-0123", {}, entry("share/a", data=b"other")),
        ("spam-1.0-0-0123", {}, entry("share/gone")),
        ("spam-1.0-0-0123", {}, entry("../outside")),
        ("spam-1.0-0-0123", {}, entry("share/a", "softlink")),
    ],
)
def test_or_refused(tmp_path: Path, key: str, index: dict[str, Any], listed: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError):
        check_stored(stored(tmp_path, listed, key=key, **index))


@pytest.mark.parametrize("name", ["index.json", "licenses/LICENSE"])
def test_a_link_of_info_stays_in_the_package(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("{}")
    root = package(tmp_path, entry("share/a"))
    (root / "info/licenses").mkdir()
    (root / "info" / name).unlink(missing_ok=True)
    (root / "info" / name).symlink_to(tmp_path / "secret")
    with pytest.raises(ArtifactError, match=f"`info/{name}`: expected a file of the package, got a link to"):
        check_extracted(root, what="spam.conda")


@pytest.mark.parametrize(
    ("key", "value"), [("depends", 5), ("depends", [1]), ("constrains", {"a": "b"}), ("build_number", "x")]
)
def test_malformed_fields_of_a_record_are_refused(tmp_path: Path, key: str, value: object) -> None:
    claims: dict[str, Any] = {key: value}
    root = package(tmp_path, entry("share/a"), **claims)
    with pytest.raises(ArtifactError, match=f"`spam.conda`: `info/index.json`: `{key}`: unexpected value"):
        check_extracted(root, what="spam.conda")
