"""`envgen sign` of locks and bundles, and `--require-signature`."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from envgen.structs import replace
from tests.builders.keys import write_cosign_key, write_keys
from tests.builders.system import base_debs
from tests.functional.test_image import SPEC as IMAGE
from tests.functional.test_verify import found

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Outcome, Project

PASSWORD = "swordfish"  # noqa: S105  a test's


@pytest.fixture
def keys(tmp_path: Path) -> tuple[str, str]:
    private, public = write_keys(tmp_path)
    return str(private), str(public)


def signature(project: Project) -> Path:
    (path,) = (project.root / "locks").glob("*.sigstore.json")
    return path


def refused(outcome: Outcome, why: str, prefix: Path) -> None:
    assert (outcome.code, why in outcome.err) == (5, True), outcome.err
    assert "does not have a required signature" in outcome.err
    assert "envgen sign demo KEY" in outcome.err
    assert not prefix.exists()


def test_a_signed_lock_is_created(locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]) -> None:
    private, public = keys
    prefix = tmp_path / "env"
    create = ("create", "-p", str(prefix), "--require-signature", public)
    refused(cli(*create), "no signature, `locks/demo.linux-64.", prefix)
    told = cli("sign", "demo", private).succeeded()
    assert told.out.strip() == str(signature(locked))
    before = signature(locked).read_bytes()
    assert "as it was before" in cli("sign", "locks/demo.linux-64.conda-lock.yml", private).succeeded().err
    assert signature(locked).read_bytes() == before
    cli("verify", "locks/demo.linux-64.conda-lock.yml", "--key", public).succeeded()
    strange = cli("verify", "locks/demo.linux-64.conda-lock.yml", "--key", str(write_keys(tmp_path, "x", number=8)[1]))
    assert (strange.code, "is not signed by the key: 1 difference" in strange.err) == (5, True)
    cli(*create).succeeded()
    stranger = str(write_keys(tmp_path, "stranger", number=8)[1])
    other = tmp_path / "other"
    refused(
        cli("create", "-p", str(other), "--require-signature", stranger),
        f"there is `locks/{signature(locked).name}`",
        other,
    )
    cli("create", "-p", str(other), "--require-signature", stranger, "--require-signature", public).succeeded()


@pytest.mark.parametrize("file", ["demo.linux-64.conda-lock.yml", "demo.linux-64.debian-lock.yml"])
def test_a_lock_that_was_changed_is_refused(
    file: str, locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]
) -> None:
    cli("sign", "demo", keys[0]).succeeded()
    path = locked.root / "locks" / file
    path.write_text(path.read_text() + "# another byte\n")
    outcome = cli("create", "-p", str(tmp_path / "env"), "--frozen", "--require-signature", keys[1])
    refused(outcome, f"`locks/{file}` was changed since it was signed", tmp_path / "env")
    path.unlink()
    assert cli("create", "-p", str(tmp_path / "env"), "--frozen", "--require-signature", keys[1]).code in {1, 5}
    assert not (tmp_path / "env").exists()


def test_after_lock_the_signature_is_stale(
    locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]
) -> None:
    cli("sign", "demo", keys[0]).succeeded()
    path = locked.root / "environments/demo.yaml"
    path.write_text(path.read_text().replace("eggs <2", "eggs ==1.0"))
    assert f"`locks/{signature(locked).name}` signs an older lock" in cli("lock").succeeded().err
    refused(
        cli("create", "-p", str(tmp_path / "env"), "--require-signature", keys[1]),
        "was changed since it was signed",
        tmp_path / "env",
    )
    cli("sign", "demo", keys[0]).succeeded()
    cli("create", "-p", str(tmp_path / "env"), "--require-signature", keys[1]).succeeded()


def test_the_signature_of_another_lock_is_refused(
    locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]
) -> None:
    text = (locked.root / "environments/demo.yaml").read_text().replace("name: demo\n", "")
    locked.spec("other", text)
    cli("lock", "other").succeeded()
    cli("sign", "other", keys[0]).succeeded()
    theirs = signature(locked)
    theirs.with_name(theirs.name.replace("other.", "demo.")).write_bytes(theirs.read_bytes())
    outcome = cli("create", "demo", "-p", str(tmp_path / "env"), "--require-signature", keys[1])
    refused(outcome, "it is about `environments/other.yaml`, `locks/other", tmp_path / "env")


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[" * 5000, b'{"dsseEnvelope": {"payloadType": "\\ud800"}}', b"x" * 3000000]
)
def test_a_signature_that_cannot_be_read(
    raw: bytes, locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]
) -> None:
    cli("sign", "demo", keys[0]).succeeded()
    signature(locked).write_bytes(raw)
    outcome = cli("create", "-p", str(tmp_path / "env"), "--require-signature", keys[1])
    refused(outcome, "it is not a bundle", tmp_path / "env")
    assert found(cli("verify", "locks/demo.linux-64.conda-lock.yml", "--key", keys[1], "--json")) == [
        ("signature", "locks/demo.linux-64.conda-lock.yml")
    ]
    cli("sign", "demo", keys[0]).succeeded()


def test_the_machine_may_require_it(locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]) -> None:
    """By the user's settings or a variable, for everything that packages are taken out of a lock for."""
    config = tmp_path / "config/envgen/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'require-signature = ["{keys[1]}"]\n')
    by_file = with_variables(cli, XDG_CONFIG_HOME=str(tmp_path / "config"))
    by_variable = with_variables(cli, ENVGEN_REQUIRE_SIGNATURE=keys[1])
    for run in (by_file, by_variable):
        for verb in (("create",), ("bundle", "--no-tools"), ("publish", "--to", str(tmp_path / "channel")), ("build",)):
            assert run(*verb).code == 5, verb
    assert not (tmp_path / "channel").exists()
    cli("sign", "demo", keys[0]).succeeded()
    by_file("create").succeeded()
    by_variable("publish", "--to", str(tmp_path / "channel")).succeeded()
    config.write_text("require-signature = 5\n")
    assert "expected an absolute path of a public key" in by_file("create").err
    config.write_text("require-signatures = 5\n")
    assert "did you mean `require-signature`?" in by_file("create").err
    assert cli("create", ENVGEN_REQUIRE_SIGNATURE="nowhere.pub").code == 1


