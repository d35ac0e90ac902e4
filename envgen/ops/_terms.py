"""What may be handed to others: terms of licences are shown, and what the spec's `licenses` rejects is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.ops._licenses import licenses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.platforms import Platform
    from envgen.project.context import Context

_SHOWN = 6
"""Packages that are named for each licence; the rest are counted."""


def check_terms(context: Context, env: str, platforms: Sequence[Platform]) -> None:
    """Show the terms of the packages of an environment, before they are handed to others.

    Raises:
        UserError: the spec's `licenses` rejects one.
        LockError, NetworkError: see `licenses`.
    """
    report = licenses(context, env=env, platforms=platforms)
    if report.rejected:
        listed = "\n".join(f"  - {one.name} {one.version}: {one.judgement}" for one in report.rejected)
        raise UserError(
            f"`licenses` of `{env}` does not accept:\n{listed}",
            hint="run `envgen licenses` for the licences, and change `licenses` or the packages",
        )
    users: dict[str, list[str]] = {}
    for verdict in report.verdicts:
        for terms in verdict.terms:
            users.setdefault(f"{terms.name}: {terms.redistribution}", []).append(verdict.name)
    for text, names in sorted(users.items()):
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        context.reporter.note(f"{', '.join(names[:_SHOWN])}{more} ({text})")
