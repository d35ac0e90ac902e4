"""`verify`: is what is there what the committed lock says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envgen.create.place import Place, find_environment
from envgen.errors import UserError
from envgen.manifest.select import select, spec_files
from envgen.oci.push import Reference
from envgen.prefix.inventory import is_environment
from envgen.prefix.origin import read_origin
from envgen.project.lock_files import require_lock
from envgen.system.host import probe_host
from envgen.verify.installed import compare_prefix
from envgen.verify.layout import compare_layout, names_of
from envgen.verify.registry import compare_registry
from envgen.verify.subject import SubjectKind, VerifySubject, find_subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec
    from envgen.project.context import Context
    from envgen.verify.findings import Deviation, LockComparison


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """What to verify.

    Attributes:
        subject: an environment's name, a prefix, a layout, a bundle, a channel or `REGISTRY/NAME:TAG`; the project's
            only or default environment on this machine without.
        env: name of the spec whose lock counts; where it is left out, that which the subject was made from if the
            project has it, else the project's only or default one.
        quick: compare what can be compared without reading contents.
    """

    subject: str | None = None
    env: str | None = None
    quick: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was found.

    Attributes:
        kind: what the subject was taken for.
        where: path or address of it.
        comparisons: with each lock that it was compared with.
    """

    kind: SubjectKind
    where: str
    comparisons: tuple[LockComparison, ...]

    @property
    def remedy(self) -> str | None:
        """What to do about differences."""
        if self.kind in {SubjectKind.ENVIRONMENT, SubjectKind.PREFIX}:
            return (
                "`envgen create --verify` repairs files of packages, `--prune` removes what pip installed beside them"
            )
        return None

    @property
    def findings(self) -> tuple[Deviation, ...]:
        """Every difference."""
        return tuple(finding for one in self.comparisons for finding in one.findings)


def verify(
    context: Context, options: VerifyOptions, *, on_subject: Callable[[VerifySubject, str], object] | None = None
) -> Verified:
    """Compare a thing with the committed lock; nothing is changed.

    Args:
        context: the world.
        options: what to verify.
        on_subject: told what the subject was taken for, and where it is, before anything is read.

    Raises:
        LockError: there is no lock.
        UserError: there is no such thing.
        NetworkError, IntegrityError: it cannot be had, or is so damaged that it cannot be compared.
    """
    subject = find_subject(context, options.subject)
    tell = on_subject or (lambda _subject, _where: None)
    if subject.kind in {SubjectKind.ENVIRONMENT, SubjectKind.PREFIX}:
        return _verify_prefix(context, options, subject, tell)
    if subject.kind is SubjectKind.LAYOUT and subject.path and subject.path.is_dir():
        return _verify_layout(context, options, subject, tell)
    if subject.kind is SubjectKind.REGISTRY:
        return _verify_registry(context, options, subject, tell)
    raise UserError(f"`{subject.text}` is a {subject.kind}, which cannot be verified yet")


def _verify_prefix(
    context: Context, options: VerifyOptions, subject: VerifySubject, tell: Callable[[VerifySubject, str], object]
) -> Verified:
    prefix = _prefix(context, options, subject)
    tell(subject, str(prefix))
    spec = _spec_of_prefix(context, options, subject, prefix)
    pair = require_lock(context, spec, probe_host().platform)
    found = compare_prefix(context, prefix, pair, quick=options.quick)
    return Verified(kind=subject.kind, where=str(prefix), comparisons=(found,))


def _verify_layout(
    context: Context, options: VerifyOptions, subject: VerifySubject, tell: Callable[[VerifySubject, str], object]
) -> Verified:
    directory = subject.path or context.directory
    tell(subject, str(directory))
    spec = select(context.root, options.env or _named_in(context, names_of(directory)))
    found = compare_layout(context, directory, spec, quick=options.quick)
    return Verified(kind=subject.kind, where=str(directory), comparisons=found)


def _verify_registry(
    context: Context, options: VerifyOptions, subject: VerifySubject, tell: Callable[[VerifySubject, str], object]
) -> Verified:
    reference = Reference.parse(subject.text)
    tell(subject, str(reference))
    spec = select(context.root, options.env or _named_in(context, [reference.name.rpartition("/")[2]]))
    found = compare_registry(context, reference, spec, quick=options.quick)
    return Verified(kind=subject.kind, where=str(reference), comparisons=found)


def _named_in(context: Context, names: Iterable[str]) -> str | None:
    """Return the first name that is one of an environment of the project."""
    known = {path.stem for path in spec_files(context.root)}
    return next((name for name in names if name in known), None)


def _prefix(context: Context, options: VerifyOptions, subject: VerifySubject) -> Path:
    if subject.path is None:
        return find_environment(context, env=options.env or subject.text or None, place=Place())
    if not is_environment(subject.path):
        raise UserError(
            f"`{subject.path}` is not a complete environment: it has no `conda-meta/history`",
            hint="`envgen create --prefix` makes one",
        )
    return find_environment(context, env=None, place=Place(prefix=subject.path))


def _spec_of_prefix(context: Context, options: VerifyOptions, subject: VerifySubject, prefix: Path) -> EnvSpec:
    """Choose the spec: the one that was asked for, or that of this project which the prefix was made from."""
    origin = read_origin(prefix)
    own = origin.environment if origin and origin.project == context.root else None
    return select(context.root, options.env or subject.text * (subject.path is None) or own)