def with_variables(cli: Command, **variables: str) -> Command:
    return replace(cli, variables=cli.variables | variables)


def test_a_recipe_that_was_changed_is_refused_also_when_frozen(
    locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]
) -> None:
    cli("sign", "demo", keys[0]).succeeded()
    recipe = next((locked.root / "recipes").glob("*/debian.yaml"))
    recipe.write_text(recipe.read_text() + "# another\n")
    outcome = cli("create", "-p", str(tmp_path / "env"), "--frozen", "--require-signature", keys[1])
    assert (outcome.code, "differ from those of the signed lock" in outcome.err) == (5, True)
    assert not (tmp_path / "env").exists()


def test_variables_and_services_are_those_of_the_signed_spec(
    project: Project, registries: Registries, cli: Command, keys: tuple[str, str]
) -> None:
    for architecture in ("amd64", "arm64"):
        registries.debian.add(*base_debs(architecture))
    registries.publish()
    project.spec("demo", IMAGE)
    cli("lock").succeeded()
    cli("sign", "demo", keys[0]).succeeded()
    cli("image", "--platform", "linux-64", "--require-signature", keys[1]).succeeded()
    path = project.root / "environments/demo.yaml"
    path.write_text(path.read_text() + "# LD_PRELOAD\n")
    outcome = cli("image", "--platform", "linux-64", "--require-signature", keys[1])
    assert (outcome.code, "`environments/demo.yaml` was changed since it was signed" in outcome.err) == (5, True)
    assert cli("create", "--require-signature", keys[1]).code == 5


def test_what_a_spec_extends_is_signed_with_it(
    locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]
) -> None:
    locked.write("environments/common.yaml", "env: {GREETING: hello}\n")
    path = locked.root / "environments/demo.yaml"
    path.write_text(path.read_text() + "extends: common\n")
    cli("lock").succeeded()
    cli("sign", "demo", keys[0]).succeeded()
    create = ("create", "-p", str(tmp_path / "env"), "--require-signature", keys[1])
    locked.write("environments/common.yaml", "env: {LD_PRELOAD: /tmp/x.so}\n")
    refused(cli(*create), "`environments/common.yaml` was changed since it was signed", tmp_path / "env")
    locked.write("environments/common.yaml", "env: {GREETING: hello}\n")
    cli(*create).succeeded()


def test_keys_of_all_kinds_make_the_same_lock_trusted(
    locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]
) -> None:
    """A program that signs does so once, though its signatures differ each time."""
    cli("sign", "demo", keys[0]).succeeded()
    plain = signature(locked).read_bytes()
    signature(locked).unlink()
    encrypted = write_cosign_key(tmp_path, password=PASSWORD)
    cli("sign", "demo", str(encrypted), ENVGEN_KEY_PASSWORD=PASSWORD).succeeded()
    assert signature(locked).read_bytes() == plain
    signature(locked).unlink()
    program = tmp_path / "sign.py"
    program.write_text(PROGRAM.format(key=keys[0]))
    command = f"exec:{shlex.quote(sys.executable)} {shlex.quote(str(program))}"
    cli("sign", "demo", command, PATH=os.environ["PATH"]).succeeded()
    first = signature(locked).read_bytes()
    assert first != plain
    cli("sign", "demo", command, PATH=os.environ["PATH"]).succeeded()
    assert signature(locked).read_bytes() == first
    cli("create", "--require-signature", keys[1]).succeeded()


