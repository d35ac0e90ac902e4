"""Our bundles, read by sigstore's own library for Node.js, which knows nothing of envgen."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.oci.layout import MANIFEST, index_of
from envgen.sign.artifacts import signed_layer
from envgen.sign.keys import open_signer, read_public_key
from envgen.sign.layouts import sign_layout
from envgen.sign.locks import check_lock, sign_lock
from envgen.sign.packages import PackageClaim, attest, reasons_against
from envgen.sign.statements import PROVENANCE, StatementError, bundle, check_payload, open_bundle
from tests.builders.keys import write_keys
from tests.real import npm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.sign.keys import PublicKey, Signer

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (shutil.which("npm") and shutil.which("node")), reason="node and npm are not installed"),
]
PACKAGES = ("@sigstore/verify@3", "@sigstore/bundle@4")
SCRIPT = """
const fs = require('fs'), crypto = require('crypto');
const { bundleFromJSON } = require('@sigstore/bundle');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');
const nothing = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
function accepted([pem, text, digest]) {
  const key = crypto.createPublicKey(pem);
  const trust = toTrustMaterial(nothing, () => ({ publicKey: key, validFor: () => true }));
  const verifier = new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });
  try {
    const bundle = bundleFromJSON(JSON.parse(text));
    verifier.verify(toSignedEntity(bundle));
    const statement = JSON.parse(bundle.content.dsseEnvelope.payload.toString());
    return statement.subject.some((one) => one.digest.sha256 === digest);
  } catch (error) { return false; }
}
console.log(JSON.stringify(JSON.parse(fs.readFileSync(process.argv[2])).map(accepted)));
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node")
    (folder / "verify.js").write_text(SCRIPT)
    npm.install(folder, *PACKAGES)
    return folder


Case = tuple[Path, bytes, Sha256]
"""A public key, a bundle, and the digest of what it must be about."""


def accepted(node: Path, cases: Sequence[Case]) -> list[bool]:
    """Return which bundles sigstore's library accepts, and are about what they must be about."""
    listed = [[public.read_text(), data.decode(), digest] for public, data, digest in cases]
    (node / "cases.json").write_text(json.dumps(listed))
    command = ["node", "verify.js", "cases.json"]
    done = subprocess.run(command, cwd=node, capture_output=True, text=True, timeout=60, check=True)
    found: list[bool] = json.loads(done.stdout)
    return found


KINDS = ("image", "provenance", "package", "lock", "layout")


CONTENT, OTHER = Sha256.of(b"content"), Sha256.of(b"other")


def made(kind: str, signer: Signer, digest: Sha256 = CONTENT) -> bytes:
    """Sign something of each kind."""
    match kind:
        case "provenance":
            return bundle(signer, digest, kind=PROVENANCE, predicate={"buildDefinition": {}})
        case "package":
            claim = PackageClaim(filename="spam-1.0-0.conda", sha256=digest, channel="oci://example.org/team")
            return attest(claim, signer)
        case "lock":
            return sign_lock({"locks/demo.linux-64.conda-lock.yml": digest}, signer)
        case "layout":
            blobs = sign_layout([{"mediaType": MANIFEST, "digest": f"sha256:{digest}", "size": 7}], signer).blobs
            return next(data for data in blobs.values() if b"dsseEnvelope" in data)
        case _:
            return bundle(signer, digest, predicate={})


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_verifies_the_signature(kind: str, tmp_path: Path) -> None:
    """Over the pre-authentication encoding of DSSE, which is put together here without code of envgen."""
    private, public = write_keys(tmp_path)
    signer = open_signer(str(private), directory=tmp_path, environment={})
    envelope = json.loads(made(kind, signer))["dsseEnvelope"]
    content = base64.b64decode(envelope["payload"])
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(content) + content
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    command = ["openssl", "dgst", "-sha256", "-verify", str(public), "-signature", str(tmp_path / "signature")]
    for data, expected in ((signed, b"Verified OK\n"), (signed[:-1] + b"?", b"Verification failure\n")):
        done = subprocess.run(command, input=data, capture_output=True, check=False)
        assert done.stdout == expected


def subject(kind: str, digest: Sha256) -> Sha256:
    """Return the digest that the statement about something with a digest names: of a layout, that of its list."""
    if kind != "layout":
        return digest
    return Sha256.of(index_of([{"mediaType": MANIFEST, "digest": f"sha256:{digest}", "size": 7}]))


