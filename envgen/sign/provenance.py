"""How an image was made: SLSA provenance v1, whose resolved dependencies are the artifacts of the lock.

It has no time and no machine in it, so that the same lock has the same provenance everywhere.

Source: https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envgen import __version__
from envgen.export.purl import debian_purl, package_purl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.digest import Sha256
    from envgen.lock.debian_lock import DebianLock
    from envgen.lock.model import Lock

BUILD_TYPE = "urn:envgen:image:1"
"""What the parameters mean: the lock of `environment` for `platform`, its layers compressed with `compression`."""

BUILDER = "urn:envgen:command-line"


def provenance(
    lock: Lock, debian: DebianLock | None, *, files: Mapping[str, Sha256], compression: str
) -> Mapping[str, Any]:
    """Return the predicate for the image of one platform.

    Args:
        lock: that the image was made from.
        debian: the Debian lock beside it.
        files: path relative to the project -> digest, of spec and locks.
        compression: of the layers.
    """
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "environment": lock.environment,
                "platform": str(lock.platform),
                "compression": compression,
            },
            "resolvedDependencies": [
                *({"name": path, "digest": {"sha256": str(digest)}} for path, digest in sorted(files.items())),
                *_artifacts(lock, debian),
            ],
        },
        "runDetails": {"builder": {"id": BUILDER, "version": {"envgen": __version__}}},
    }


def _artifacts(lock: Lock, debian: DebianLock | None) -> Iterator[Mapping[str, Any]]:
    for package in lock.packages:
        yield _resource(package.filename, package_purl(package), package.sha256)
    for deb in debian.packages if debian else ():
        yield _resource(deb.path.rpartition("/")[2], debian_purl(deb, debian.suites if debian else ()), deb.sha256)


def _resource(name: str, purl: str, sha256: Sha256) -> Mapping[str, Any]:
    return {"name": name, "uri": purl, "digest": {"sha256": str(sha256)}}
