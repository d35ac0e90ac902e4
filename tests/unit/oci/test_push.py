"""Images go to a registry: only what is missing travels, and what goes wrong is said."""

from __future__ import annotations

import base64
import json
import os
import random
from typing import TYPE_CHECKING

import pytest

from envgen.errors import NetworkError, UserError
from envgen.image.entries import file
from envgen.oci.push import _MISSING, _REFUSED, Reference, _says, load, push, remote_blobs
from envgen.platforms import Platform
from envgen.system.retry import RetryPolicy
from tests.builders.images import LAYERS, make_image, make_layout
from tests.builders.registry import LOGIN, PROGRAM, SKOPEO, line, registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envgen.oci.layout import Image, Layout
    from envgen.system.store import Store
    from tests.builders.registry import Line

needs_registry = pytest.mark.skipif(
    not (PROGRAM and SKOPEO), reason="docker-registry and skopeo (Debian packages) are not installed"
)
PATIENCE = RetryPolicy(sleep=lambda _seconds: None, jitter=lambda: 0.0, note=lambda _text: None)
NOISE = random.Random(5).randbytes(3_000_000)  # noqa: S311  a test


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Line]:
    with registry(tmp_path / "registry") as address, line(address) as found:
        yield found


@pytest.fixture
def layout(store: Store, tmp_path: Path) -> Layout:
    return make_layout(store, tmp_path / "out:put", large(store))


def large(store: Store, *more: str) -> Image:
    """Make an image whose lowest layer does not compress."""
    return make_image(store, layers=[[file("noise", NOISE)], *LAYERS, *([file(name, name)] for name in more)])


def log_in(folder: Path, address: str, password: str = LOGIN[1]) -> None:
    token = base64.b64encode(f"{LOGIN[0]}:{password}".encode()).decode()
    (folder / ".docker").mkdir()
    (folder / ".docker/config.json").write_text(json.dumps({"auths": {address: {"auth": token}}}))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("registry.example:5000/team/torch:1.0", ("registry.example:5000", "team/torch", "1.0")),
        ("localhost/x", ("localhost", "x", "latest")),
        ("[::1]:5000/a_b/c-d:T.1", ("[::1]:5000", "a_b/c-d", "T.1")),
        ("registry.example/a__b", ("registry.example", "a__b", "latest")),
    ],
)
def test_references(text: str, parts: tuple[str, str, str]) -> None:
    found = Reference.parse(text)
    assert (found.registry, found.name, found.tag) == parts


