"""Certificates of authorities that an image trusts beside Debian's: read from the project, and proved to be such."""

from __future__ import annotations

import binascii
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from envgen import limits
from envgen.project.spec_faults import fault_of

if TYPE_CHECKING:
    from envgen.errors import SpecError
    from envgen.manifest.env_spec import EnvSpec
    from envgen.project.context import Context

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")
_PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_SEQUENCE = 0x30
"""First byte of every certificate: RFC 5280 has it as a DER sequence."""


def read_certificates(context: Context, spec: EnvSpec) -> dict[str, bytes]:
    """Read the files under `image.certificates`: name in the image -> certificates in PEM, nothing else of the file.

    Raises:
        SpecError: a file cannot be read, holds no certificate or a private key, or two have one name.
    """
    found: dict[str, bytes] = {}
    for path in spec.image.certificates if spec.image else ():
        name = f"{PurePosixPath(path).stem}.crt"
        if name in found:
            raise _fault(context, spec, path, f"another file is called `{PurePosixPath(path).stem}` as well")
        found[name] = _certificates(context, spec, path)
    return found


def _certificates(context: Context, spec: EnvSpec, path: str) -> bytes:
    try:
        with (context.root / path).open("rb") as stream:
            text = stream.read(limits.DOCUMENT)
    except OSError as error:
        raise _fault(context, spec, path, f"failed to read it: {error.strerror}") from error
    if _PRIVATE.search(text):
        raise _fault(context, spec, path, "contains a private key, which everyone with access to the image could read")
    blocks = [match[0] for match in _BLOCK.finditer(text) if _is_certificate(match[1])]
    if not blocks:
        raise _fault(context, spec, path, "contains no certificate in PEM")
    return b"".join(block + b"\n" for block in blocks)


def _is_certificate(text: bytes) -> bool:
    try:
        return binascii.a2b_base64(b"".join(text.split()), strict_mode=True)[:1] == bytes([_SEQUENCE])
    except binascii.Error:
        return False


def _fault(context: Context, spec: EnvSpec, path: str, what: str) -> SpecError:
    return fault_of(
        context, spec, keys=("image", "certificates"), item=path, what=f"`image.certificates`: `{path}` {what}"
    )