def ours(kind: str, data: bytes, key: PublicKey, digest: Sha256) -> bool:
    """Return whether envgen accepts a bundle for something with a digest."""
    try:
        match kind:
            case "package":
                claim = PackageClaim(filename="spam-1.0-0.conda", sha256=digest, channel="oci://example.org/team")
                return reasons_against(claim, [data], key) is None
            case "lock":
                check_lock(data, key, {"locks/demo.linux-64.conda-lock.yml": digest})
            case _:
                open_bundle(data, key, about=subject(kind, digest))
    except StatementError:
        return False
    return True


def flipped(data: bytes, *path: str | int) -> bytes:
    """Flip one bit of what base64 holds somewhere in a bundle."""
    document = json.loads(data)
    *folders, last = path
    here = document["dsseEnvelope"]
    for key in folders:
        here = here[key]
    raw = bytearray(base64.b64decode(here[last]))
    raw[len(raw) // 2] ^= 1
    here[last] = base64.b64encode(raw).decode()
    return json.dumps(document).encode()


def replayed(data: bytes, source: bytes) -> bytes:
    """Copy the signature of one bundle into another one."""
    document = json.loads(data)
    document["dsseEnvelope"]["signatures"] = json.loads(source)["dsseEnvelope"]["signatures"]
    return json.dumps(document).encode()


@pytest.mark.parametrize("kind", KINDS)
def test_sigstore_and_envgen_refuse_the_same(kind: str, node: Path, tmp_path: Path) -> None:
    private, public = write_keys(tmp_path)
    strange = write_keys(tmp_path, "stranger", number=8)[1]
    signer = open_signer(str(private), directory=tmp_path, environment={})
    stated, other = made(kind, signer), made(kind, signer, OTHER)
    cases = {
        "as it is": (public, stated, CONTENT),
        "a bit of what is signed": (public, flipped(stated, "payload"), CONTENT),
        "a bit of the signature": (public, flipped(stated, "signatures", 0, "sig"), CONTENT),
        "another key": (strange, stated, CONTENT),
        "a bundle of something else": (public, other, CONTENT),
        "a signature of something else": (public, replayed(stated, other), CONTENT),
    }
    theirs = accepted(node, [(key, data, subject(kind, digest)) for key, data, digest in cases.values()])
    here = [ours(kind, data, read_public_key(key), digest) for key, data, digest in cases.values()]
    expected = {name: name == "as it is" for name in cases}
    assert dict(zip(cases, theirs, strict=True)) == expected
    assert dict(zip(cases, here, strict=True)) == expected


def test_openssl_and_envgen_refuse_the_same_of_the_older_form(tmp_path: Path) -> None:
    """Over the bytes of the payload, as podman and older releases of cosign read them."""
    private, public = write_keys(tmp_path)
    strange = write_keys(tmp_path, "stranger", number=8)[1]
    signer = open_signer(str(private), directory=tmp_path, environment={})
    repository = "registry.example.org/team/demo"
    (text, signature), (other, of_other) = (
        (data, base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"]))
        for layer, data in (signed_layer(signer, digest, repository=repository) for digest in (CONTENT, OTHER))
    )
    cases = {
        "as it is": (public, text, signature),
        "a bit of what is signed": (public, text.replace(b"d", b"e", 1), signature),
        "a bit of the signature": (public, text, signature[:-1] + bytes([signature[-1] ^ 1])),
        "another key": (strange, text, signature),
        "a signature of another image": (public, text, of_other),
    }
    for name, (key, data, sig) in cases.items():
        (tmp_path / "signature").write_bytes(sig)
        command = ["openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(tmp_path / "signature")]
        done = subprocess.run(command, input=data, capture_output=True, check=False)
        assert (name, done.stdout == b"Verified OK\n") == (name, name == "as it is")
        with nullcontext() if name == "as it is" else pytest.raises(StatementError):
            line = base64.b64encode(sig).decode()
            check_payload(data, line, read_public_key(key), digest=CONTENT, repository=repository)
    line = base64.b64encode(of_other).decode()  # sound, and found at another image
    with pytest.raises(StatementError, match="it signs sha256"):
        check_payload(other, line, read_public_key(public), digest=CONTENT, repository=repository)
