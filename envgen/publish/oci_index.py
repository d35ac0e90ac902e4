"""The index of a subdir of a channel in a registry, to which several publishers add at once.

Registries have no conditional writes, so an index that is read, extended and written loses what somebody else added in
between, and reading it once more afterwards does not tell. Each publisher therefore first pushes what it adds as a
part of its own, under the tag `part-<digest>` beside `latest`, and then writes the index until it holds every part that
the registry lists. Whoever writes last has listed the parts after all others had pushed theirs.

The manifest of an index names the parts that are in it (`org.envgen.parts`), so that only new ones are read.
"""

from __future__ import annotations

import io
import json
import shutil
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import zstandard
from msgspec import Struct

from envgen.bundle.parts import BundleArtifact, bytes_part
from envgen.bundle.write import Bundle, write_folder
from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.errors import NetworkError
from envgen.oci.layout import named
from envgen.oci.push import Reference, copy, fetch_raw_manifest, list_tags, parse_manifest, pull
from envgen.publish.channel import OtherBytesError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envgen.sign.images import Registry

    Records = Mapping[str, Mapping[str, Any]]

T = TypeVar("T")

_REPODATA = "application/vnd.conda.repodata.v1+json"
_LATEST = "latest"
_PART = "part-"
_PARTS = "org.envgen.parts"
"""Annotation: the digits of the parts in an index, sorted, with blanks between them."""

_DIGITS = 32
_TRIES = 30
"""How often an index is written while others write it."""

_LARGEST = 1 << 30
"""Bytes of repodata."""

HINT = "try again later: what was sent is not sent again"


class RegistryAccess(Struct, frozen=True, kw_only=True):
    """How manifests and artifacts are read from a registry and sent to it."""

    registry: Registry

    def manifest(self, reference: Reference) -> bytes | None:
        """Read a manifest by its tag; None where there is none.

        Raises:
            UserError, NetworkError: see `push`.
        """
        environment = self.registry.environment
        return self._tried(lambda: fetch_raw_manifest(reference, f":{reference.tag}", environment))

    def tags(self, reference: Reference) -> tuple[str, ...]:
        """List the tags of a repository; none where it does not exist.

        Raises:
            UserError, NetworkError: see `push`.
        """
        return self._tried(lambda: list_tags(reference, self.registry.environment))

    def layer(self, reference: Reference, manifest: bytes, media_type: str) -> bytes | None:
        """Read the layer of a type of a manifest, also where its tag has moved on; None where it has no such layer.

        Raises:
            UserError, NetworkError: see `push`.
        """
        out = io.BytesIO()
        return out.getvalue() if self.copy_layer(reference, manifest, media_type, out) else None

    def copy_layer(self, reference: Reference, manifest: bytes, media_type: str, out: BinaryIO) -> bool:
        """Copy the layer of a type of a manifest to an empty file; return whether it has such a layer.

        Raises:
            UserError, NetworkError: see `push`.
        """
        layers = parse_manifest(manifest, reference).get("layers", ())
        digest = next((one["digest"] for one in layers if one.get("mediaType") == media_type), None)
        if digest is None:
            return False
        with self.registry.scratch() as folder:
            which = f"@sha256:{Sha256.of(manifest)}"
            self._tried(lambda: pull(reference, which, folder, self.registry.environment))
            with (folder / Sha256.parse(digest)).open("rb") as stream:
                shutil.copyfileobj(stream, out)
        return True

    def push(self, artifact: BundleArtifact, reference: Reference) -> None:
        """Send an artifact.

        Raises:
            UserError, NetworkError: see `push`.
        """
        entry = named(artifact.entry, artifact.name)
        registry = self.registry
        with registry.scratch() as folder:
            write_folder(Bundle(entries=[entry], blobs=artifact.blobs), folder, advance=lambda _: None)
            source = f"oci:.:{artifact.name}"
            copy(source, reference, directory=folder, environment=registry.environment, retry=registry.retry)

    def _tried(self, once: Callable[[], T]) -> T:
        return self.registry.retry.call(once, hint=HINT)


