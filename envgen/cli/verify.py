"""`envgen verify`: is what is there what was locked and signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli.options import json_option
from envgen.cli.signed_json import facts
from envgen.errors import SignatureError

if TYPE_CHECKING:
    from envgen.cli.console import Console


@click.command("verify", epilog="Example: envgen verify ghcr.io/me/train:1.0 --key cosign.pub --attestations")
@click.argument("reference", metavar="REGISTRY/NAME:TAG")
@click.option(
    "--key", required=True, type=click.Path(path_type=Path), help="public key (PEM) that must have signed the image"
)
@click.option("--attestations", is_flag=True, help="require signed provenance and a signed SBOM for each platform")
@json_option
@click.pass_obj
def command(console: Console, reference: str, key: Path, attestations: bool, as_json: bool) -> None:
    """Verify the signatures of an image in a registry; exit 5 if one is missing or wrong."""
    signed = ops.verify_signatures(console.context(anywhere=True), reference, key=key)
    if as_json:
        console.json(facts(signed))
    else:
        for digest in signed.manifests:
            stated = signed.statements.get(digest, ())
            console.data(f"sha256:{digest}: signed" + (f", attested: {', '.join(stated)}" if stated else ""))
    missing = [digest for digest in signed.platforms if attestations and not signed.is_attested(digest)]
    if missing:
        listed = "".join(f"\n  - sha256:{digest}" for digest in missing)
        raise SignatureError(
            f"`{reference}` lacks signed provenance or a signed SBOM:{listed}",
            hint="`envgen image --push REFERENCE --sign KEY` attests both",
        )
