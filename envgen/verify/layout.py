"""An image against a lock: what its layers hold is compared, file by file, with what the packages become."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.errors import DigestMismatchError
from envgen.image.assemble import described, planned
from envgen.image.expected import ExpectedLayer, FileFacts, expected_layers, lacking
from envgen.image.inputs import open_images
from envgen.oci.compress import Compression
from envgen.oci.layer import Layer
from envgen.oci.layout import MARK, MARK_TEXT, REF_NAME, TITLE, blob_bytes, platform_of
from envgen.oci.read import open_layout
from envgen.oci.verify import Limits, read_layout
from envgen.verify.findings import Deviation, Kind, LockComparison, ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envgen.events import Reporter
    from envgen.image.assemble import PlannedImage
    from envgen.image.inputs import ImageInputs
    from envgen.manifest.env_spec import EnvSpec
    from envgen.oci.read import LayoutReader
    from envgen.oci.verify import ReadLayout
    from envgen.project.context import Context

_MISSHAPEN = (AttributeError, TypeError, LookupError, ValueError)
_SHOWN = 3


class FoundImage(Struct, frozen=True, kw_only=True):
    """An image for one platform as its documents have it.

    Attributes:
        platform: OCI's words for it, such as `amd64`.
        config: its configuration.
        layers: their descriptors, lowest first.
        annotations: of the manifest.
    """

    platform: str
    config: Mapping[str, Any]
    layers: tuple[Mapping[str, Any], ...]
    annotations: Mapping[str, str]

    @classmethod
    def of_documents(cls, manifest: Mapping[str, Any], config: Mapping[str, Any]) -> FoundImage:
        """Read a manifest and its configuration.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: they are not what OCI says.
        """
        return cls(
            platform=str(config["architecture"]),
            config=config,
            layers=tuple(dict(layer) for layer in manifest["layers"]),
            annotations=dict(manifest.get("annotations", {})),
        )


class HeldFiles(Struct, frozen=True, kw_only=True):
    """What the layers of a layout hold.

    Attributes:
        files: digest of a blob -> path -> what it is.
        faults: that were met when they were read.
    """

    files: Mapping[str, Mapping[str, FileFacts]]
    faults: tuple[Deviation, ...]

    @classmethod
    def of_read(cls, read: ReadLayout) -> HeldFiles:
        """Return the contents of a layout that was read."""
        files = {blob: {m.name: FileFacts.of_member(m) for m in members} for blob, members in read.layers.items()}
        return cls(files=files, faults=tuple(map(_damage, read.faults)))


def compare_layout(
    context: Context, directory: Path, spec: EnvSpec, *, quick: bool = False
) -> tuple[LockComparison, ...]:
    """Compare the images of a layout with the locks of an environment.

    Args:
        context: the world.
        directory: of the layout.
        spec: of the environment.
        quick: read manifests and configurations alone, and compare digests of layers with those that were made here.

    Raises:
        LockError: a lock is missing.
        UserError: the spec has no image.
        IntegrityError: what is in the store is damaged; with `quick`, the layout is not one.
    """
    inputs = open_images(context, env=spec.name, platforms=(), frozen=True)
    if quick:
        open_layout(directory)
        return compare_images(context, inputs, {image.platform: image for image in _images(directory)})
    images = [one.image for one in inputs]
    limits = Limits(layers=max(image.layers for image in images), size=max(image.layer_size for image in images))
    found = {image.platform: image for image in _images(directory)}
    bar = context.reporter.progress(f"reading {directory.name}", total=blob_bytes(directory))
    # what must be there is found out while what is there is read: the one is Python's work, the other is not
    with bar as shown, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_layout, directory, limits=limits, advance=shown.advance)
        return compare_images(context, inputs, found, read=cache(lambda: HeldFiles.of_read(reading.result())))


def is_image(path: Path) -> bool:
    """Return whether a path is a folder of a layout that no bundle is: one that is damaged, too."""
    manifests = _json(path / "index.json").get("manifests", ()) if path.is_dir() else ()
    return path.is_dir() and not any("artifactType" in entry for entry in manifests if isinstance(entry, dict))


def unpack(reader: LayoutReader, folder: Path, reporter: Reporter) -> None:
    """Write a layout that is a tar into an empty folder; damaged blobs as they are.

    Raises:
        ArtifactError: the tar became shorter meanwhile.
    """
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    (folder / MARK).write_text(MARK_TEXT)
    (folder / "index.json").write_bytes(reader.index)
    with reporter.progress(f"unpacking {reader.path.name}", total=sum(reader.blobs.values())) as bar:
        for sha in reader.blobs:
            with (blobs / sha).open("wb") as out, suppress(DigestMismatchError):
                reader.copy(sha, out, advance=bar.advance)


def names_of(directory: Path) -> tuple[str, ...]:
    """List what the images of a layout are called."""
    manifests = _json(directory / "index.json").get("manifests", ())
    every = [entry.get("annotations") or {} for entry in manifests if isinstance(entry, dict)]
    names = [found.get(TITLE) or found.get(REF_NAME) for found in every]  # archives and older layouts have the latter
    return tuple(str(name).partition(":")[0] for name in names if name)


def compare_images(
    context: Context,
    inputs: Sequence[ImageInputs],
    found: Mapping[str, FoundImage],
    *,
    read: Callable[[], HeldFiles] | None = None,
) -> tuple[LockComparison, ...]:
    """Compare images with the locks of their platforms.

    Args:
        context: the world.
        inputs: what the images must be made of, one for each platform of the spec.
        found: images by OCI's word for their architecture.
        read: returns what the layers hold, and is called when it is known what they must hold; None where layers are
            not read, and digests alone are compared.
    """
    known = {platform_of(one.platform)["architecture"]: one for one in inputs}
    compared = [_compare(context, known[name], image, read) for name, image in found.items() if name in known]
    faults = read().faults if read else ()
    strange = [
        Deviation(kind=Kind.FOREIGN, where=name, what="the spec has no such platform") for name in found.keys() - known
    ]
    if not compared:
        where = context.relative(inputs[0].pair.path)
        nothing = Deviation(kind=Kind.MISSING, where="image", what="no image for a platform of the spec")
        return (LockComparison(lock=where, compared="nothing", findings=ordered([nothing, *faults, *strange])),)
    first = compared[0]
    merged = ordered([*first.findings, *faults, *strange])
    return (_with(first, merged), *compared[1:])


def _with(one: LockComparison, findings: tuple[Deviation, ...]) -> LockComparison:
    return LockComparison(
        lock=one.lock, compared=one.compared, findings=findings, unproven=one.unproven, notes=one.notes
    )


def _compare(
    context: Context, inputs: ImageInputs, found: FoundImage, read: Callable[[], HeldFiles] | None
) -> LockComparison:
    lock = context.relative(inputs.pair.path)
    if lost := lacking(context, inputs):
        return LockComparison(lock=lock, compared="digests and sizes", findings=(), unproven=(_not_stored(lost),))
    try:
        layers = _layers(found)
    except _MISSHAPEN as error:
        fault = Deviation(kind=Kind.DAMAGE, where=found.platform, what=f"malformed manifest: {error}")
        return LockComparison(lock=lock, compared="nothing", findings=(fault,))
    compression = layers[0].compression if layers else Compression.GZIP
    with planned(context, (inputs,), compression=compression) as (plan,):
        findings = list(_documents(found, plan, layers))
        if read is None:
            return _by_digest(lock, plan, layers, findings)
        expected = expected_layers(context, plan)
    held = read().files
    actual = [held.get(layer.digest, {}) for layer in layers]
    findings += compare_layers(actual, expected)
    prefix = plan.environment.prefix
    files = sum(path.startswith(f"{prefix}/") for layer in expected for path in layer.parts)
    return LockComparison(
        lock=lock,
        compared=f"{found.platform}: {len(layers)} layers, {sum(map(len, actual))} files and folders, every byte",
        findings=ordered(findings),
        notes=() if findings else (_same(prefix, len(plan.environment.contents), files),),
    )


def _same(prefix: str, packages: int, files: int) -> str:
    return (
        f"`/{prefix}` equals the environment that `create` makes of this lock, file by file: {packages} packages, "
        f"{files} files; only the path of the environment in files, records of packages and compiled files differ"
    )


def compare_layers(actual: Sequence[Mapping[str, FileFacts]], expected: Sequence[ExpectedLayer]) -> Iterator[Deviation]:
    """Yield how the files of layers differ; of layers in another order, that alone."""
    places = {frozenset(layer.files): number for number, layer in enumerate(expected)}
    for number, (got, want) in enumerate(zip(actual, expected, strict=False)):
        if got.keys() != want.files.keys() and (place := places.get(frozenset(got))) is not None:
            what = f"expected {want.title}, got {expected[place].title}"
            yield Deviation(kind=Kind.LAYER, where=f"layer {number}", what=what)
        else:
            yield from compare_files(got, want)


def compare_files(got: Mapping[str, FileFacts], want: ExpectedLayer) -> Iterator[Deviation]:
    """Yield how files differ: path -> what it is."""
    for path, facts in want.files.items():
        where, part = f"/{path}", want.parts.get(path)
        if path not in got:
            yield Deviation(kind=Kind.MISSING, where=where, package=part, what="missing")
        elif got[path] != facts:
            yield _other(where, part, got[path], facts)
    for path in got.keys() - want.files.keys():
        what = f"a {got[path].kind} that no package of the lock has"
        yield Deviation(kind=Kind.FOREIGN, where=f"/{path}", what=what)


def _other(where: str, part: str | None, got: FileFacts, want: FileFacts) -> Deviation:
    if got.kind != want.kind:
        return Deviation(kind=Kind.LINK, where=where, package=part, what=f"expected a {want.kind}, got a {got.kind}")
    if got.content != want.content:
        kind = Kind.LINK if want.kind == "link" else Kind.CHANGED
        what = "leads to" if want.kind == "link" else "sha256"
        return Deviation(
            kind=kind, where=where, package=part, what=f"{what}: expected {want.content}, got {got.content}"
        )
    what = f"expected mode {want.mode:o} of {want.owner}, got {got.mode:o} of {got.owner}"
    return Deviation(kind=Kind.MODE, where=where, package=part, what=what)


def _documents(found: FoundImage, plan: PlannedImage, layers: Sequence[Layer]) -> Iterator[Deviation]:
    """Compare configuration and annotations with those that layers of these digests must have."""
    if len(layers) != len(plan.layers):
        what = f"{len(layers)} layers, expected {len(plan.layers)}"
        yield Deviation(kind=Kind.LAYER, where=f"{found.platform}: manifest", what=what)
        return
    expected = described(plan, layers)
    pairs = [("configuration", json.loads(expected.config), found.config)]
    pairs += [("annotations", dict(expected.annotations), found.annotations)]
    for name, want, got in pairs:
        for key in sorted(want.keys() | got.keys()):
            if want.get(key) != got.get(key):
                what = f"expected {_brief(want.get(key))}, got {_brief(got.get(key))}"
                yield Deviation(kind=Kind.CHANGED, where=f"{found.platform}: {name}: {key}", what=what)


def _brief(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 200 else f"{text[:200]}..."  # noqa: PLR2004  of a message


def _by_digest(lock: str, plan: PlannedImage, layers: Sequence[Layer], findings: Iterable[Deviation]) -> LockComparison:
    """Compare the digests of layers with those that were made here from the same lock."""
    every = list(findings)
    unknown = []
    for number, (got, want) in enumerate(zip(layers, plan.layers, strict=False)):
        known = plan.known.get(want.key)
        if known is None:
            unknown.append(want.title)
        elif known.digest != got.digest:
            what = f"expected sha256:{known.digest}, got sha256:{got.digest}"
            every.append(Deviation(kind=Kind.LAYER, where=f"layer {number} ({want.title})", what=what))
    told = f"{len(unknown)} layers were never made here: `envgen image` makes them, without `--quick` all is read"
    return LockComparison(
        lock=lock,
        compared=f"manifest and configuration, digests of {len(layers)} layers (contents were not read)",
        findings=ordered(every),
        unproven=(told,) if unknown else (),
    )


def _layers(found: FoundImage) -> list[Layer]:
    diff_ids = found.config["rootfs"]["diff_ids"]
    return [
        Layer(
            digest=Sha256.parse(layer["digest"]),
            size=int(layer["size"]),
            diff_id=Sha256.parse(diff_id),
            unpacked=0,
            compression=next(one for one in Compression if one.media_type == layer["mediaType"]),
        )
        for layer, diff_id in zip(found.layers, diff_ids, strict=True)
    ]


def _images(directory: Path) -> Iterator[FoundImage]:
    """Read the images of a layout; what cannot be read was told as a fault."""
    seen: set[Path] = set()
    waiting = [directory / "index.json"]
    while waiting:
        path = waiting.pop(0)
        if path in seen:  # what is damaged may list itself
            continue
        seen.add(path)
        document = _json(path)
        try:
            waiting += [_blob(directory, entry) for entry in document.get("manifests", ())]
            if "layers" in document:
                yield FoundImage.of_documents(document, _json(_blob(directory, document["config"])))
        except _MISSHAPEN:
            continue


def _blob(directory: Path, entry: Mapping[str, Any]) -> Path:
    return directory / "blobs/sha256" / Sha256.parse(entry["digest"])


def _json(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _damage(fault: str) -> Deviation:
    where, _, what = fault.partition(": ")
    return Deviation(kind=Kind.DAMAGE, where=where, what=what or fault)


def _not_stored(missing: Sequence[str]) -> str:
    some = ", ".join(f"`{name}`" for name in missing[:_SHOWN]) + (" and others" if len(missing) > _SHOWN else "")
    return (
        f"{len(missing)} packages are neither in the cache nor in a bundle ({some}): digests and sizes were compared "
        "with the image's own documents, not with the lock; `envgen image` fetches the packages"
    )