PROGRAM = """
import sys
from cryptography.hazmat.primitives import hashes, serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec
key = ser.load_pem_private_key(open({key!r}, "rb").read(), None)
if sys.argv[1] == "public-key":
    out = key.public_key().public_bytes(ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo)
else:
    out = key.sign(sys.stdin.buffer.read(), ec.ECDSA(hashes.SHA256()))
sys.stdout.buffer.write(out)
"""


def test_a_lock_without_a_spec_goes_with_its_signature(locked: Project, cli: Command, keys: tuple[str, str]) -> None:
    cli("sign", "demo", keys[0]).succeeded()
    locked.spec("next", (locked.root / "environments/demo.yaml").read_text().replace("name: demo\n", ""))
    (locked.root / "environments/demo.yaml").unlink()
    cli("lock", "--all").succeeded()
    assert not list((locked.root / "locks").glob("demo.*"))


@pytest.mark.parametrize("form", ["bundle.tar", "folder"])
def test_a_bundle_is_signed_inside(
    form: str, locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]
) -> None:
    """While it is written or later, the bytes are the same; the signature counts for the locks in it."""
    first, second = tmp_path / "a" / form, tmp_path / "b" / form
    end = "/" if form == "folder" else ""
    written = cli("bundle", "--no-tools", "--sign", keys[0], "--output", f"{first}{end}").succeeded().out
    plain = cli("bundle", "--no-tools", "--output", f"{second}{end}").succeeded().out
    assert written != plain
    assert cli("verify", str(second), "--key", keys[1]).code == 5
    cli("sign", str(second), keys[0]).succeeded()
    assert files(second) == files(first)
    assert "as it was before" in cli("sign", str(second), keys[0]).succeeded().err
    cli("verify", str(second), "--key", keys[1]).succeeded()
    cli("verify", str(second)).succeeded()
    other = write_keys(tmp_path, "other", number=9)
    assert cli("verify", str(second), "--key", str(other[1])).code == 5
    cli("sign", str(second), str(other[0])).succeeded()
    for public in (keys[1], str(other[1])):
        cli("verify", str(second), "--key", public, "--quick").succeeded()
    away = with_variables(cli, ENVGEN_CACHE=str(tmp_path / "away"), ENVGEN_OFFLINE="1")
    create = ("create", "-p", str(tmp_path / "env"), "--require-signature", keys[1])
    away(*create, "--bundle", str(second)).succeeded()
    assert away("create", "-p", str(tmp_path / "env2"), "--require-signature", keys[1]).code == 5


def files(path: Path) -> dict[str, bytes]:
    """Read a bundle: of a tar, its bytes."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}


def test_a_bundle_with_something_else_is_refused(
    locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]
) -> None:
    """Nothing can be left out, put in, or be called a signature by the index alone."""
    folder = tmp_path / "bundle"
    cli("bundle", "--no-tools", "--sign", keys[0], "--output", f"{folder}/").succeeded()
    cli("verify", str(folder), "--key", keys[1]).succeeded()
    sound = json.loads((folder / "index.json").read_text())
    lock, mark = sound["manifests"]

    def with_entries(*entries: object) -> Outcome:
        (folder / "index.json").write_text(json.dumps({**sound, "manifests": list(entries)}))
        return cli("verify", str(folder), "--key", keys[1], "--quick")

    assert with_entries(lock, mark).code == 0
    assert with_entries({**lock, "annotations": {}}, mark).code == 5
    assert with_entries(lock, {**lock, "artifactType": mark["artifactType"]}, mark).code == 5
    assert with_entries(lock, {**mark, "artifactType": lock["artifactType"]}).code == 5
    assert with_entries(lock, mark, {**mark, "artifactType": "application/vnd.envgen.tools.v1"}).code == 5


def test_what_cannot_be_signed(locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]) -> None:
    (tmp_path / "x.tar").write_bytes(b"no tar")
    cli("create").succeeded()
    assert cli("sign", str(tmp_path / "x.tar"), keys[0]).code == 5
    assert cli("sign", "nobody", keys[0]).code == 1
    assert cli("sign", "demo", "nowhere.pem").code == 1
    assert cli("verify", "locks/demo.linux-64.conda-lock.yml").code == 2
    assert cli("verify", "demo", "--key", keys[1]).code == 2
    assert not list((locked.root / "locks").glob("*.sigstore.json"))


def test_a_tar_that_is_damaged_is_not_signed(
    locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]
) -> None:
    bundle = tmp_path / "demo.tar"
    cli("bundle", "--no-tools", "--output", str(bundle)).succeeded()
    with tarfile.open(bundle) as tar:
        wheel = max(tar.getmembers(), key=lambda one: one.size)
    data = bytearray(bundle.read_bytes())
    data[wheel.offset_data + wheel.size - 1] ^= 1
    bundle.write_bytes(data)
    outcome = cli("sign", str(bundle), keys[0])
    assert outcome.code == 5, outcome.err
    assert bundle.read_bytes() == data
    assert [path.name for path in tmp_path.glob("*.tar*")] == ["demo.tar"]
