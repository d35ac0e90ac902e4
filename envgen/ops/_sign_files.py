"""`sign` of what is on this machine: locks of the project, and bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.bundle.signed import sign_bundle
from envgen.errors import UsageError
from envgen.lock.model import lock_key
from envgen.manifest.select import select
from envgen.oci.read import open_layout
from envgen.project.lock_files import find_lock, reasons_against, require_lock
from envgen.project.lock_signatures import reason_against, signature_path, signed_files
from envgen.sign.locks import sign_lock
from envgen.system.fs import atomic_write
from envgen.system.os_faults import explained
from envgen.verify.bundle import is_bundle
from envgen.verify.subject import SubjectKind

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.sign.keys import Signer
    from envgen.verify.subject import VerifySubject


class SignedFile(Struct, frozen=True, kw_only=True):
    """A file that is signed.

    Attributes:
        what: path of the lock or bundle, as a person knows it.
        signature: path of the file that holds the signature; of a bundle, its own.
        changed: whether it was signed now; the same key has signed the same content before otherwise.
    """

    what: str
    signature: Path
    changed: bool


def sign_files(context: Context, subject: VerifySubject, signer: Signer) -> tuple[SignedFile, ...]:
    """Sign the locks of an environment, one lock, or a bundle.

    Raises:
        LockError: there is no lock, or it cannot be read.
        UserError: the file is not a bundle, or cannot be written.
        UsageError: it is of a kind that has no signature.
        IntegrityError: the bundle is damaged.
    """
    match subject.kind:
        case SubjectKind.ENVIRONMENT:
            spec = select(context.root, subject.text)
            found = [pair for platform in spec.targets if (pair := find_lock(context, spec, platform))]
            pairs = found or [require_lock(context, spec, next(iter(spec.targets)))]
            return tuple(_sign_lock(context, spec, pair, signer) for pair in pairs)
        case SubjectKind.LOCK if subject.path:
            return (_sign_lock(context, *locked(context, subject.path), signer),)
        case SubjectKind.LAYOUT if subject.path:
            return (_sign_bundle(context, subject.path, signer),)
        case _:
            raise UsageError(
                f"a {subject.kind} cannot be signed",
                hint="expected REGISTRY/NAME:TAG, a bundle, a lock or its environment",
            )


def locked(context: Context, path: Path) -> tuple[EnvSpec, LockPair]:
    """Return spec and lock of a lock file of the project.

    Raises:
        UserError: the project has no such spec, or the lock is of another project.
        LockError: the lock cannot be read.
    """
    key = lock_key(path.name)
    if key is None or path.parent != context.locks:
        raise UsageError(f"`{path}` is not a lock of this project", hint=f"locks are in `{context.locks}`")
    spec = select(context.root, key[0])
    return spec, require_lock(context, spec, key[1])


def _sign_lock(context: Context, spec: EnvSpec, pair: LockPair, signer: Signer) -> SignedFile:
    where, target = context.relative(pair.path), signature_path(context, spec, pair.lock.platform, signer.public)
    if reason_against(context, spec, pair, signer.public) is None:
        return SignedFile(what=where, signature=target, changed=False)
    for reason in reasons_against(context, spec, pair, image=spec.image is not None):
        context.reporter.warn(f"`{where}` is signed although it is out of date: {reason}")
    with explained(target.parent):
        atomic_write(target, sign_lock(signed_files(context, spec, pair), signer) + b"\n")
    return SignedFile(what=where, signature=target, changed=True)


def _sign_bundle(context: Context, path: Path, signer: Signer) -> SignedFile:
    reader = open_layout(path)
    if not is_bundle(reader):
        raise UsageError(
            f"`{path}` is not a bundle", hint="an image is signed in its registry: `envgen image --push REF --sign KEY`"
        )
    with context.reporter.progress(f"signing {path.name}", total=sum(reader.blobs.values())) as bar:
        changed = sign_bundle(reader, signer, advance=bar.advance)
    return SignedFile(what=str(path), signature=path, changed=changed)
