"""`bundle`: locks, and every file that they need, as one file for machines without a network."""

from __future__ import annotations

import random
import sys
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.bundle.contents import lock_artifact
from envgen.bundle.images import image_blobs
from envgen.bundle.signed import signed
from envgen.bundle.since import files_since
from envgen.bundle.tools import tools
from envgen.bundle.write import Bundle, write_folder, write_tar
from envgen.errors import UsageError
from envgen.manifest.select import select
from envgen.oci.layout import named
from envgen.oci.push import Reference, push_index
from envgen.ops._check import refuse_misfits
from envgen.ops._sign import open_key, sign_reference
from envgen.ops._terms import check_terms
from envgen.platforms import PythonMinor, Target
from envgen.prepare.fetch import fetch_files, missing_files
from envgen.prepare.locked_builds import build_for_bundle
from envgen.project import shipped
from envgen.project.lock_files import platforms_of, require_current_lock
from envgen.project.lock_signatures import require_signature
from envgen.system.host import probe_host
from envgen.system.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from envgen.bundle.images import BundledManifest
    from envgen.bundle.parts import BundleArtifact
    from envgen.digest import Sha256
    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.prepare.plan import Artifact
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair

    _Known = Mapping[tuple[str, Platform], frozenset[Sha256]]


class BundleOptions(Struct, frozen=True, kw_only=True):
    """What to bundle, and where it goes.

    Attributes:
        envs: names of specs; the project's only or default one without.
        platforms: whose locks; this machine's without.
        frozen: take locks as they are, without asking whether they are up to date.
        image: also bundle the image of each environment.
        output: a tar, or a folder where it is one or ends with a slash; `dist/ENV.bundle.tar` in the project without.
        since: leave out what this older lock or revision has.
        tool_pythons: minor versions of Python to bundle envgen for; the one that runs without.
        with_tools: whether to bundle envgen itself.
        push: `REGISTRY/NAME:TAG` that the bundle is pushed to; then a file is written only with `output`.
        check: refuse packages that do not fit together, as `check` does.
        sign: key that signs the bundle, and what is pushed, as `sign` takes it.

    Raises:
        UsageError: `image` is given, and `since`.
    """

    envs: Sequence[str] = ()
    platforms: Sequence[Platform] = ()
    frozen: bool = False
    image: bool = False
    output: str | None = None
    since: str | None = None
    tool_pythons: Sequence[str] = ()
    with_tools: bool = True
    push: str | None = None
    check: bool = True
    sign: str | None = None

    def __post_init__(self) -> None:
        if self.image and self.since:
            raise UsageError(
                "`--image` and `--since` cannot be combined",
                hint="images share layers with older ones in a registry: use `envgen image --push`",
            )


class BundlePlan(Struct, frozen=True, kw_only=True):
    """What `bundle` will do.

    Attributes:
        locks: paths of the locks, from the project's root.
        missing: files that neither the store nor a bundle has.
    """

    locks: tuple[str, ...]
    missing: tuple[Artifact, ...]


class BundleResult(Struct, frozen=True, kw_only=True):
    """What `bundle` wrote.

    Attributes:
        path: of the tar or folder; None where it was only pushed.
        digest: of the bundle's index: two bundles of one content have one.
        size: bytes of all files in it.
        artifacts: name -> number of files and bytes of it.
        reference: where it was pushed, or None.
    """

    path: Path | None
    digest: Sha256
    size: int
    artifacts: Mapping[str, tuple[int, int]]
    reference: str | None


class _Output(Struct, frozen=True, kw_only=True):
    path: Path
    is_folder: bool


class _Chosen(Struct, frozen=True, kw_only=True):
    spec: EnvSpec
    pair: LockPair

    @property
    def key(self) -> tuple[str, Platform]:
        """Environment and platform."""
        return self.spec.name, self.pair.lock.platform


def bundle(
    context: Context, options: BundleOptions, *, on_plan: Callable[[BundlePlan], object] | None = None
) -> BundleResult:
    """Write locks and every file that they need into one file, which is an OCI layout.

    Args:
        context: the world.
        options: what to bundle.
        on_plan: called before anything is downloaded.

    Raises:
        LockError: a lock is missing, or not up to date.
        UserError: the spec's `licenses` rejects a package, the key cannot be read, packages do not fit together, the
            output is something else, or `push` is not a reference.
        NetworkError, IntegrityError: as sources, builders and the registry say.
    """
    reference = Reference.parse(options.push) if options.push else None
    signer = open_key(context, options.sign) if options.sign else None
    chosen = _choose(context, options)
    output = _output(context, options, chosen)
    for spec in {one.spec.name: one.spec for one in chosen}.values():
        platforms = [one.pair.lock.platform for one in chosen if one.spec.name == spec.name]
        check_terms(context, spec.name, platforms)
        if options.check:
            refuse_misfits(context, spec, [one.pair for one in chosen if one.spec.name == spec.name])
    known = files_since(context, options.since) if options.since else {}
    if on_plan:
        on_plan(_planned(context, chosen, known))
    with context.store.in_use():
        for one in chosen:
            build_for_bundle(context, one.pair)
            fetch_files(context, one.pair, known=known.get(one.key, ()))
        artifacts = [*_locks(context, options, chosen, known), *_tools(context, options, chosen)]
        with context.store.view() as scratch:
            images = image_blobs(context, [(one.spec, one.pair) for one in chosen], scratch) if options.image else []
            whole = _whole(artifacts, images, start=any(one.name.startswith("envgen.") for one in artifacts))
            written = signed(whole, signer) if signer else whole
            _write(context, written, output)
            if reference:
                pushed = _push(context, whole, reference, scratch / "push")
    if reference and signer:
        sign_reference(context, reference, signer, expected=pushed)
    return BundleResult(
        path=output.path if output else None,
        digest=written.digest,
        size=written.size,
        artifacts={one.name: (len(one.parts), sum(part.size for part in one.parts)) for one in artifacts},
        reference=str(reference) if reference else None,
    )


