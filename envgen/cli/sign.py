"""`envgen sign`: sign an image, a lock or a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import json_option
from envgen.cli.signed_json import facts

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.ops import SignedFile


_EXAMPLES = (
    "envgen sign ghcr.io/me/train:1.0 cosign.key",
    "envgen sign train cosign.key",
    "envgen sign dist/train.bundle.tar cosign.key",
)


@click.command("sign", epilog=examples(*_EXAMPLES))
@click.argument("subject", metavar="REGISTRY/NAME:TAG|ENV|LOCK|BUNDLE")
@click.argument("key", metavar="KEY")
@json_option
@click.pass_obj
def command(console: Console, subject: str, key: str, as_json: bool) -> None:
    """Sign an image in a registry, locks or a bundle, without any service: with a key of ECDSA P-256.

    KEY is a file (PKCS8 PEM, or the encrypted form of `cosign generate-key-pair`, whose password is in
    `ENVGEN_KEY_PASSWORD`), or `exec:PROGRAM` for a program that signs, for example with a hardware key. It is called
    with `public-key`, and prints the key as PEM, or with `sign`, and reads bytes and prints a DER signature.

    Of an image both forms are written: a bundle v0.3 as referrer, and the tag `sha256-DIGEST.sig`. `cosign verify --key
    cosign.pub --insecure-ignore-tlog REFERENCE` and `envgen verify REFERENCE --key cosign.pub` verify them. The
    signature of a lock is a file beside it, to be committed with it; `envgen create --require-signature PUB` demands
    it. That of a bundle is inside the bundle.
    """
    done = ops.sign(console.context(anywhere=True), ops.SignOptions(subject=subject, key=key))
    if as_json:
        console.json(facts(done.image) if done.image else [_facts(file) for file in done.files])
        return
    for digest in done.image.manifests if done.image else ():
        console.data(f"signed sha256:{digest}")
    for file in done.files:
        console.data(str(file.signature))
        console.say(f"`{file.what}` is signed" + ("" if file.changed else ", as it was before"))


def _facts(file: SignedFile) -> dict[str, Any]:
    return {"what": file.what, "signature": str(file.signature), "changed": file.changed}
