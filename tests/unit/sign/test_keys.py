"""Keys: the files that are read, and what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from envgen.errors import UserError
from envgen.sign.keys import open_signer, read_public_key
from tests.builders.keys import write_cosign_key, write_curve, write_keys

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.sign.keys import Signer

PASSWORD = "swordfish"  # noqa: S105  a test's
DATA = b"what is signed"
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def opened(path: Path | str, folder: Path, password: str = "") -> Signer:
    return open_signer(str(path), directory=folder, environment={**ENVIRONMENT, "ENVGEN_KEY_PASSWORD": password})


def test_signatures_are_always_the_same_and_verify(tmp_path: Path) -> None:
    private, public = write_keys(tmp_path)
    signature = opened(private, tmp_path).sign(DATA)
    assert signature == opened(private.name, tmp_path).sign(DATA)
    key = read_public_key(public)
    assert key.verifies(DATA, signature)
    assert not key.verifies(DATA + b".", signature)
    assert not key.verifies(DATA, b"")
    assert not read_public_key(write_keys(tmp_path, "other", number=8)[1]).verifies(DATA, signature)


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_openssl_verifies_them(tmp_path: Path) -> None:
    private, public = write_keys(tmp_path)
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "sig").write_bytes(opened(private, tmp_path).sign(DATA))
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", public, "-signature", tmp_path / "sig", tmp_path / "data"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "Verified OK")


def test_encrypted_keys_are_opened_by_their_password(tmp_path: Path) -> None:
    plain = opened(write_keys(tmp_path)[0], tmp_path).sign(DATA)
    assert opened(write_keys(tmp_path, "hidden", password=PASSWORD)[0], tmp_path, PASSWORD).sign(DATA) == plain
    assert opened(write_cosign_key(tmp_path, password=PASSWORD), tmp_path, PASSWORD).sign(DATA) == plain


def test_a_password_for_a_key_without_one_does_no_harm(tmp_path: Path) -> None:
    assert opened(write_keys(tmp_path)[0], tmp_path, PASSWORD).sign(DATA)


@pytest.mark.parametrize("password", ["", "wrong"])
@pytest.mark.parametrize("form", ["pkcs8", "cosign"])
def test_a_missing_or_wrong_password_is_told(tmp_path: Path, form: str, password: str) -> None:
    if form == "pkcs8":
        path, _ = write_keys(tmp_path, password=PASSWORD)
    else:
        path = write_cosign_key(tmp_path, password=PASSWORD)
    with pytest.raises(UserError) as caught:
        opened(path, tmp_path, password)
    assert "ENVGEN_KEY_PASSWORD" in (caught.value.hint or "")
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n!\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\ne30=\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----",
    ],
)
def test_what_is_no_private_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(UserError, match="cannot be read as a private key") as caught:
        opened("key", tmp_path, PASSWORD)
    assert "http" not in str(caught.value)


def test_a_key_cannot_ask_for_all_memory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="rounds"):
        opened(write_cosign_key(tmp_path, password=PASSWORD, rounds=1 << 30), tmp_path, PASSWORD)


def test_other_curves_and_files_are_refused(tmp_path: Path) -> None:
    private, public = write_curve(tmp_path)
    with pytest.raises(UserError, match="P-256"):
        opened(private, tmp_path)
    with pytest.raises(UserError, match="P-256"):
        read_public_key(public)
    with pytest.raises(UserError, match="not a public key"):
        read_public_key(private)
    with pytest.raises(UserError, match="cannot be read"):
        opened("nowhere", tmp_path)
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    with pytest.raises(UserError, match="more than"):
        opened("large", tmp_path)


def program(folder: Path, body: str) -> str:
    path = folder / "signs"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return f"exec:{path} --token 1"


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_program_signs(tmp_path: Path) -> None:
    private, public = write_keys(tmp_path)
    key = program(
        tmp_path,
        f'case "$3" in public-key) cat {public};; sign) exec openssl dgst -sha256 -sign {private};; *) exit 3;; esac',
    )
    signer = opened(key, tmp_path)
    assert read_public_key(public).verifies(DATA, signer.sign(DATA))


@pytest.mark.parametrize(
    ("body", "words"),
    [("exit 3", "the signing program failed"), ("echo hello", "printed no public key")],
)
def test_a_program_that_fails_is_told(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        opened(program(tmp_path, body), tmp_path)
    with pytest.raises(UserError, match="names no program"):
        opened("exec:", tmp_path)


def test_a_signature_that_does_not_fit_the_key_is_refused(tmp_path: Path) -> None:
    _, public = write_keys(tmp_path)
    key = program(tmp_path, f'case "$3" in public-key) cat {public};; sign) echo nonsense;; esac')
    with pytest.raises(UserError, match="does not match"):
        opened(key, tmp_path).sign(DATA)
