"""`envgen verify`: is what is there what was locked, or signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import env_option, json_option
from envgen.cli.signed_json import facts
from envgen.cli.sizes import counted
from envgen.errors import IntegrityError, SignatureError, UsageError

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.ops import Deviation, LockComparison, Verified, VerifySubject

_SUBJECT = "[ENV | PREFIX | LAYOUT | REGISTRY/NAME:TAG | BUNDLE | CHANNEL]"


@click.command(
    "verify",
    epilog=examples(
        "envgen verify", "envgen verify dist/train.oci", "envgen verify ghcr.io/me/train:1.0 --key cosign.pub"
    ),
)
@click.argument("subject", metavar=_SUBJECT, required=False)
@env_option
@click.option("--quick", is_flag=True, help="read no contents: status of files, or manifests and configurations")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="public key (PEM): of an image in a registry, verify its signatures instead; of a channel, also attestations",
)
@click.option("--attestations", is_flag=True, help="with `--key`: require signed provenance and SBOM of each platform")
@json_option
@click.pass_obj
def command(
    console: Console,
    subject: str | None,
    env: str | None,
    quick: bool,
    key: Path | None,
    attestations: bool,
    as_json: bool,
) -> None:
    """Compare an environment, image, bundle or channel with the locks of the project; exit 5 where one differs.

    What SUBJECT is, is found by looking. Without one, it is the default environment on this machine.
    """
    if key:
        if subject is None:
            raise UsageError(
                "`--key` needs an argument: what to verify",
                hint="for example `envgen verify /srv/channel --key key.pub`",
            )
        if ops.is_in_registry(console.context(anywhere=True), subject):
            if env or quick:
                raise UsageError("`--key` of an image cannot be combined with `--env` or `--quick`")
            _signatures(console, subject, key, attestations=attestations, as_json=as_json)
            return
    if attestations:
        raise UsageError(
            "`--attestations` needs `--key` and REGISTRY/NAME:TAG", hint="name the public key: `--key cosign.pub`"
        )
    _contents(console, ops.VerifyOptions(subject=subject, env=env, quick=quick, key=key), as_json=as_json)


def _contents(console: Console, options: ops.VerifyOptions, *, as_json: bool) -> None:
    def tell(subject: VerifySubject, where: str) -> None:
        console.say(f"comparing the {subject.kind} `{where}` with the lock")

    found = ops.verify(console.context(), options, on_subject=tell)
    if as_json:
        console.json(_json(found))
    elif found.findings:
        console.lines(str(finding) for finding in found.findings)
    for one in found.comparisons:
        _tell(console, one)
    if found.findings:
        count = counted(len(found.findings), "difference")
        raise IntegrityError(f"`{found.where}` is not {found.expected}: {count}", hint=found.remedy)


def _tell(console: Console, one: LockComparison) -> None:
    for note in one.notes:
        console.say(note)
    for text in one.unproven:
        console.warn(f"not proven: {text}")
    if not one.findings:
        console.say(f"`{one.lock}`: {one.compared}: no difference")


def _json(found: Verified) -> dict[str, Any]:
    return {
        "kind": str(found.kind),
        "where": found.where,
        "comparisons": [
            {
                "lock": one.lock,
                "compared": one.compared,
                "findings": [_finding(finding) for finding in one.findings],
                "unproven": list(one.unproven),
                "notes": list(one.notes),
            }
            for one in found.comparisons
        ],
    }


def _finding(finding: Deviation) -> dict[str, Any]:
    return {"kind": str(finding.kind), "where": finding.where, "package": finding.package, "what": finding.what}


def _signatures(console: Console, reference: str, key: Path, *, attestations: bool, as_json: bool) -> None:
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
