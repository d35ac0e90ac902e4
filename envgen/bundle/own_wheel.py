"""A wheel of the envgen that runs: no index has it, and a machine without a network needs one.

It has the files that the build backend would put into it, in one order and with one time, so that the same sources
make the same bytes. Format: the binary distribution format of PyPA's specifications.
"""

from __future__ import annotations

import base64
import io
import zipfile
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from envgen import __version__
from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.metadata import parse_metadata
from envgen.project import shipped
from envgen.sources.recipes import recipe_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.metadata import WheelMetadata

_PACKAGE = "envgen"
_DISTRIBUTION = "samebytes"
"""`project.name` of pyproject.toml; `envgen` is another project on the index."""

_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_WHEEL = "Wheel-Version: 1.0\nGenerator: envgen\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_KEPT = (".py", ".toml", ".j2", ".sh", ".asc", ".typed")
_RECORDED = ("METADATA", "entry_points.txt", "licenses/envgen/LICENSE")
"""What is taken from the installed distribution; PEP 639 says where licences are."""


def own_wheel() -> tuple[str, bytes]:
    """Return the file name and the bytes of a wheel of this envgen.

    Raises:
        UserError: it was not installed, so that nothing says what it needs.
    """
    info = f"{_DISTRIBUTION}-{__version__}.dist-info"
    members = {f"{_PACKAGE}/{path}": data for path, data in _package().items()}
    members |= {f"{info}/{name}": text.encode() for name, text in _metadata().items()}
    record = f"{info}/RECORD"
    lines = [f"{path},sha256={_record_digest(data)},{len(data)}" for path, data in sorted(members.items())]
    members[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    return f"{_DISTRIBUTION}-{__version__}-py3-none-any.whl", _zipped(members)


def own_metadata() -> WheelMetadata:
    """Read what envgen says of itself.

    Raises:
        UserError: it was not installed.
    """
    return parse_metadata((_distribution().read_text("METADATA") or "").encode())


def _distribution() -> metadata.Distribution:
    """Find what was recorded of envgen when it was installed.

    Raises:
        UserError: nothing was.
    """
    try:
        return metadata.distribution(_DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise UserError(
            "envgen was not installed, so its requirements are not known",
            hint="install it, for example by `pip install .` in its sources, or leave it out with `--no-tools`",
        ) from error


def _metadata() -> dict[str, str]:
    found = _distribution()
    texts = {name: found.read_text(name) for name in _RECORDED}
    return {"WHEEL": _WHEEL} | {name: text for name, text in texts.items() if text is not None}


def _package() -> dict[str, bytes]:
    """Read the files of the package; specs and recipes that ship stand beside it in a checkout."""
    root = Path(str(files(_PACKAGE)))
    found = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.suffix in _KEPT}
    for name, path in shipped.shipped_specs().items():
        found[f"data/environments/{name}.yaml"] = path.read_bytes()
    for recipe in shipped.shipped_recipes():
        for name in recipe_files(recipe):
            found[f"data/recipes/{recipe.name}/{name}"] = (recipe / name).read_bytes()
    return found


def _record_digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(Sha256.of(data).raw).rstrip(b"=").decode()


def _zipped(members: Mapping[str, bytes]) -> bytes:
    """Write a zip without compression: a bundle is not compressed, and other releases of zlib compress differently."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr, entry.create_system = _MODE, 3
            archive.writestr(entry, members[name])
    return out.getvalue()