@pytest.mark.parametrize(
    "text", ["", "torch", "team/torch:1", "registry.example/Torch", "registry.example/a:", "https://registry.example/a"]
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(UserError, match="expected REGISTRY/NAME:TAG"):
        Reference.parse(text)


@needs_registry
def test_only_what_is_missing_travels(
    store: Store, tmp_path: Path, environment: dict[str, str], wire: Line, layout: Layout
) -> None:
    reference = Reference.parse(f"{wire.address}/team/demo:1")
    assert remote_blobs(reference, environment=environment) == frozenset()
    push(layout, reference, environment=environment, retry=PATIENCE)
    assert wire.sent > len(NOISE)
    wire.sent = 0
    push(layout, reference, environment=environment, retry=PATIENCE)
    assert wire.sent < 20_000
    wire.sent = 0
    changed = make_layout(store, tmp_path / "changed", large(store, "more"))
    push(changed, reference, environment=environment, retry=PATIENCE)
    assert wire.sent < 30_000
    there = remote_blobs(reference, environment=environment)
    assert there >= {f"sha256:{path.name}" for path in (changed.directory / "blobs/sha256").iterdir()} - {
        f"sha256:{changed.digest}"
    }


@needs_registry
def test_all_platforms_are_pushed(store: Store, tmp_path: Path, environment: dict[str, str], wire: Line) -> None:
    images = [make_image(store, platform=platform) for platform in (Platform.LINUX_64, Platform.LINUX_AARCH64)]
    layout = make_layout(store, tmp_path / "out", *images)
    reference = Reference.parse(f"{wire.address}/demo:2")
    push(layout, reference, environment=environment, retry=PATIENCE)
    assert {f"sha256:{digest}" for digest in layout.manifests.values()} <= remote_blobs(
        reference, environment=environment
    )


@needs_registry
def test_a_broken_line_is_tried_again(environment: dict[str, str], wire: Line, layout: Layout) -> None:
    wire.breaks, wire.after = 1, 1_000_000
    push(layout, Reference.parse(f"{wire.address}/demo:1"), environment=environment, retry=PATIENCE)
    assert wire.breaks == 0


@needs_registry
def test_a_line_that_stays_broken_is_an_error_of_the_network(
    environment: dict[str, str], wire: Line, layout: Layout
) -> None:
    reference = Reference.parse(f"{wire.address}/demo:1")
    wire.breaks, wire.after = 1000, 1_000_000
    with pytest.raises(NetworkError, match="after 5 tries"):
        push(layout, reference, environment=environment, retry=PATIENCE)
    wire.breaks = 0
    push(layout, reference, environment=environment, retry=PATIENCE)
    assert remote_blobs(reference, environment=environment)


@needs_registry
def test_a_login_is_needed_and_found(tmp_path: Path, environment: dict[str, str], layout: Layout) -> None:
    with registry(tmp_path / "closed", login=True) as address:
        reference = Reference.parse(f"{address}/demo:1")
        with pytest.raises(UserError, match="denied") as refused:
            push(layout, reference, environment=environment, retry=PATIENCE)
        assert refused.value.hint
        assert f"docker login {address}" in refused.value.hint
        with pytest.raises(UserError, match="denied"):
            remote_blobs(reference, environment=environment)
        log_in(tmp_path, address)
        push(layout, reference, environment=environment, retry=PATIENCE)
        assert remote_blobs(reference, environment=environment)


@needs_registry
def test_a_wrong_password_is_refused_and_not_shown(tmp_path: Path, environment: dict[str, str], layout: Layout) -> None:
    with registry(tmp_path / "closed", login=True) as address:
        log_in(tmp_path, address, "not-the-password")
        with pytest.raises(UserError, match="denied") as refused:
            push(layout, Reference.parse(f"{address}/demo:1"), environment=environment, retry=PATIENCE)
        assert "not-the-password" not in f"{refused.value}{refused.value.hint}"


@needs_registry
def test_a_login_comes_from_a_helper_of_docker(tmp_path: Path, environment: dict[str, str], layout: Layout) -> None:
    with registry(tmp_path / "closed", login=True) as address:
        reference = Reference.parse(f"{address}/demo:1")
        login = json.dumps({"Username": LOGIN[0], "Secret": LOGIN[1]})
        environment = help_with(tmp_path, environment, address, f"echo '{login}'")
        push(layout, reference, environment=environment, retry=PATIENCE)
        assert remote_blobs(reference, environment=environment)


@needs_registry
@pytest.mark.parametrize(
    "script", ["echo not-json", "echo 'locked: not-the-password' >&2; exit 1", "kill -9 $$", "exit 0", ""]
)
def test_a_helper_that_fails_is_named_at_once(
    tmp_path: Path, environment: dict[str, str], layout: Layout, script: str
) -> None:
    with registry(tmp_path / "closed", login=True) as address:
        environment = help_with(tmp_path, environment, address, script)
        with pytest.raises(UserError, match="failed to find the login for") as refused:
            push(layout, Reference.parse(f"{address}/demo:1"), environment=environment, retry=PATIENCE)
        assert "not-the-password" not in str(refused.value)
        assert r"\n" not in str(refused.value)
        assert refused.value.hint
        assert "`credHelpers`" in refused.value.hint


def help_with(folder: Path, environment: dict[str, str], address: str, script: str) -> dict[str, str]:
    """Write docker's configuration with a helper for a registry; return the environment that finds it."""
    helper = folder / "bin/docker-credential-fake"
    helper.parent.mkdir()
    helper.write_text(f"#!/bin/sh\n{script}\n")
    helper.chmod(0o755)
    config = folder / ".docker/config.json"
    config.parent.mkdir(exist_ok=True)
    config.write_text(json.dumps({"credHelpers": {address: "fake"}}))
    return {**environment, "PATH": f"{helper.parent}:{environment['PATH']}"}


@needs_registry
def test_a_registry_that_is_down_is_an_error_of_the_network(environment: dict[str, str], layout: Layout) -> None:
    reference = Reference.parse("127.0.0.1:9/demo:1")
    with pytest.raises(NetworkError, match=r"/demo:1` failed: .* after 5 tries"):
        push(layout, reference, environment=environment, retry=PATIENCE)
    with pytest.raises(NetworkError):
        remote_blobs(reference, environment=environment)


def test_without_skopeo_the_way_out_is_named(tmp_path: Path, layout: Layout) -> None:
    with pytest.raises(UserError, match="skopeo") as missing:
        push(layout, Reference.parse("localhost/demo"), environment={"PATH": str(tmp_path)}, retry=PATIENCE)
    assert missing.value.hint
    assert "--archive" in missing.value.hint


def _engine(folder: Path, script: str) -> Mapping[str, str]:
    program = folder / "bin/podman"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}


def test_an_engine_is_given_the_archive(tmp_path: Path, layout: Layout) -> None:
    environment = _engine(tmp_path, f'echo "$@" > {tmp_path}/told')
    load(layout, tmp_path / "image.tar", "podman", environment=environment)
    assert (tmp_path / "told").read_text() == f"load --input {tmp_path}/image.tar\n"


def test_what_an_engine_says_is_passed_on(tmp_path: Path, layout: Layout) -> None:
    environment = _engine(tmp_path, "echo no space left >&2; exit 125")
    with pytest.raises(UserError, match="no space left"):
        load(layout, tmp_path / "image.tar", "podman", environment=environment)


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("writing: Patch `http://127.0.0.1:40311/v2/d/uploads/08652259-056b-4014-9556-eae5751a9c33`: EOF", False),
        ("pinging container registry 127.0.0.1:401: connection refused", False),
        ("writing blob sha256:40340140: unexpected EOF", False),
        ("received unexpected HTTP status: 403 Forbidden", True),
        ("invalid status code from registry 401 (Unauthorized)", True),
        ("requested access to the resource is denied", True),
    ],
)
def test_digits_of_an_address_are_no_status(said: str, refused: bool) -> None:
    assert _says(_REFUSED, said) is refused


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("reading manifest latest in registry.example/demo: manifest unknown", True),
        ("reading manifest latest in registry.example/demo: name unknown: repository name not known to registry", True),
        ("invalid status code from registry 404 (Not Found)", True),
        ('getting username and password: exec: "docker-credential-pass": executable file not found in $PATH', False),
        ("dial tcp: lookup registry.example: no such host; certificate not found", False),
    ],
)
def test_only_a_registry_says_that_something_is_missing(said: str, missing: bool) -> None:
    assert _says(_MISSING, said) is missing