def _choose(context: Context, options: BundleOptions) -> list[_Chosen]:
    found = []
    for name in options.envs or (None,):
        spec = select(context.root, name)
        for platform in platforms_of(spec, options.platforms or (probe_host().platform,)):
            pair = require_current_lock(context, spec, platform, frozen=options.frozen, image=spec.image is not None)
            require_signature(context, spec, pair)
            found.append(_Chosen(spec=spec, pair=pair))
    return found


def _output(context: Context, options: BundleOptions, chosen: Sequence[_Chosen]) -> _Output | None:
    if options.output:
        path = context.directory / options.output
        return _Output(path=path, is_folder=options.output.endswith("/") or path.is_dir())
    if options.push:
        return None
    names = {one.spec.name for one in chosen}
    name = f"{min(names)}.bundle.tar" if len(names) == 1 else "bundle.tar"
    return _Output(path=context.root / "dist" / name, is_folder=False)


def _planned(context: Context, chosen: Sequence[_Chosen], known: _Known) -> BundlePlan:
    lacking = (file for one in chosen for file in missing_files(context, one.pair, known=known.get(one.key, ())))
    missing = {file.sha256: file for file in lacking}
    return BundlePlan(locks=tuple(context.relative(one.pair.path) for one in chosen), missing=tuple(missing.values()))


def _locks(
    context: Context,
    options: BundleOptions,
    chosen: Sequence[_Chosen],
    known: _Known,
) -> list[BundleArtifact]:
    found = []
    for one in chosen:
        key = one.key
        if options.since and key not in known:
            what = f"`{options.since}` has no lock of `{key[0]}` for {key[1]}"
            context.reporter.note(f"{what}: all of its files are bundled")
        since = options.since if key in known else None
        found.append(lock_artifact(context, one.spec, one.pair, known=known.get(key, ()), since=since))
    return found


def _tools(context: Context, options: BundleOptions, chosen: Sequence[_Chosen]) -> list[BundleArtifact]:
    """Collect envgen for each platform and Python; a delta has none unless it is asked for."""
    if not options.with_tools or (options.since and not options.tool_pythons):
        return []
    asked = options.tool_pythons or (f"{sys.version_info.major}.{sys.version_info.minor}",)
    targets = {
        (python, target.platform): Target(
            platform=target.platform, python=_python(python), glibc=target.glibc, macos=target.macos
        )
        for python in asked
        for target in (one.pair.lock.target for one in chosen)
    }
    return [tools(context, target) for target in targets.values()]


def _python(text: str) -> PythonMinor:
    try:
        return PythonMinor.parse(text)
    except ValueError as error:
        raise UsageError(f"`--tool-python`: {error}", hint="for example: `--tool-python 3.12`") from error


def _whole(artifacts: Sequence[BundleArtifact], images: Sequence[BundledManifest], *, start: bool) -> Bundle:
    entries = [named(one.entry, one.name) for one in artifacts]
    blobs = {sha: part for one in artifacts for sha, part in one.blobs.items()}
    for one in images:
        entries.append(dict(one.entry))
        blobs |= one.blobs
    return Bundle(entries=entries, blobs=blobs, start=shipped.bundle_start() if start else None)


def _write(context: Context, whole: Bundle, output: _Output | None) -> None:
    if output is None:
        return
    with context.reporter.progress(f"writing {output.path.name}", total=whole.size) as bar:
        write = write_folder if output.is_folder else write_tar
        write(whole, output.path, advance=bar.advance)


def _push(context: Context, whole: Bundle, reference: Reference, scratch: Path) -> Sha256:
    with context.reporter.progress(f"pushing {reference}", total=None) as bar:
        write_folder(whole, scratch, advance=lambda _: bar.advance(0))
        retry = RetryPolicy(sleep=time.sleep, jitter=random.random, note=context.reporter.note)
        return push_index(scratch, whole.entries, reference, environment=context.environment, retry=retry)
