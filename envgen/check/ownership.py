"""Paths that several packages have, files that cannot be read, and link scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.checks import Misfit, several

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.check.subject import Subject


def check_paths(subject: Subject) -> Iterator[Misfit]:
    """Yield the paths of which two packages bring different bytes."""
    claims = subject.claims
    if claims.clash:
        yield Misfit(rule="PATH001", packages=(), what=claims.clash, remedy=claims.way_out)
    if claims.kept:
        names = sorted({name for packages in claims.kept.values() for name in packages})
        yield Misfit(
            rule="PATH002",
            packages=tuple(names),
            files=tuple(sorted(claims.kept)),
            what=f"{several(sorted(claims.kept))}: the file of one package is kept",
        )


def check_readable(subject: Subject) -> Iterator[Misfit]:
    """Yield the files that begin as ELF and contradict themselves."""
    for part in subject.parts.values():
        for file in part.files.unreadable if part.files else ():
            yield Misfit(
                rule="ELF001",
                packages=(part.name,),
                files=(file.path,),
                what=f"failed to read `{file.path}`: {file.why}",
            )


def check_scripts(subject: Subject) -> Iterator[Misfit]:
    """Yield the packages whose link scripts conda would run and envgen does not."""
    for package, scripts in sorted(subject.scripts.items()):
        yield Misfit(
            rule="LINK001",
            packages=(package,),
            files=scripts,
            what=f"{several(scripts)} of `{package}` is not run: what it sets up is missing",
        )
