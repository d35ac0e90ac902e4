"""Wheels made in memory, right by default and wrong where a test asks for it.

    make_wheel("spam", "1.2", files={"spam/__init__.py": "x = 1\n"}, requires=["ham >=1; extra == 'all'"])

The same arguments give the same bytes.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import warnings
import zipfile
from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.names import project_name
from envgen.packages import Wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Rows = list[tuple[str, str, str]]

FILE, SCRIPT, LINK = 0o100644, 0o100755, 0o120777
"""Unix modes as `modes` takes them."""


def wheel_filename(name: str, version: str = "1.0", tag: str = "py3-none-any") -> str:
    """Name the file of a wheel; `name` is escaped as the wheel format asks."""
    return f"{_escape(name)}-{version}-{tag}.whl"


def make_metadata(  # what METADATA can say, each with a default
    name: str,
    version: str = "1.0",
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    extras: Iterable[str] = (),
    license_files: Iterable[str] = (),
    fields: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Write METADATA."""
    lines = [
        ("Metadata-Version", "2.4"),
        ("Name", name),
        ("Version", version),
        *([("Requires-Python", requires_python)] if requires_python else []),
        *(("Provides-Extra", extra) for extra in extras),
        *(("Requires-Dist", text) for text in requires),
        *(("License-File", path) for path in license_files),
        *fields,
    ]
    return "".join(f"{key}: {value}\n" for key, value in lines).encode()


def make_wheel(
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str | bytes] | None = None,
    data: Mapping[str, str | bytes] | None = None,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    extras: Iterable[str] = (),
    tag: str = "py3-none-any",
    entry_points: Mapping[str, str] | None = None,
    licenses: Mapping[str, str] | None = None,
    fields: Iterable[tuple[str, str]] = (),
    modes: Mapping[str, int] | None = None,
    record: Callable[[Rows], Rows] | None = None,
    unrecorded: Sequence[tuple[str, bytes]] = (),
    wheel_version: str = "1.0",
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """Make a wheel.

    Args:
        name: project name, as METADATA shows it.
        version: PEP 440.
        files: path in site-packages -> content. A path below `{dist-info}/` goes to the dist-info folder,
            where it may replace METADATA or WHEEL.
        data: path below `<name>-<version>.data/`, such as `scripts/run` or `data/lib/libx.so`.
        requires: `Requires-Dist` lines.
        requires_python: `Requires-Python`.
        extras: `Provides-Extra` lines.
        tag: the compressed tag set of the file name (`cp311-cp311-manylinux_2_17_x86_64`).
        entry_points: console script -> `module:function`.
        licenses: path below `dist-info/licenses/` -> text; named by `License-File`.
        fields: further fields of METADATA.
        modes: member name -> Unix mode; `FILE` otherwise.
        record: changes the rows of RECORD (path, hash, size) before they are written.
        unrecorded: members put last, which RECORD does not list; a name may come twice.
        wheel_version: what WHEEL says of the format.
        compression: as `zipfile` has it.
    """
    stem = f"{_escape(name)}-{version}"
    info = f"{stem}.dist-info"
    licenses = licenses or {}
    metadata = make_metadata(
        name,
        version,
        requires=requires,
        requires_python=requires_python,
        extras=extras,
        license_files=licenses,
        fields=fields,
    )
    members = {path.replace("{dist-info}", info): _bytes(content) for path, content in (files or {}).items()}
    members |= {f"{stem}.data/{path}": _bytes(content) for path, content in (data or {}).items()}
    members |= {f"{info}/licenses/{path}": text.encode() for path, text in licenses.items()}
    if entry_points:
        lines = [f"{script} = {target}\n" for script, target in entry_points.items()]
        members[f"{info}/entry_points.txt"] = "".join(["[console_scripts]\n", *lines]).encode()
    members = {f"{info}/METADATA": metadata, f"{info}/WHEEL": _wheel_file(tag, wheel_version), **members}
    rows = [(path, record_hash(content), str(len(content))) for path, content in members.items()]
    rows.append((f"{info}/RECORD", "", ""))
    members[f"{info}/RECORD"] = _render_rows(record(rows) if record else rows)
    return make_zip([*members.items(), *unrecorded], modes=modes or {}, compression=compression)


def make_zip(
    members: Iterable[tuple[str, bytes]],
    *,
    modes: Mapping[str, int] | None = None,
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """Make a zip file of members in this order; names are taken as they are, twice too."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # duplicate names are what some tests are about
        for path, content in members:
            member = zipfile.ZipInfo(path, date_time=(2020, 1, 1, 0, 0, 0))
            member.external_attr = (modes or {}).get(path, FILE) << 16
            member.create_system = 3
            member.compress_type = compression
            archive.writestr(member, content)
    return out.getvalue()


def record_hash(content: bytes) -> str:
    """Digest content as RECORD does: `sha256=` and URL-safe base64 without padding."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"


def locked_wheel(
    raw: bytes,
    name: str,
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    requires: Mapping[str, str] | None = None,
) -> Wheel:
    """Return the lock's entry of a wheel: its digest and what it requires."""
    return Wheel(
        project=project_name(name),
        version=version,
        filename=wheel_filename(name, version, tag),
        sha256=Sha256.of(raw),
        size=len(raw),
        requires={project_name(project): text for project, text in (requires or {}).items()},
    )


def _escape(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").lower()


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _wheel_file(tag: str, version: str) -> bytes:
    python, abi, platforms = tag.split("-")
    tags = [f"Tag: {p}-{abi}-{o}\n" for p in python.split(".") for o in platforms.split(".")]
    purelib = "true" if abi == "none" and platforms == "any" else "false"
    return f"Wheel-Version: {version}\nGenerator: tests\nRoot-Is-Purelib: {purelib}\n{''.join(tags)}".encode()


def _render_rows(rows: Rows) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
