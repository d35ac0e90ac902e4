"""A channel in a registry, as rattler and pixi read it (`oci://`): one artifact a package, one for each index.

`oci://HOST/PATH/<subdir>/<name>`, tag `<version>-<build>`, holds an archive as a layer of the type
`application/vnd.conda.package.v2`; names that begin with `_` get `zzz` before it, and tags have `__p__` for `+`,
`__e__` for `!`, `__eq__` for `=` (rattler: `rattler_networking/src/oci_middleware.rs`). Indexes are at
`<subdir>/repodata.json`, tag `latest`.

Registries have no conditional writes. Packages are therefore looked at before and after they are sent, and again at
the end, for a publisher of other bytes who came between; that the index has other bytes of one tells it, too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

from msgspec import Struct, field

from envgen.bundle.parts import BundleArtifact, bytes_part, file_part
from envgen.digest import Sha256
from envgen.errors import NetworkError
from envgen.oci.attach import attach
from envgen.oci.layout import MANIFEST, descriptor
from envgen.oci.push import Reference, parse_manifest
from envgen.oci.referrer import digest_of
from envgen.oci.registry import CONDA_ARCHIVE, SCHEME, channel_place
from envgen.publish.channel import OtherBytesError
from envgen.publish.oci_index import RegistryAccess, SubdirIndex
from envgen.sign.artifacts import referrer
from envgen.sign.images import attached_bundles
from envgen.sign.packages import PUBLISHED
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from envgen.convert.conda_archive import CondaArchive
    from envgen.publish.archives import PackedPackage
    from envgen.sign.images import Registry

_INDEX = "application/vnd.conda.info.index.v1+json"


class OciChannel(Struct, kw_only=True):
    """A channel in a registry.

    Attributes:
        address: `oci://HOST/PATH`.
        registry: how it is reached.
        added: subdir -> file name -> record, of what was put and is to be indexed.
        sent: what this publisher put.
        notes: what there was to tell of attestations.
    """

    address: str
    registry: Registry
    added: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    sent: list[tuple[PackedPackage, CondaArchive]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Return its address for a message."""
        return self.address

    @property
    def access(self) -> RegistryAccess:
        """Return the registry as manifests and artifacts are read and sent."""
        return RegistryAccess(registry=self.registry)

    def find(self, package: PackedPackage) -> Sha256 | None:
        """Read which archive the manifest of a package names."""
        reference = self._place(package)
        manifest = self.access.manifest(reference)
        layers = parse_manifest(manifest, reference).get("layers", []) if manifest else []
        found = next((layer["digest"] for layer in layers if layer.get("mediaType") == CONDA_ARCHIVE), None)
        if found is None:
            return None
        sha, size = Sha256.parse(found), next(layer["size"] for layer in layers if layer["digest"] == found)
        self._note(package, {"sha256": sha, "size": size})
        return sha

    def fetch(self, package: PackedPackage, out: BinaryIO) -> None:
        """Pull the archive that the manifest of a package names.

        Raises:
            UserError, NetworkError: see `push`.
        """
        reference = self._place(package)
        manifest = self.access.manifest(reference)
        if manifest:
            self.access.copy_layer(reference, manifest, CONDA_ARCHIVE, out)

    def put(self, package: PackedPackage, file: Path, archive: CondaArchive) -> None:
        """Push a package.

        Raises:
            OtherBytesError: the registry has another one under its tag.
            UserError, NetworkError: see `push`.
        """
        index = json.dumps(dict(package.index), sort_keys=True).encode()
        parts = (
            file_part(package.filename, CONDA_ARCHIVE, archive.sha256, file),
            bytes_part("info/index.json", _INDEX, index),
        )
        if not self._has(package, archive):
            self.access.push(BundleArtifact(kind=CONDA_ARCHIVE, name="package", parts=parts), self._place(package))
            self._has(package, archive)
            self.sent.append((package, archive))
        self._note(package, {"sha256": archive.sha256, "md5": archive.md5, "size": archive.size})

    @property
    def claimed_address(self) -> str | None:
        """Return its address, which is the same for all readers."""
        return self.address

    def attestations(self, package: PackedPackage) -> Sequence[bytes]:
        """Read the bundles that refer to the manifest of a package."""
        reference = self._place(package)
        subject = self._subject(reference)
        if subject is None:
            return ()
        return [data for _, data in attached_bundles(self.registry, reference, digest_of(subject))]

    def attest(self, package: PackedPackage, bundle: bytes) -> None:
        """Attach a bundle to the manifest of a package.

        Raises:
            UserError, NetworkError: see `push`.
        """
        reference = self._place(package)
        subject = self._subject(reference)
        if subject is None:
            raise NetworkError(f"`{reference}` was removed by another publisher")
        one = referrer(bundle, kind=PUBLISHED, subject=subject, name=f"{package.filename}.attestation")
        registry = self.registry
        retry = replace(registry.retry, note=self._tell_once)
        with registry.scratch() as folder:
            attach(
                [one],
                reference,
                http=registry.http,
                scratch=folder,
                environment=registry.environment,
                retry=retry,
            )

    def _tell_once(self, note: str) -> None:
        """Report once what holds for every package alike, at the first one."""
        if not self.notes:
            self.registry.retry.note(f"{note}; further packages are not listed")
        self.notes.append(note)

    def _subject(self, reference: Reference) -> dict[str, Any] | None:
        """Describe the manifest of a package; None where there is none."""
        raw = self.access.manifest(reference)
        return None if raw is None else descriptor(MANIFEST, raw)

    def index(self, subdirs: Collection[str]) -> None:
        """Add what was published to the index of each subdir.

        Raises:
            OtherBytesError: another publisher sent other bytes of a package meanwhile.
            UserError, NetworkError: see `push`, or other publishers write without end.
        """
        for subdir in sorted({"noarch", *subdirs}):
            place = self._reference(f"{subdir}/repodata.json", "latest")
            SubdirIndex(access=self.access, place=place, subdir=subdir, channel=self.label).add(
                self.added.get(subdir, {})
            )
        for package, archive in self.sent:
            self._has(package, archive)

    def _has(self, package: PackedPackage, archive: CondaArchive) -> bool:
        """Return whether the registry has a package.

        Raises:
            OtherBytesError: it has another one under its tag.
        """
        there = self.find(package)
        if there is not None and there != archive.sha256:
            raise OtherBytesError(package.filename, self.label, there=there, ours=archive.sha256)
        return there is not None

    def _note(self, package: PackedPackage, facts: Mapping[str, Any]) -> None:
        records = self.added.setdefault(package.subdir, {})
        before = records.get(package.filename, {})
        records[package.filename] = {**before, **package.index, **facts}

    def _place(self, package: PackedPackage) -> Reference:
        return self._reference(*channel_place(package.subdir, package.name, package.tail))

    def _reference(self, path: str, tag: str) -> Reference:
        found = Reference.parse(f"{self.address.removeprefix(SCHEME)}/{path}")
        return Reference(registry=found.registry, name=found.name, tag=tag)
