"""`verify`: is what is there what the committed lock says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.create.known import shown_name
from envgen.create.place import Place, find_environment
from envgen.errors import LockError, UsageError, UserError
from envgen.manifest.select import select, spec_files
from envgen.manifest.variables import env_at
from envgen.oci.push import Reference
from envgen.oci.read import open_layout
from envgen.ops._publish import open_channel
from envgen.ops._sign_files import locked
from envgen.prefix.inventory import is_environment
from envgen.prefix.origin import is_own, read_origin
from envgen.project.lock_files import find_lock, require_lock
from envgen.project.lock_signatures import reason_against
from envgen.publish.folder import FolderChannel
from envgen.sign.keys import read_public_key
from envgen.structs import replace
from envgen.system.host import probe_host
from envgen.urls import without_secrets
from envgen.verify.bundle import compare_bundle, is_bundle
from envgen.verify.channel import ChannelView, compare_channel, folder_view, web_view, written_view
from envgen.verify.findings import Deviation, Kind, LockComparison
from envgen.verify.installed import compare_prefix
from envgen.verify.layout import compare_layout, is_image, names_of, unpack
from envgen.verify.registry import compare_registry
from envgen.verify.subject import SubjectKind, VerifySubject, find_subject
from envgen.verify.tree import compare_tree, is_taken_from_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec
    from envgen.project.context import Context

    _Tell = Callable[[VerifySubject, str], object]


_SIGNED = frozenset({SubjectKind.CHANNEL, SubjectKind.LAYOUT, SubjectKind.LOCK})
"""What has signatures that `verify` looks for while it compares."""


class VerifyOptions(Struct, frozen=True, kw_only=True):
    """What to verify.

    Attributes:
        subject: an environment's name, a prefix, a layout, a bundle, a channel or `REGISTRY/NAME:TAG`; the project's
            only or default environment on this machine without.
        env: name of the spec whose lock counts; where it is left out, that which the subject was made from if the
            project has it, else the project's only or default one.
        quick: compare what can be compared without reading contents.
        key: public key that must have signed what is compared: a channel, bundle or lock.
    """

    subject: str | None = None
    env: str | None = None
    quick: bool = False
    key: Path | None = None


class Verified(Struct, frozen=True, kw_only=True):
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
        """Return the hint about differences."""
        if self.kind in {SubjectKind.ENVIRONMENT, SubjectKind.PREFIX}:
            return (
                "`envgen create --verify` repairs files of packages, `--prune` removes what pip installed beside them"
            )
        return None

    @property
    def expected(self) -> str:
        """Return what it is not, in words, for a message about differences."""
        unsigned = all(finding.kind is Kind.SIGNATURE for finding in self.findings)
        return "signed by the key" if unsigned else "what the lock says"

    @property
    def findings(self) -> tuple[Deviation, ...]:
        """Return every difference."""
        return tuple(finding for one in self.comparisons for finding in one.findings)


def is_in_registry(context: Context, subject: str) -> bool:
    """Return whether an argument of `verify` means an image in a registry.

    Raises:
        UserError: it is nothing that can be verified, or could be two things.
    """
    return find_subject(context, subject).kind is SubjectKind.REGISTRY


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
    if options.key and subject.kind not in _SIGNED:
        raise UsageError(
            "an environment has no signature of its own",
            hint="use `--key` with a channel, a bundle, a lock or REGISTRY/NAME:TAG",
        )
    tell = on_subject or (lambda _subject, _where: None)
    match subject.kind:
        case SubjectKind.ENVIRONMENT | SubjectKind.PREFIX:
            return _verify_prefix(context, options, subject, tell)
        case SubjectKind.REGISTRY:
            return _verify_registry(context, options, subject, tell)
        case SubjectKind.CHANNEL:
            return _verify_channel(context, options, subject, tell)
        case SubjectKind.LOCK:
            return _verify_lock(context, options, subject, tell)
        case _:
            return _verify_layout(context, options, subject, tell)


def _verify_prefix(context: Context, options: VerifyOptions, subject: VerifySubject, tell: _Tell) -> Verified:
    prefix = _prefix(context, options, subject)
    tell(subject, str(prefix))
    spec = _spec_of_prefix(context, options, subject, prefix)
    found = _compare_prefix(context, prefix, spec, quick=options.quick)
    return Verified(kind=subject.kind, where=str(prefix), comparisons=(found,))


def _compare_prefix(context: Context, prefix: Path, spec: EnvSpec, *, quick: bool) -> LockComparison:
    platform = probe_host().platform
    if not is_own(prefix):
        if spec.image and is_taken_from_image(prefix, spec.image.prefix):
            return compare_tree(context, prefix, spec, platform)
        prefix = prefix.resolve()  # what Nix built names its path in the store, which people see through a link
    pair = require_lock(context, spec, platform)
    variables, name = env_at(spec.env, str(prefix)), shown_name(context, prefix, spec.name)
    return compare_prefix(context, prefix, pair, variables=variables, name=name, quick=quick)


def _verify_layout(context: Context, options: VerifyOptions, subject: VerifySubject, tell: _Tell) -> Verified:
    """Compare a bundle or an image, which may be one tar."""
    path = subject.path or context.directory
    reader = None if is_image(path) else open_layout(path)
    if reader and is_bundle(reader):
        tell(replace(subject, kind=SubjectKind.BUNDLE), str(path))
        key = read_public_key(context.directory / options.key) if options.key else None
        bundled = compare_bundle(context, reader, env=options.env, quick=options.quick, key=key)
        return Verified(kind=SubjectKind.BUNDLE, where=str(path), comparisons=bundled)
    if options.key:
        raise UsageError(
            f"the image `{path}` has no signature of its own",
            hint="images are signed in their registry: `envgen verify REGISTRY/NAME:TAG --key PUB`",
        )
    tell(subject, str(path))
    if reader is None:
        found = _compare_image(context, options, path)
    else:
        with context.store.view() as folder:
            unpack(reader, folder, context.reporter)
            found = _compare_image(context, options, folder)
    return Verified(kind=subject.kind, where=str(path), comparisons=found)


def _compare_image(context: Context, options: VerifyOptions, directory: Path) -> tuple[LockComparison, ...]:
    spec = select(context.root, options.env or _named_in(context, names_of(directory)))
    return compare_layout(context, directory, spec, quick=options.quick)


def _verify_lock(context: Context, options: VerifyOptions, subject: VerifySubject, tell: _Tell) -> Verified:
    """Verify the signature of a lock, and of the spec with it."""
    path = subject.path or context.root
    if options.key is None:
        raise UsageError(
            f"`{path}` is a lock, which other things are compared with", hint="`--key PUB` verifies its signature"
        )
    spec, pair = locked(context, path)
    tell(subject, str(path))
    key, where = read_public_key(context.directory / options.key), context.relative(pair.path)
    why = reason_against(context, spec, pair, key)
    findings = () if why is None else (Deviation(kind=Kind.SIGNATURE, where=where, what=why),)
    compared = LockComparison(lock=where, compared="both lock files and the spec, signed by the key", findings=findings)
    return Verified(kind=subject.kind, where=where, comparisons=(compared,))


def _verify_channel(context: Context, options: VerifyOptions, subject: VerifySubject, tell: _Tell) -> Verified:
    address = subject.text if subject.path is None else str(subject.path)
    tell(subject, without_secrets(address))
    spec = select(context.root, options.env)
    pairs = [pair for platform in spec.targets if (pair := find_lock(context, spec, platform))]
    if not pairs:
        raise LockError(f"`{spec.name}` has no lock", hint="run `envgen lock`")
    key = read_public_key(context.directory / options.key) if options.key else None
    view = _view(context, address, quick=options.quick)
    found = tuple(compare_channel(context, view, pair, key=key) for pair in pairs)
    return Verified(kind=subject.kind, where=without_secrets(address), comparisons=found)


def _view(context: Context, address: str, *, quick: bool) -> ChannelView:
    if address.startswith(("http://", "https://")):
        return web_view(context, address, quick=quick)
    channel = open_channel(context, address)
    if isinstance(channel, FolderChannel):
        return folder_view(channel, quick=quick)
    return written_view(channel)


def _verify_registry(context: Context, options: VerifyOptions, subject: VerifySubject, tell: _Tell) -> Verified:
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
