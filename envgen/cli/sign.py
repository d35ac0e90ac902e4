"""`envgen sign`: sign an image in a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import json_option
from envgen.cli.signed_json import facts

if TYPE_CHECKING:
    from envgen.cli.console import Console


@click.command("sign", epilog=examples("envgen sign ghcr.io/me/train:1.0 cosign.key"))
@click.argument("reference", metavar="REGISTRY/NAME:TAG")
@click.argument("key", metavar="KEY")
@json_option
@click.pass_obj
def command(console: Console, reference: str, key: str, as_json: bool) -> None:
    """Sign an image in a registry, without any service: with a key of ECDSA P-256.

    KEY is a file (PKCS8 PEM, or the encrypted form of `cosign generate-key-pair`, whose password is in
    `ENVGEN_KEY_PASSWORD`), or `exec:PROGRAM` for a program that signs, for example with a hardware key. It is called
    with `public-key`, and prints the key as PEM, or with `sign`, and reads bytes and prints a DER signature.

    Both forms are written: a bundle v0.3 as referrer, and the tag `sha256-DIGEST.sig`. `cosign verify --key cosign.pub
    --insecure-ignore-tlog REFERENCE` and `envgen verify REFERENCE --key cosign.pub` verify them.
    """
    signed = ops.sign(console.context(anywhere=True), ops.SignOptions(reference=reference, key=key))
    if as_json:
        console.json(facts(signed))
        return
    for digest in signed.manifests:
        console.data(f"signed sha256:{digest}")
