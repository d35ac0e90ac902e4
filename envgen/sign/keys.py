"""Keys: ECDSA P-256, in the files that cosign and OpenSSL write, or held by a program.

Signatures are deterministic (RFC 6979), so that the same image has the same signature on every machine. A program that
signs is not asked for that.

Sources: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md, and cosign's `pkg/cosign/keys.go` for its
encrypted form: scrypt and NaCl's secretbox.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from envgen.documents import read_json
from envgen.errors import UserError
from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PASSWORD = "ENVGEN_KEY_PASSWORD"  # noqa: S105  the name of a variable
EXEC = "exec:"

_ENCRYPTED = (b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----", b"-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----")
_PUBLIC = b"-----BEGIN PUBLIC KEY-----"
_LARGEST = 1 << 16
"""Bytes of a file with a key; real ones have a few hundred."""

_SCRYPT = 1 << 17
"""Rounds of scrypt that a file may ask for; cosign writes 32768 or 65536, and memory is 1 kB times rounds."""

_SECONDS = 120.0
"""How long a program may take to sign: somebody may have to touch a hardware key."""


class Signer(Protocol):
    """Signs bytes."""

    @property
    def public(self) -> PublicKey:
        """Return the key that verifies the signatures."""

    def sign(self, data: bytes) -> bytes:
        """Return an ECDSA signature over the sha256 of `data`, DER.

        Raises:
            UserError: the program that signs fails.
        """


class PublicKey(Struct, frozen=True):
    """A public key: `der` is its SubjectPublicKeyInfo."""

    der: bytes

    def verifies(self, data: bytes, signature: bytes) -> bool:
        """Return whether a DER signature over the sha256 of `data` was made by the private key."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  an extra
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

        key: Any = serialization.load_der_public_key(self.der)
        try:
            key.verify(signature, data, _ecdsa())
        except InvalidSignature:
            return False
        return True


def read_public_key(path: Path) -> PublicKey:
    """Read a public key: PEM, as `cosign generate-key-pair` and `openssl pkey -pubout` write it.

    Raises:
        UserError: it cannot be read, or is not a key of ECDSA P-256.
    """
    _require_cryptography()
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    data = _read(path)
    if not data.lstrip().startswith(_PUBLIC):
        raise UserError(f"`{path}` is not a public key", hint="expected a PEM file that begins with `BEGIN PUBLIC KEY`")
    try:
        key = serialization.load_pem_public_key(data)
    except ValueError as error:
        raise UserError(f"`{path}` is not a public key: {error}") from error
    return _public(key, str(path))


def open_signer(key: str, *, directory: Path, environment: Mapping[str, str]) -> Signer:
    """Open what signs: a file with a private key, or `exec:PROGRAM ARGUMENTS`.

    Args:
        key: path relative to `directory`, or `exec:` and a command line. The program is called with `public-key`,
            and prints the key as PEM, or with `sign`, and reads bytes from standard input and prints a DER signature.
        directory: working directory.
        environment: of the process; `ENVGEN_KEY_PASSWORD` is the password of an encrypted key.

    Raises:
        UserError: the key cannot be read, is not one of ECDSA P-256, or its password is missing or wrong.
    """
    _require_cryptography()
    if key.startswith(EXEC):
        return _Program.start(tuple(shlex.split(key.removeprefix(EXEC))), environment)
    path = directory / key
    return _FileKey.load(_read(path), name=key, password=environment.get(PASSWORD, ""))


class _FileKey(Struct, frozen=True, kw_only=True):
    private: Any
    public: PublicKey

    @classmethod
    def load(cls, data: bytes, *, name: str, password: str) -> _FileKey:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

        encrypted = data.lstrip().startswith(_ENCRYPTED)
        try:
            if encrypted:
                private = serialization.load_der_private_key(_decrypt(data, name, password), None)
            else:
                private = serialization.load_pem_private_key(data, password.encode() or None)
        except TypeError as error:  # encrypted without a password, or a password for a key without one
            if not password:
                raise _no_password(name) from error
            private = serialization.load_pem_private_key(data, None)
        except ValueError as error:
            why = str(error).partition(" See ")[0].rstrip(".")  # what follows is an address and names of internals
            raise UserError(
                f"`{name}` cannot be read as a private key: {why}",
                hint=f"expected PKCS8 PEM or a key of `cosign generate-key-pair`; its password in `{PASSWORD}`",
            ) from error
        return cls(private=private, public=_public(private.public_key(), name))

    def sign(self, data: bytes) -> bytes:
        signature: bytes = self.private.sign(data, _ecdsa(deterministic=True))
        return signature


