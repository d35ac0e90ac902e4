"""`envgen licenses`: under which licences the locked packages stand, and whether the spec accepts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import env_argument, json_option, platform_option
from envgen.cli.sizes import counted
from envgen.errors import UserError

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.ops import LicenseReport, LicenseVerdict
    from envgen.platforms import Platform

_UNKNOWN = "unknown"


@click.command("licenses", epilog=examples("envgen licenses", "envgen licenses train --offline --json"))
@env_argument
@platform_option("this platform only; may be repeated")
@click.option(
    "--offline",
    is_flag=True,
    help="do not look up licences online; those that are not in the cache are shown as unknown",
)
@json_option
@click.pass_obj
def command(console: Console, env: str | None, platforms: tuple[Platform, ...], offline: bool, as_json: bool) -> None:
    """List the licences of the locked packages; exit 1 if `licenses:` of the spec does not accept one of them."""
    report = ops.licenses(console.context(), env=env, platforms=platforms, offline=offline)
    if as_json:
        console.json([_facts(verdict) for verdict in report.verdicts])
    else:
        _render(console, report)
    if report.rejected:
        listed = "\n".join(f"  - {v.name} {v.version}: {_rejected(v)}" for v in report.rejected)
        raise UserError(
            f"{counted(len(report.rejected), 'package')} not accepted by the spec's `licenses`:\n{listed}",
            hint="add their licences to `licenses.allow`, state them under `licenses.packages`, or remove the packages",
        )


def _render(console: Console, report: LicenseReport) -> None:
    rows = [
        (v.name, v.version, str(v.kind), _declared(v), str(v.judgement) if report.policy else "")
        for v in report.verdicts
    ]
    columns = ("name", "version", "from", "licence", "policy")
    cut = len(columns) if report.policy else len(columns) - 1
    console.table(columns[:cut], [row[:cut] for row in rows])
    for name, redistribution in sorted({(t.name, t.redistribution) for v in report.verdicts for t in v.terms}):
        users = [v.name for v in report.verdicts if any(t.name == name for t in v.terms)]
        console.say(f"{name} ({counted(len(users), 'package')}: {', '.join(users)}):\n  {redistribution}")
    unknown = [v.name for v in report.verdicts if v.license is None]
    if unknown:
        console.say(f"licence unknown for {counted(len(unknown), 'package')}: {', '.join(unknown)}")


def _rejected(verdict: LicenseVerdict) -> str:
    return f"{_declared(verdict)}, {verdict.judgement}" if verdict.license else "unknown licence"


def _declared(verdict: LicenseVerdict) -> str:
    """Return the SPDX expression of a licence, else what the package declares, quoted."""
    if verdict.license is None:
        return _UNKNOWN
    return verdict.license.expression or f"{verdict.license.words!r}"


def _facts(verdict: LicenseVerdict) -> dict[str, Any]:
    declared = verdict.license.words if verdict.license else None
    return {
        "name": verdict.name,
        "version": verdict.version,
        "from": str(verdict.kind),
        "platforms": [str(platform) for platform in verdict.platforms],
        "license": verdict.license.expression if verdict.license else None,
        "declared": declared,
        "words": declared,  # the name of `declared` in 0.1; goes with 0.3
        "stated-by-spec": verdict.stated_by_spec,
        "policy": str(verdict.judgement),
        "terms": [{"name": terms.name, "redistribution": terms.redistribution} for terms in verdict.terms],
    }
