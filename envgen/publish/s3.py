"""A channel in an S3 bucket: `s3://BUCKET/PATH`, also of servers that speak S3.

An archive is claimed before it is sent: the object `<archive>.sha256` is written with a condition
(`If-None-Match: *`), so that of two publishers with other bytes one is refused, and one that broke off can go on. The
index is rattler's, which writes with conditions on the version that it read, and is run again where another publisher
was faster.

Logins are those of the AWS tools: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`,
`AWS_ENDPOINT_URL`.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import urlsplit

from msgspec import Struct, field
from rattler.index import S3Credentials, index_s3

from envgen.digest import Digest, Sha256
from envgen.errors import NetworkError, UserError
from envgen.publish.channel import SIDECAR, OtherBytesError, bundles_of, with_bundle
from envgen.system.rattler_certificates import settle_certificates

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from obstore import UpdateVersion

    from envgen.convert.conda_archive import CondaArchive
    from envgen.publish.archives import PackedPackage

SCHEME = "s3://"
_MULTIPART = 64 << 20
"""Bytes from which an archive is sent in parts, of which few are in memory at once."""

_LONGEST = 300
"""Characters of a reason."""

_BEATEN = re.compile(r"ConditionNotMatch|precondition|\b412\b", re.IGNORECASE)
"""What rattler says where another publisher's index came first."""

_TRIES = 20
"""How often an index or a sidecar is written where other publishers are faster each time."""


class S3Channel(Struct, kw_only=True):
    """A channel in a bucket; see `open_s3`."""

    address: str
    objects: Any
    credentials: S3Credentials
    claimed: dict[str, tuple[str, Sha256]] = field(default_factory=dict)
    """Path of an archive that this publisher claimed -> its name and digest."""

    @property
    def label(self) -> str:
        """Return its address for a message."""
        return self.address

    def find(self, package: PackedPackage) -> Sha256 | None:
        """Return the digest of an archive: that of its claim, else of its bytes."""
        import obstore  # noqa: PLC0415  an extra

        path = f"{package.subdir}/{package.filename}"
        try:
            with _explained(self.address, absent()):
                obstore.head(self.objects, path)
        except absent():
            return None
        return self._claimed(path) or self._digest(path)

    def fetch(self, package: PackedPackage, out: BinaryIO) -> None:
        """Download an archive.

        Raises:
            NetworkError: the bucket cannot be reached, or refuses.
        """
        out.writelines(self._pieces(f"{package.subdir}/{package.filename}"))

    def put(self, package: PackedPackage, file: Path, archive: CondaArchive) -> None:
        """Reserve the name of an archive, and send it.

        Raises:
            OtherBytesError: somebody else has claimed it.
            NetworkError: the bucket cannot be reached, or refuses.
        """
        import obstore  # noqa: PLC0415

        path = f"{package.subdir}/{package.filename}"
        self._claim(path, archive.sha256)
        self.claimed[path] = (package.filename, archive.sha256)
        self._check_claim(path)
        with _explained(self.address):
            obstore.put(self.objects, path, file, use_multipart=archive.size >= _MULTIPART)

    @property
    def claimed_address(self) -> str | None:
        """Return None: a bucket is read by `s3://` and by the address of a server."""
        return None

    def attestations(self, package: PackedPackage) -> Sequence[bytes]:
        """Read the sidecar of an archive.

        Raises:
            OddSidecarError: it is not one.
            NetworkError: the bucket cannot be reached, or refuses.
        """
        raw, _ = self._sidecar(f"{package.subdir}/{package.filename}{SIDECAR}")
        return bundles_of(raw, package.filename, self.address)

    def attest(self, package: PackedPackage, bundle: bytes) -> None:
        """Append to the sidecar, on the condition that it is still the one that was read.

        Raises:
            OddSidecarError: the one that is there is not one.
            NetworkError: the bucket cannot be reached or refuses, or others were faster each time.
        """
        import obstore  # noqa: PLC0415
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415

        path = f"{package.subdir}/{package.filename}{SIDECAR}"
        for _ in range(_TRIES):
            before, version = self._sidecar(path)
            data = with_bundle(before, bundle, package.filename, self.address)
            with suppress(AlreadyExistsError, PreconditionError):
                with _explained(self.address, (AlreadyExistsError, PreconditionError)):
                    obstore.put(self.objects, f"{path}.{Sha256.of(data)}", data)
                    obstore.put(self.objects, path, data, mode="create" if version is None else version)
                return
        raise NetworkError(
            f"the attestations of `{package.filename}` in {self.address} were replaced by other publishers"
            f" {_TRIES} times",
            hint="run the same command again",
        )

    def _sidecar(self, path: str) -> tuple[bytes | None, UpdateVersion | None]:
        """Return the bytes of a sidecar and which version of it they are; None twice where there is none."""
        import obstore  # noqa: PLC0415

        try:
            with _explained(self.address, absent()):
                found = obstore.get(self.objects, path)
                meta: Mapping[str, Any] = found.meta
                version = {key: meta[key] for key in ("e_tag", "version") if meta.get(key) is not None}
                return bytes(found.bytes()), cast("UpdateVersion", version)
        except absent():
            return None, None

    def index(self, subdirs: Collection[str]) -> None:
        """Write `repodata.json`, `.zst` and shards (CEP 16) of all subdirs.

        Raises:
            OtherBytesError: another publisher has claimed an archive meanwhile: the server does not keep conditions.
            NetworkError: it fails, also where it is tried again.
        """
        del subdirs  # rattler finds them
        for path in self.claimed:
            self._check_claim(path)
        settle_certificates()
        for number in range(_TRIES):
            try:
                asyncio.run(index_s3(self.address, self.credentials, write_zst=True, write_shards=True))
            except Exception as error:  # rattler's classes for faults of an index say nothing of them
                if number + 1 == _TRIES or not _BEATEN.search(str(error)):
                    raise NetworkError(f"failed to index {self.address}: {error}") from error
            else:
                return

    def _claim(self, path: str, sha: Sha256) -> None:
        """Reserve a name for a digest, unless it is reserved."""
        import obstore  # noqa: PLC0415
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415

        with suppress(AlreadyExistsError), _explained(self.address, (AlreadyExistsError,)):
            obstore.put(self.objects, f"{path}.sha256", sha.encode(), mode="create")

    def _check_claim(self, path: str) -> None:
        """Read who has claimed an archive: not every server that takes a condition keeps it for requests at once.

        Raises:
            OtherBytesError: another publisher has.
            NetworkError: nobody has any more.
        """
        filename, ours = self.claimed[path]
        there = self._claimed(path)
        if there is None:
            raise NetworkError(f"{self.address}/{path}.sha256 was removed by another publisher")
        if there != ours:
            raise OtherBytesError(filename, self.label, there=there, ours=ours)

    def _claimed(self, path: str) -> Sha256 | None:
        import obstore  # noqa: PLC0415

        try:
            with _explained(self.address, absent()):
                return Sha256.parse(bytes(obstore.get(self.objects, f"{path}.sha256").bytes()).decode().strip())
        except absent():
            return None

    def _digest(self, path: str) -> Sha256:
        """Digest an archive that another program put there."""
        digest = Digest()
        for piece in self._pieces(path):
            digest.update(piece)
        return digest.sha256

    def _pieces(self, path: str) -> Iterator[bytes]:
        import obstore  # noqa: PLC0415

        with _explained(self.address):
            for piece in obstore.get(self.objects, path).stream():
                yield bytes(piece)