class _Program(Struct, frozen=True, kw_only=True):
    command: tuple[str, ...]
    environment: Mapping[str, str]
    public: PublicKey

    @classmethod
    def start(cls, command: tuple[str, ...], environment: Mapping[str, str]) -> _Program:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

        if not command:
            raise UserError("`exec:` names no program", hint="for example `exec:/usr/local/bin/sign-with-token`")
        printed = _ask(command, "public-key", b"", environment)
        try:
            key = serialization.load_pem_public_key(printed)
        except ValueError as error:
            raise UserError(
                f"`{command[0]} public-key` printed no public key",
                hint="expected PEM that begins with `BEGIN PUBLIC KEY`",
            ) from error
        return cls(command=command, environment=environment, public=_public(key, command[0]))

    def sign(self, data: bytes) -> bytes:
        signature = _ask(self.command, "sign", data, self.environment)
        if not self.public.verifies(data, signature):
            raise UserError(f"the signature of `{self.command[0]} sign` does not match its public key")
        return signature


def _ask(command: tuple[str, ...], verb: str, data: bytes, environment: Mapping[str, str]) -> bytes:
    try:
        return run((*command, verb), stdin=data, env=environment, timeout=_SECONDS).stdout
    except ProcessError as error:
        raise UserError(f"the signing program failed: {error.message}") from error


def _decrypt(data: bytes, name: str, password: str) -> bytes:
    """Return the PKCS8 DER of a key that cosign encrypted.

    Raises:
        ValueError: it is malformed.
        UserError: the password is missing or wrong.
    """
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415
    from nacl.exceptions import CryptoError  # noqa: PLC0415  an extra
    from nacl.secret import SecretBox  # noqa: PLC0415

    if not password:
        raise _no_password(name)
    lines = data.strip().splitlines()
    try:
        document = read_json(base64.b64decode(b"".join(lines[1:-1]), validate=True))
        kdf, cipher = document["kdf"], document["cipher"]
        rounds = kdf["params"]["N"]
        if (kdf["name"], cipher["name"]) != ("scrypt", "nacl/secretbox") or not 1 < rounds <= _SCRYPT:
            raise ValueError(f"it is encrypted with {kdf['name']} and {cipher['name']}, {rounds} rounds")
        derive = Scrypt(
            salt=base64.b64decode(kdf["salt"]), length=SecretBox.KEY_SIZE, n=rounds, r=kdf["params"]["r"],
            p=kdf["params"]["p"],
        )  # fmt: skip
        box = SecretBox(derive.derive(password.encode()))
        return box.decrypt(base64.b64decode(document["ciphertext"]), base64.b64decode(cipher["nonce"]))
    except (KeyError, TypeError, binascii.Error, MemoryError) as error:
        raise ValueError(f"it is malformed: {error!r}") from error
    except CryptoError as error:
        raise UserError(f"`{name}` cannot be decrypted", hint=f"`{PASSWORD}` is not its password") from error


def _public(key: Any, name: str) -> PublicKey:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UserError(
            f"`{name}` is not a key of ECDSA P-256, which all verifiers of images support",
            hint="`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem` makes one",
        )
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return PublicKey(key.public_bytes(serialization.Encoding.DER, form))


def _ecdsa(*, deterministic: bool = False) -> Any:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    return ec.ECDSA(hashes.SHA256(), deterministic_signing=deterministic)


def _no_password(name: str) -> UserError:
    return UserError(f"`{name}` is encrypted", hint=f"set `{PASSWORD}` to its password")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise UserError(f"`{path}` cannot be read: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise UserError(f"`{path}` is not a key: it has more than {_LARGEST} bytes")
    return data


def _require_cryptography() -> None:
    """Refuse to go on without the libraries of the extra.

    Raises:
        UserError: they are not installed.
    """
    try:
        import cryptography  # noqa: F401, PLC0415
        import nacl  # noqa: F401, PLC0415
    except ImportError as error:
        raise UserError(
            f"signatures need the extra `sign`: {error.name} is not installed",
            hint="install envgen with `[sign]`, or `cryptography` and `pynacl` beside it",
        ) from error
