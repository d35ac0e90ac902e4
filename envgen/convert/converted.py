"""A package that somebody else converted a wheel to, compared with what this release would write of the wheel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envgen.convert.package import read_index
from envgen.convert.wheel import about_wheel, describe
from envgen.documents import read_json
from envgen.errors import ArtifactError
from envgen.names import project_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from envgen.convert.wheel import ConversionTerms
    from envgen.packages import Wheel


def check_converted(
    package_dir: Path, wheel: Wheel, terms: ConversionTerms, *, extras: Collection[str], what: str
) -> None:
    """Compare `info/` of an extracted package with what converting the wheel would write there.

    The sha256 of the wheel is among it. That the files are those of the wheel is not proved by this.

    Args:
        package_dir: the extracted package.
        wheel: what the lock says of the wheel.
        terms: of the environment.
        extras: the extras that `wheel.requires` was locked with.
        what: name of the archive for messages.

    Raises:
        ArtifactError: they differ, or METADATA differs from what is locked.
    """
    metadata, index = describe(_metadata(package_dir, wheel, terms, what), wheel, terms, extras=extras)
    _compare(read_index(package_dir, what=what), index, what=f"`{what}`: `info/index.json`")
    _compare(_about(package_dir, what), about_wheel(wheel, metadata), what=f"`{what}`: `info/about.json`")


def _metadata(package_dir: Path, wheel: Wheel, terms: ConversionTerms, what: str) -> bytes:
    for path in sorted((package_dir / terms.target.python.site_packages).glob("*.dist-info/METADATA")):
        if project_name(path.parent.name.partition("-")[0]) == wheel.project:
            return path.read_bytes()
    raise ArtifactError(f"`{what}` has no METADATA of `{wheel.project}`, expected the package of `{wheel.filename}`")


def _about(package_dir: Path, what: str) -> dict[str, Any]:
    try:
        found = read_json((package_dir / "info/about.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"`{what}`: `info/about.json`: {error}") from error
    return found if isinstance(found, dict) else {}


def _compare(got: Mapping[str, Any], made: Mapping[str, Any], *, what: str) -> None:
    expected = json.loads(json.dumps(made))
    for key in sorted(got.keys() | expected.keys()):
        if got.get(key) != expected.get(key):
            raise ArtifactError(f"{what}: `{key}`: expected {expected.get(key)!r}, got {got.get(key)!r}")
