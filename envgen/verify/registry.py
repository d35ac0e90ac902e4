"""An image in a registry against a lock: by its manifest and configuration alone, or pulled and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envgen.digest import Sha256
from envgen.errors import DigestMismatchError, IntegrityError, UserError
from envgen.image.inputs import open_images
from envgen.oci.layout import INDEX, MANIFEST, descriptor, index_of
from envgen.oci.push import fetch_raw_config, fetch_raw_manifest, parse_manifest, pull_layout
from envgen.verify.layout import FoundImage, compare_images, compare_layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.manifest.env_spec import EnvSpec
    from envgen.oci.push import Reference
    from envgen.project.context import Context
    from envgen.verify.findings import LockComparison

_MALFORMED = (AttributeError, TypeError, LookupError, ValueError)
_MANIFESTS = 64
"""Manifests of an index that are looked at; more are refused."""


def compare_registry(
    context: Context, reference: Reference, spec: EnvSpec, *, quick: bool
) -> tuple[LockComparison, ...]:
    """Compare an image in a registry with the locks of an environment.

    Args:
        context: the world.
        reference: of the image.
        spec: of the environment.
        quick: read manifests and configurations, and compare digests of layers with those that were made here.

    Raises:
        LockError: a lock is missing.
        UserError: there is no such image, or the spec has none.
        NetworkError, IntegrityError: the registry cannot be reached, or sends other bytes than it says.
    """
    top = fetch_raw_manifest(reference, f":{reference.tag}", context.environment)
    if top is None:
        raise UserError(f"there is no image `{reference}`", hint="push it first: `envgen image --push`")
    if quick:
        inputs = open_images(context, env=spec.name, platforms=(), frozen=True)
        try:
            found = {image.platform: image for image in _images(context, reference, top)}
        except _MALFORMED as error:
            raise IntegrityError(f"`{reference}` has a malformed manifest: {error}") from error
        return compare_images(context, inputs, found)
    with context.store.view() as folder:
        with context.reporter.progress(f"pulling {reference}", total=None):
            pull_layout(reference, f"@sha256:{Sha256.of(top)}", folder, context.environment)
        kind = INDEX if "manifests" in parse_manifest(top, reference) else MANIFEST
        (folder / "index.json").write_bytes(index_of([descriptor(kind, top)]))
        return compare_layout(context, folder, spec)


def _images(context: Context, reference: Reference, top: bytes) -> Iterator[FoundImage]:
    document = parse_manifest(top, reference)
    if "manifests" not in document:
        yield _image(context, reference, document, f"@sha256:{Sha256.of(top)}")
        return
    if len(document["manifests"]) > _MANIFESTS:
        raise ValueError(f"{len(document['manifests'])} manifests, expected at most {_MANIFESTS}")
    for entry in document["manifests"]:
        which = f"@{entry['digest']}"
        data = _proven(fetch_raw_manifest(reference, which, context.environment), Sha256.parse(entry["digest"]), which)
        yield _image(context, reference, parse_manifest(data, reference), which)


def _image(context: Context, reference: Reference, manifest: Mapping[str, Any], which: str) -> FoundImage:
    raw = fetch_raw_config(reference, which, context.environment)
    data = _proven(raw, Sha256.parse(manifest["config"]["digest"]), f"the configuration of {which}")
    return FoundImage.of_documents(manifest, parse_manifest(data, reference))


def _proven(data: bytes | None, expected: Sha256, what: str) -> bytes:
    got = Sha256.of(data or b"")
    if data is None or got != expected:
        raise DigestMismatchError(what=what, where="the registry", expected=expected, got=got)
    return data