class _State(Struct, frozen=True, kw_only=True):
    """An index, and which parts are in it."""

    records: Records
    parts: frozenset[str]


class SubdirIndex(Struct, frozen=True, kw_only=True):
    """The index of one subdir.

    Attributes:
        access: to the registry.
        place: `<address>/<subdir>/repodata.json`.
        subdir: the platform, or `noarch`.
        channel: address for messages.
    """

    access: RegistryAccess
    place: Reference
    subdir: str
    channel: str

    def add(self, records: Records) -> None:
        """Add records, and write the index until it holds what all publishers have added.

        Raises:
            OtherBytesError: the index has another archive under the name of one.
            UserError, NetworkError: the registry refuses, or others write without end.
        """
        state = self._read()
        self._refuse_other(state, records)
        if state and all(name in state.records for name in records):
            return
        if records:
            self._push_part(records)
        for _ in range(_TRIES):
            state = self._read()
            self._refuse_other(state, records)
            parts = self._listed()
            if state and parts <= state.parts:
                return
            self._write(state, parts)
        raise NetworkError(
            f"the index of `{self.subdir}` in {self.channel} was replaced by other publishers {_TRIES} times", hint=HINT
        )

    def _refuse_other(self, state: _State | None, ours: Records) -> None:
        for name, record in ours.items():
            there = state.records[name].get("sha256") if state and name in state.records else None
            if there is not None and there != record["sha256"]:
                raise OtherBytesError(name, self.channel, there=Sha256.parse(there), ours=record["sha256"])

    def _write(self, state: _State | None, parts: frozenset[str]) -> None:
        """Write an index with what is in it and with parts; where two name one archive, the first one stays."""
        records = dict(state.records) if state else {}
        for part in sorted(parts - (state.parts if state else frozenset())):
            place = self._tag(f"{_PART}{part}")
            records = {**self._records(place, self.access.manifest(place)), **records}
        raw = self._document(records)
        packed = zstandard.compress(raw)
        artifact = BundleArtifact(
            kind=_REPODATA,
            name="index",
            annotations={_PARTS: " ".join(sorted(parts))},
            parts=(
                bytes_part("repodata.json", _REPODATA, raw),
                bytes_part("repodata.json.zst", f"{_REPODATA}+zst", packed),
            ),
        )
        self.access.push(artifact, self._tag(_LATEST))

    def _push_part(self, records: Records) -> None:
        raw = self._document(records)
        artifact = BundleArtifact(kind=_REPODATA, name="part", parts=(bytes_part("repodata.json", _REPODATA, raw),))
        self.access.push(artifact, self._tag(f"{_PART}{Sha256.of(raw)[:_DIGITS]}"))

    def _listed(self) -> frozenset[str]:
        return frozenset(tag.removeprefix(_PART) for tag in self.access.tags(self.place) if tag.startswith(_PART))

    def _read(self) -> _State | None:
        """Read the index; None where there is none."""
        place = self._tag(_LATEST)
        manifest = self.access.manifest(place)
        if manifest is None:
            return None
        stated = (parse_manifest(manifest, place).get("annotations") or {}).get(_PARTS, "")
        return _State(records=self._records(place, manifest), parts=frozenset(str(stated).split()))

    def _records(self, place: Reference, manifest: bytes | None) -> Records:
        raw = self.access.layer(place, manifest, _REPODATA) if manifest else None
        if raw is None:
            raise NetworkError(f"`{place}` has no layer of the type `{_REPODATA}`")
        try:
            records: Records = read_json(raw, limit=_LARGEST)["packages.conda"]
        except (ValueError, KeyError, TypeError) as error:
            raise NetworkError(f"`{place}` is not valid repodata: {error!r}") from error
        return records

    def _tag(self, tag: str) -> Reference:
        return Reference(registry=self.place.registry, name=self.place.name, tag=tag)

    def _document(self, records: Records) -> bytes:
        document = {
            "info": {"subdir": self.subdir},
            "packages": {},
            "packages.conda": {name: records[name] for name in sorted(records)},
            "repodata_version": 1,
        }
        return json.dumps(document, sort_keys=True).encode()
