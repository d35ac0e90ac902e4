"""A channel in a registry, as rattler and pixi read it (`oci://`): one artifact a package, one for each index.

`oci://HOST/PATH/<subdir>/<name>`, tag `<version>-<build>`, holds an archive as a layer of the type
`application/vnd.conda.package.v2`; names that begin with `_` get `zzz` before it, and tags have `__p__` for `+`,
`__e__` for `!`, `__eq__` for `=` (rattler: `rattler_networking/src/oci_middleware.rs`). Indexes are at
`<subdir>/repodata.json`, tag `latest`.

Registries have no conditional writes. What is in an index is therefore read again after it was written, and written
again where another publisher's index took its place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import zstandard

from envgen.bundle.parts import BundleArtifact, BundledFile, file_part
from envgen.bundle.write import Bundle, write_folder
from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.errors import NetworkError
from envgen.oci.attach import attach
from envgen.oci.layout import MANIFEST, REF_NAME, descriptor
from envgen.oci.push import Reference, copy, fetch_manifest, fetch_raw_manifest, pull
from envgen.oci.referrer import digest_of
from envgen.oci.registry import CONDA_ARCHIVE, SCHEME, channel_place
from envgen.publish.channel import OtherBytesError
from envgen.sign.artifacts import referrer
from envgen.sign.images import attached_bundles
from envgen.sign.packages import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from envgen.convert.conda_archive import CondaArchive
    from envgen.publish.archives import PackedPackage
    from envgen.sign.images import Registry
    from envgen.system.store import Store

_INDEX = "application/vnd.conda.info.index.v1+json"
_REPODATA = "application/vnd.conda.repodata.v1+json"
_LATEST = "latest"
_TRIES = 5
"""How often an index is written again where another publisher's took its place."""

_LARGEST = 1 << 30
"""Bytes of repodata."""


