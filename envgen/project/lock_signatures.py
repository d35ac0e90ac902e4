"""Signatures of the locks of a project: which files are signed, and whether one of the required keys signed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.errors import SignatureError
from envgen.lock.debian_lock import debian_file_name
from envgen.oci.layout import TITLE
from envgen.project import shipped
from envgen.sign.keys import read_public_key
from envgen.sign.layouts import is_signed
from envgen.sign.locks import SUFFIX, check_lock, signature_name, signature_pattern
from envgen.sign.statements import StatementError

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec
    from envgen.oci.descriptor import Descriptor
    from envgen.oci.read import LayoutReader
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.sign.keys import PublicKey

_LARGEST = 1 << 20
"""Bytes of a signature that are read; one has 1 kB."""


def lock_digests(context: Context, spec: EnvSpec, pair: LockPair) -> dict[str, Sha256]:
    """Return the lock files of a pair, as they were read: path from the project's root -> digest."""
    found = {context.relative(pair.path): Sha256.of(pair.text.encode())}
    if pair.debian_digest:
        beside = pair.path.with_name(debian_file_name(spec.name, pair.lock.platform))
        found[context.relative(beside)] = pair.debian_digest
    return found


def signed_files(context: Context, spec: EnvSpec, pair: LockPair) -> dict[str, Sha256]:
    """Return what a signature is about: both lock files, and the spec with all that it extends; path -> digest.

    Variables of an environment, and what an image runs, stand in the spec alone.
    """
    texts = {path: (context.root / path).read_bytes() for path in (spec.source, *spec.bases)}
    return {**lock_digests(context, spec, pair), **{path: Sha256.of(text) for path, text in texts.items()}}


def signature_path(context: Context, spec: EnvSpec, platform: Platform, key: PublicKey) -> Path:
    """Return where the signature of a lock by a key is."""
    return context.locks / signature_name(spec.name, platform, key)


def signature_files(context: Context, environment: str, platform: Platform) -> tuple[Path, ...]:
    """Find the signatures of a lock by any key, sorted."""
    return tuple(sorted(context.locks.glob(signature_pattern(environment, platform))))


def require_signature(context: Context, spec: EnvSpec, pair: LockPair) -> None:
    """Refuse a lock that none of the required keys has signed; nothing is refused where no key is required.

    A signature beside the lock counts, and that of a bundle of this run which holds exactly these files.

    Args:
        context: the world; says which keys are required.
        spec: of the lock.
        pair: the lock as it was read.

    Raises:
        SignatureError: it is not signed by any of the keys, or was changed since.
        UserError: a key cannot be read.
    """
    paths = context.required_keys
    if not paths:
        return
    refused = []
    for path in paths:
        key = read_public_key(path)
        why = reason_against(context, spec, pair, key)
        if why is None or any(_is_bundled(context, spec, pair, reader, key) for reader in context.supply.bundles):
            _refuse_other_recipes(context, pair)
            return
        refused.append(f"`{path}`: {why}")
    listed = "".join(f"\n  - {reason}" for reason in refused)
    raise SignatureError(
        f"`{context.relative(pair.path)}` does not have a required signature:{listed}",
        hint=f"have it reviewed and signed by the holder of the key: `envgen sign {spec.name} KEY`",
    )


def reason_against(context: Context, spec: EnvSpec, pair: LockPair, key: PublicKey) -> str | None:
    """Return why a lock does not count as signed by a key beside it; None where it does."""
    path = signature_path(context, spec, pair.lock.platform, key)
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST)
    except FileNotFoundError:
        others = signature_files(context, spec.name, pair.lock.platform)
        listed = ", ".join(f"`{context.relative(other)}`" for other in others)
        return f"no signature, `{context.relative(path)}` is missing" + (f"; there is {listed}" if listed else "")
    except OSError as error:
        return f"`{context.relative(path)}` cannot be read: {error.strerror}"
    try:
        check_lock(data, key, signed_files(context, spec, pair))
    except StatementError as error:
        return f"`{context.relative(path)}`: {error}"
    return None


def _is_bundled(context: Context, spec: EnvSpec, pair: LockPair, reader: LayoutReader, key: PublicKey) -> bool:
    """Return whether a bundle that the key has signed holds exactly these files."""
    wanted = signed_files(context, spec, pair)
    artifacts = (_texts(reader, spec, manifest) for manifest in reader.manifests)
    return any(files == wanted for files in artifacts) and is_signed(reader, key)


def _texts(reader: LayoutReader, spec: EnvSpec, manifest: Descriptor) -> dict[str, Sha256]:
    """Return the lock files and the files of the spec of an artifact of a bundle."""
    titles = {one.annotations.get(TITLE, ""): one.digest for one in reader.descriptors(manifest)}
    return {
        title: digest
        for title, digest in titles.items()
        if title in {spec.source, *spec.bases} or (title.startswith("locks/") and not title.endswith(SUFFIX))
    }


def _refuse_other_recipes(context: Context, pair: LockPair) -> None:
    """Refuse recipes that were changed since they were locked, also with `--frozen`: their code runs.

    Raises:
        SignatureError: there is one.
    """
    there = shipped.recipes(context.root)
    changed = [name for name, digest in pair.lock.recipes.items() if name in there and there[name].digest != digest]
    if changed:
        names = ", ".join(f"`{name}`" for name in sorted(changed))
        raise SignatureError(
            f"the recipes {names} differ from those of the signed lock",
            hint="run `envgen lock`, and have it signed again",
        )
