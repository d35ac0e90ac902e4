"""Keys of ECDSA P-256 in the files that people have."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from nacl.secret import SecretBox

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 1 << 10
"""Of scrypt: few, for tests."""


def write_keys(folder: Path, name: str = "key", *, number: int = 7, password: str | None = None) -> tuple[Path, Path]:
    """Write a key pair that is always the same for a number: `NAME.pem` (PKCS8) and `NAME.pub`.

    Args:
        folder: where.
        name: of both files.
        number: the private key.
        password: encrypts the private key as OpenSSL does.
    """
    key = ec.derive_private_key(number, ec.SECP256R1())
    return _write(folder, name, key, password)


def write_curve(folder: Path) -> tuple[Path, Path]:
    """Write a key pair of another curve."""
    return _write(folder, "p384", ec.derive_private_key(7, ec.SECP384R1()), None)


def write_cosign_key(folder: Path, *, password: str, number: int = 7, rounds: int = ROUNDS) -> Path:
    """Write a private key as cosign encrypts it: scrypt and NaCl's secretbox in a PEM of its own."""
    der = ec.derive_private_key(number, ec.SECP256R1()).private_bytes(
        ser.Encoding.DER, ser.PrivateFormat.PKCS8, ser.NoEncryption()
    )
    salt, nonce = b"s" * 32, b"n" * SecretBox.NONCE_SIZE
    derived = Scrypt(salt=salt, length=SecretBox.KEY_SIZE, n=min(rounds, ROUNDS), r=8, p=1).derive(password.encode())
    document = {
        "kdf": {"name": "scrypt", "params": {"N": rounds, "r": 8, "p": 1}, "salt": _text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": _text(nonce)},
        "ciphertext": _text(SecretBox(derived).encrypt(der, nonce).ciphertext),
    }
    body = base64.encodebytes(json.dumps(document).encode()).decode()
    name = "ENCRYPTED SIGSTORE PRIVATE KEY"
    path = folder / "cosign.key"
    path.write_text(f"-----BEGIN {name}-----\n{body}-----END {name}-----\n")
    return path


def _write(folder: Path, name: str, key: Any, password: str | None) -> tuple[Path, Path]:
    encryption = ser.BestAvailableEncryption(password.encode()) if password else ser.NoEncryption()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, encryption))
    public.write_bytes(key.public_key().public_bytes(ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