@contextmanager
def _explained(address: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Convert the library's errors to ours, but for those that the caller expects."""
    from obstore.exceptions import BaseError  # noqa: PLC0415

    try:
        yield
    except passing:
        raise
    except (BaseError, OSError) as error:
        first = str(error).strip().splitlines()[0][:_LONGEST]
        raise NetworkError(
            f"request for {address} failed: {first}",
            hint="check AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ) from error


def absent() -> tuple[type[Exception], ...]:
    """Return what the library raises where there is no such object."""
    from obstore.exceptions import NotFoundError  # noqa: PLC0415

    return (FileNotFoundError, NotFoundError)


def open_s3(address: str, environment: Mapping[str, str]) -> S3Channel:
    """Open a channel in a bucket.

    Args:
        address: `s3://BUCKET/PATH`.
        environment: of the process.

    Raises:
        UserError: the library for it is not installed, a login is missing, or the address has no bucket.
    """
    try:
        from obstore.store import S3Store  # noqa: PLC0415
    except ImportError as error:
        raise UserError(
            "publishing to S3 needs `obstore`", hint="install envgen with `[s3]`, or `obstore` beside it"
        ) from error
    parts = urlsplit(address)
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not parts.netloc:
        raise UserError(f"expected `s3://BUCKET/PATH`, got {address!r}", hint="for example: `s3://team/channel`")
    if not (key and secret):
        raise UserError(f"no login for {address}", hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    token = environment.get("AWS_SESSION_TOKEN")
    config: dict[str, Any] = {"region": region, "access_key_id": key, "secret_access_key": secret}
    config |= {"session_token": token} if token else {}
    config |= {"endpoint": endpoint} if endpoint else {}
    insecure = (endpoint or "").startswith("http://")
    objects = S3Store(
        parts.netloc, prefix=parts.path.strip("/") or None, client_options={"allow_http": insecure}, **config
    )
    credentials = S3Credentials(
        endpoint_url=endpoint or f"https://s3.{region}.amazonaws.com",
        region=region,
        access_key_id=key,
        secret_access_key=secret,
        session_token=token,
        addressing_style="path" if endpoint else "virtual-host",
    )
    return S3Channel(address=address.rstrip("/"), objects=objects, credentials=credentials)