@dataclass(slots=True, kw_only=True)
class OciChannel:
    """A channel in a registry.

    Attributes:
        address: `oci://HOST/PATH`.
        store: has room for layouts.
        registry: how it is reached.
        added: subdir -> file name -> record, of what was put and is to be indexed.
        notes: what there was to tell of attestations.
    """

    address: str
    store: Store
    registry: Registry
    added: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Its address in a message."""
        return self.address

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of the process, by which `skopeo` finds logins."""
        return self.registry.environment

    def find(self, package: PackedPackage) -> Sha256 | None:
        """Read which archive the manifest of a package names."""
        reference = self._place(package)
        manifest = fetch_manifest(reference, f":{reference.tag}", self.environment)
        layers = manifest.get("layers", []) if manifest else []
        found = next((layer["digest"] for layer in layers if layer.get("mediaType") == CONDA_ARCHIVE), None)
        if found is None:
            return None
        sha, size = Sha256.parse(found), next(layer["size"] for layer in layers if layer["digest"] == found)
        self._note(package, {"sha256": sha, "size": size})
        return sha

    def put(self, package: PackedPackage, file: Path, archive: CondaArchive) -> None:
        """Push a package.

        Raises:
            OtherBytesError: the registry has another one under its tag.
            UserError, NetworkError: see `push`.
        """
        index = json.dumps(dict(package.index), sort_keys=True).encode()
        parts = (
            file_part(package.filename, CONDA_ARCHIVE, archive.sha256, file),
            BundledFile(
                title="info/index.json", media_type=_INDEX, sha256=Sha256.of(index), size=len(index), source=index
            ),
        )
        reference = self._place(package)
        self._push(BundleArtifact(kind=CONDA_ARCHIVE, name="package", parts=parts), reference)
        there = self.find(package)
        if there is not None and there != archive.sha256:
            raise OtherBytesError(package.filename, self.label, there=there, ours=archive.sha256)
        self._note(package, {"sha256": archive.sha256, "md5": archive.md5, "size": archive.size})

    @property
    def claimed_address(self) -> str | None:
        """Its address, by which all readers know it."""
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
            raise NetworkError(f"`{reference}` is gone: another publisher removed it")
        one = referrer(bundle, kind=PUBLISHED, subject=subject, name=f"{package.filename}.attestation")
        retry = replace(self.registry.retry, note=self._tell_once)
        with self.store.view() as folder:
            attach([one], reference, http=self.registry.http, scratch=folder, environment=self.environment, retry=retry)

    def _tell_once(self, note: str) -> None:
        """Tell what holds for every package alike of the first one."""
        if not self.notes:
            self.registry.retry.note(f"{note}; further packages are not named")
        self.notes.append(note)

    def _subject(self, reference: Reference) -> dict[str, Any] | None:
        """Describe the manifest of a package; None where there is none."""
        raw = fetch_raw_manifest(reference, f":{reference.tag}", self.environment)
        return None if raw is None else descriptor(MANIFEST, raw)

    def index(self, subdirs: Collection[str]) -> None:
        """Add what was published to the index of each subdir, and see that it stays there.

        Raises:
            NetworkError: other publishers' indexes took its place again and again.
        """
        for subdir in sorted({"noarch", *subdirs}):
            wanted = self.added.get(subdir, {})
            for _ in range(_TRIES):
                there = self._repodata(subdir)
                records = there or {}
                lacking = {name: one for name, one in wanted.items() if _digest(records.get(name)) != one["sha256"]}
                if there is not None and not lacking:
                    break
                self._write_index(subdir, records | lacking)
            else:
                raise NetworkError(
                    f"the index of `{subdir}` in {self.label} was replaced by other publishers {_TRIES} times",
                    hint="run the same command again: packages that are there are not sent again",
                )

    def _note(self, package: PackedPackage, facts: Mapping[str, Any]) -> None:
        records = self.added.setdefault(package.subdir, {})
        before = records.get(package.filename, {})
        records[package.filename] = {**before, **package.index, **facts}

    def _repodata(self, subdir: str) -> dict[str, dict[str, Any]] | None:
        """Read the records of an index; None where there is none."""
        reference = self._reference(f"{subdir}/repodata.json", _LATEST)
        manifest = fetch_manifest(reference, f":{_LATEST}", self.environment)
        if manifest is None:
            return None
        digest = next((one["digest"] for one in manifest.get("layers", ()) if one.get("mediaType") == _REPODATA), None)
        if digest is None:
            raise NetworkError(f"`{reference}` has no layer of the type `{_REPODATA}`")
        with self.store.view() as folder:
            pull(reference, f":{_LATEST}", folder, self.environment)
            raw = (folder / Sha256.parse(digest)).read_bytes()
        try:
            found: dict[str, dict[str, Any]] = read_json(raw, limit=_LARGEST)["packages.conda"]
        except (ValueError, KeyError, TypeError) as error:
            raise NetworkError(f"`{reference}` is not valid repodata: {error!r}") from error
        return found

    def _write_index(self, subdir: str, records: Mapping[str, Mapping[str, Any]]) -> None:
        document = {
            "info": {"subdir": subdir},
            "packages": {},
            "packages.conda": {name: records[name] for name in sorted(records)},
            "repodata_version": 1,
        }
        raw = json.dumps(document, sort_keys=True).encode()
        packed = zstandard.compress(raw)
        parts = tuple(
            BundledFile(title=title, media_type=kind, sha256=Sha256.of(data), size=len(data), source=data)
            for title, kind, data in (
                ("repodata.json", _REPODATA, raw),
                ("repodata.json.zst", f"{_REPODATA}+zst", packed),
            )
        )
        reference = self._reference(f"{subdir}/repodata.json", _LATEST)
        self._push(BundleArtifact(kind=_REPODATA, name="index", parts=parts), reference)

    def _push(self, artifact: BundleArtifact, reference: Reference) -> None:
        entry = {**artifact.entry, "annotations": {REF_NAME: artifact.name}}
        with self.store.view() as folder:
            write_folder(Bundle(entries=[entry], blobs=artifact.blobs), folder, advance=lambda _: None)
            source = f"oci:.:{artifact.name}"
            copy(source, reference, directory=folder, environment=self.environment, retry=self.registry.retry)

    def _place(self, package: PackedPackage) -> Reference:
        return self._reference(*channel_place(package.subdir, package.name, package.tail))

    def _reference(self, path: str, tag: str) -> Reference:
        found = Reference.parse(f"{self.address.removeprefix(SCHEME)}/{path}")
        return Reference(registry=found.registry, name=found.name, tag=tag)


def _digest(record: Mapping[str, Any] | None) -> str | None:
    return record.get("sha256") if record else None
