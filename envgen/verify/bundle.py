"""A bundle against the locks of the project: every blob, the lock files in it, and every file that a lock names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from envgen.bundle.contents import ENVIRONMENT, PLATFORM, SINCE, project_texts, title_of
from envgen.bundle.parts import LOCK
from envgen.errors import DigestMismatchError, IntegrityError, SignatureError
from envgen.manifest.select import select, spec_files
from envgen.oci.layout import TITLE
from envgen.packages import BuiltPackage
from envgen.platforms import Platform
from envgen.prepare.fetch import files_of
from envgen.project.lock_files import require_lock
from envgen.sign.layouts import verify_layout
from envgen.sign.locks import SUFFIX
from envgen.verify.findings import Deviation, Kind, LockComparison, ordered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.digest import Sha256
    from envgen.oci.descriptor import Descriptor
    from envgen.oci.read import LayoutReader
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.sign.keys import PublicKey


def is_bundle(reader: LayoutReader) -> bool:
    """Return whether a layout is a bundle."""
    return any(reader.document(entry).get("artifactType") == LOCK for entry in reader.manifests)


def compare_bundle(
    context: Context, reader: LayoutReader, *, env: str | None, quick: bool, key: PublicKey | None = None
) -> tuple[LockComparison, ...]:
    """Compare a bundle with the locks of the environments in it.

    Args:
        context: the world.
        reader: of the bundle; that every blob is listed, and has its size, it has compared.
        env: the only environment that counts; all that are in the bundle without.
        quick: do not read the blobs.
        key: that must have signed the bundle.

    Raises:
        LockError: a lock is missing.
        IntegrityError: the bundle has no lock, or none of that environment.
    """
    locks = [entry for entry in reader.manifests if reader.document(entry).get("artifactType") == LOCK]
    every = [one for entry in locks if (one := _compare(context, reader, entry, env=env, quick=quick))]
    if not every:
        raise IntegrityError(f"`{reader.path}` has no lock of `{env}`")
    damage = [*_unsigned(reader, key), *(() if quick else _damaged(context, reader, locks))]
    first = every[0]
    whole = LockComparison(
        lock=first.lock,
        compared=first.compared,
        findings=ordered([*first.findings, *damage]),
        unproven=first.unproven,
        notes=first.notes,
    )
    return (whole, *every[1:])


def _unsigned(reader: LayoutReader, key: PublicKey | None) -> Iterator[Deviation]:
    try:
        if key:
            verify_layout(reader, key)
    except SignatureError as error:
        yield Deviation(kind=Kind.SIGNATURE, where="index.json", what=str(error))


def _compare(
    context: Context, reader: LayoutReader, entry: Descriptor, *, env: str | None, quick: bool
) -> LockComparison | None:
    told: Mapping[str, str] = reader.document(entry).get("annotations", {})
    name, platform = told.get(ENVIRONMENT, ""), told.get(PLATFORM, "")
    if env is not None and name != env:
        return None
    known = {path.stem for path in spec_files(context.root)}
    if name not in known or platform not in set(Platform):
        nobody = Deviation(kind=Kind.PACKAGE, where=f"{name}.{platform}", what="the project has no such lock")
        return LockComparison(lock=f"{name}.{platform}", compared="nothing", findings=(nobody,))
    spec = select(context.root, name)
    pair = require_lock(context, spec, Platform(platform))
    texts = {part.title: part.sha256 for part in project_texts(context, spec, pair)}
    got = {one.annotations.get(TITLE, ""): one.digest for one in reader.descriptors(entry)}
    since = told.get(SINCE)
    how = "digests that the bundle states (contents were not read)" if quick else "every byte"
    return LockComparison(
        lock=context.relative(pair.path),
        compared=f"{len(got)} files, {how}",
        findings=ordered(list(_differences(pair, texts, got, is_delta=since is not None))),
        notes=(*((f"files that `{since}` has are not in this bundle",) if since else ()), *_signatures(texts, got)),
    )


def _signatures(texts: Mapping[str, Sha256], got: Mapping[str, Sha256]) -> Iterator[str]:
    """Yield a note for each signature that only one side has: it is made after the lock, and is not a part of it."""
    for title in sorted(title for title in texts.keys() ^ got.keys() if _is_signature(title)):
        where = "the bundle" if title in got else "the project"
        yield f"only {where} has the signature `{title}`"


def _is_signature(title: str) -> bool:
    return title.startswith("locks/") and title.endswith(SUFFIX)


def _differences(
    pair: LockPair, texts: Mapping[str, Sha256], got: Mapping[str, Sha256], *, is_delta: bool
) -> Iterator[Deviation]:
    files = {title_of(file): file for file in files_of(pair)}
    built = {f"channel/{p.subdir}/{p.filename}": p.sha256 for p in pair.lock.packages if isinstance(p, BuiltPackage)}
    owners = {title: str(file.name) for title, file in files.items()}
    want = {**texts, **{title: file.sha256 for title, file in files.items()}}
    for title, sha in want.items():
        if _is_signature(title):
            continue
        if title in got and got[title] != sha:
            what = f"expected sha256 {sha}, got {got[title]}"
            yield Deviation(kind=Kind.CHANGED, where=title, package=owners.get(title), what=what)
        elif title not in got and not (is_delta and title in files):
            yield Deviation(kind=Kind.MISSING, where=title, package=owners.get(title), what="missing")
    for title in got.keys() - want.keys():
        if built.get(title) != got[title] and not _is_signature(title):
            yield Deviation(kind=Kind.FOREIGN, where=title, what="no file of the lock has this name and digest")


def _damaged(context: Context, reader: LayoutReader, locks: list[Descriptor]) -> Iterator[Deviation]:
    titles = {one.digest: one.annotations.get(TITLE, "") for entry in locks for one in reader.descriptors(entry)}
    with (
        context.reporter.progress(f"reading {reader.path.name}", total=sum(reader.blobs.values())) as bar,
        Path(os.devnull).open("wb") as nowhere,
    ):
        for sha in sorted(reader.blobs):
            try:
                reader.copy(sha, nowhere, advance=bar.advance)
            except DigestMismatchError as error:
                where = titles.get(sha) or f"sha256:{sha}"
                yield Deviation(kind=Kind.DAMAGE, where=where, what=str(error))
