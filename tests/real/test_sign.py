"""Our bundles, read by sigstore's own library for Node.js, which knows nothing of envgen."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.oci.layout import MANIFEST
from envgen.sign.keys import open_signer
from envgen.sign.layouts import sign_layout
from envgen.sign.locks import sign_lock
from envgen.sign.packages import PackageClaim, attest
from envgen.sign.statements import PROVENANCE, bundle
from tests.builders.keys import write_keys
from tests.home import MACHINE_HOME

if TYPE_CHECKING:
    from envgen.sign.keys import Signer

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (shutil.which("npm") and shutil.which("node")), reason="node and npm are not installed"),
]
PACKAGES = ("@sigstore/verify@3", "@sigstore/bundle@4")
SCRIPT = """
const fs = require('fs'), crypto = require('crypto');
const { bundleFromJSON } = require('@sigstore/bundle');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');
const key = crypto.createPublicKey(fs.readFileSync(process.argv[2]));
const nothing = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
const trust = toTrustMaterial(nothing, () => ({ publicKey: key, validFor: () => true }));
const verifier = new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });
verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(fs.readFileSync(process.argv[3])))));
console.log('verified');
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"private": true}')
    (folder / "verify.js").write_text(SCRIPT)
    done = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES],
        cwd=folder,
        env={
            **os.environ,
            "HOME": str(folder),
            "npm_config_userconfig": str(Path(os.environ[MACHINE_HOME], ".npmrc")),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the packages of Node.js cannot be installed: {done.stderr[-200:]}")
    return folder


def verified(node: Path, public: Path, data: bytes) -> bool:
    (node / "bundle.json").write_bytes(data)
    command = ["node", "verify.js", str(public), "bundle.json"]
    done = subprocess.run(command, cwd=node, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() == "verified"


KINDS = ("image", "provenance", "package", "lock", "layout")


def made(kind: str, signer: Signer) -> bytes:
    """Sign something of each kind."""
    digest = Sha256.of(b"content")
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


@pytest.mark.parametrize("kind", KINDS)
def test_sigstore_reads_our_bundles(kind: str, node: Path, tmp_path: Path) -> None:
    private, public = write_keys(tmp_path)
    signer = open_signer(str(private), directory=tmp_path, environment={})
    stated = made(kind, signer)
    assert verified(node, public, stated)
    changed = json.loads(stated)
    text = changed["dsseEnvelope"]["payload"]
    changed["dsseEnvelope"]["payload"] = text[:-8] + ("A" if text[-8] != "A" else "B") + text[-7:]
    assert not verified(node, public, json.dumps(changed).encode())
    assert not verified(node, write_keys(tmp_path, "stranger", number=8)[1], stated)
