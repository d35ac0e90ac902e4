"""Where the files of a wheel go in a prefix, and the scripts that its entry points become.

Source: the wheel specification (binary distribution format) and the schemes of `sysconfig` for a Unix prefix.
"""

from __future__ import annotations

import configparser
import itertools
import re
from typing import TYPE_CHECKING

from installer.utils import parse_entrypoints
from msgspec import Struct

from envgen.convert.package import PLACEHOLDER
from envgen.convert.wheel_record import WRITTEN_BY_INSTALLERS
from envgen.errors import ArtifactError
from envgen.names import project_name
from envgen.paths import are_plain, parse_prefix_path
from envgen.wheels import is_version_of_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from envgen.packages import Wheel
    from envgen.platforms import PythonMinor

SHEBANG = f"#!{PLACEHOLDER}/bin/python".encode()
"""First line of scripts. Linking puts the prefix in; where the line gets longer than kernels took before Linux 5.1 (127
bytes), rattler writes a `/bin/sh` line that starts the same Python, and conda `#!/usr/bin/env python`."""

_LICENSE = re.compile(
    r"(licen[cs]es?/.+|license_files/.+|(licen[cs]e|copying|notice|authors|eula)[^/]*)", re.IGNORECASE
)
_SHARED_LIBRARY = re.compile(r"(?P<stem>.+?\.so)(\.\d+)*")
_LINK_SCRIPT = re.compile(r"bin/\.[^/]*-(pre|post)-(un)?link\.sh")

_SCRIPT = """\
# -*- coding: utf-8 -*-
import re
import sys
from {module} import {name}
if __name__ == "__main__":
    sys.argv[0] = re.sub(r"(-script\\.pyw|\\.exe)?$", "", sys.argv[0])
    sys.exit({attrs}())
"""


class WheelLayout(Struct, frozen=True, kw_only=True):
    """How one wheel's members map to a prefix.

    Attributes:
        stem: `name-version` as the dist-info folder has it.
        python: the minor version, which names site-packages.
        what: name of the wheel for messages.
        data: name of the data folder where it is spelled otherwise than the dist-info folder.
        linked: envgen made it to link a project for work, with the `direct_url.json` that says so.
    """

    stem: str
    python: PythonMinor
    what: str
    data: str | None = None
    linked: bool = False

    @property
    def dist_info(self) -> str:
        """Name of the dist-info folder."""
        return f"{self.stem}.dist-info"

    @property
    def data_folder(self) -> str:
        """Name of the folder whose content goes to other places than site-packages."""
        return self.data or f"{self.stem}.data"

    def installed_info(self, name: str) -> str:
        """Return the installed path of a file of dist-info."""
        return f"{self.python.site_packages}/{self.dist_info}/{name}"

    def place(self, member: str) -> str | None:
        """Return where a member goes, relative to the prefix; None for what is not installed.

        Conda's link scripts are not: intel-opencl-rt brings one along, which no wheel installer would ever run.

        Raises:
            ArtifactError: the wheel format has no such place, conda keeps it for itself, or it is no clean path.
        """
        top, _, rest = member.partition("/")
        if top == self.dist_info and rest in WRITTEN_BY_INSTALLERS and not (self.linked and rest == "direct_url.json"):
            return None
        if top == self.data_folder:
            path = self._scheme_path(member, *rest.partition("/")[::2])
        else:
            path = f"{self.python.site_packages}/{member}"
        try:
            parse_prefix_path(path)  # names were checked long before: this is the second wall
        except ValueError as e:
            raise ArtifactError(f"`{member}` in `{self.what}` would be installed at {path!r}: {e}") from e
        if path.partition("/")[0] == "info":
            raise ArtifactError(
                f"`{member}` in `{self.what}` would be installed at `{path}`, which is reserved for conda"
            )
        return None if _LINK_SCRIPT.fullmatch(path) else path

    def places(self, members: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield each member that is installed, and where it goes; see `place`."""
        special, site = (self.dist_info, self.data_folder), self.python.site_packages
        plain = are_plain([*members])
        for member in members:
            if plain and member.partition("/")[0] not in special:
                yield member, f"{site}/{member}"  # nothing that `place` looks for can be in it
            elif path := self.place(member):
                yield member, path

    def is_script(self, member: str) -> bool:
        """Return whether a member is a script, whose first line may ask for the environment's Python."""
        return member.startswith(f"{self.data_folder}/scripts/")

    def license_names(self, members: Iterable[str]) -> dict[str, str]:
        """Name the licence texts among members: member -> name below `info/licenses/`.

        That is its path in dist-info without `licenses/` or `license_files/`, as long as no two texts then get one
        name, or one the name of another's folder: with it otherwise, for all of them.
        """
        start = f"{self.dist_info}/"
        texts = [member for member in members if member.startswith(start)]
        full = {member: name for member in texts if _LICENSE.fullmatch(name := member.removeprefix(start))}
        short = {m: name.removeprefix("licenses/").removeprefix("license_files/") for m, name in full.items()}
        return full if _clash(short.values()) else short

    def _scheme_path(self, member: str, scheme: str, rest: str) -> str:
        match scheme:
            case "purelib" | "platlib" if rest:
                return f"{self.python.site_packages}/{rest}"
            case "scripts" if rest:
                return f"bin/{rest}"
            case "headers" if rest:
                # as in every virtual environment: `include/python3.11` belongs to Python, and may be a link (Debian)
                return f"include/site/python{self.python}/{self.stem.rpartition('-')[0]}/{rest}"
            case "data" if rest:
                return rest
        raise ArtifactError(f"`{member}` in `{self.what}`: the wheel format has no scheme `{scheme}`")


def _clash(paths: Iterable[str]) -> bool:
    """Return whether two paths are one on some file system, or one is a folder of another."""
    found = [path.casefold() for path in paths]
    folders = {above for path in found for above in itertools.accumulate(path.split("/")[:-1], "{}/{}".format)}
    return len(set(found)) < len(found) or not folders.isdisjoint(found)


def find_stem(members: Iterable[str], wheel: Wheel) -> str:
    """Return `name-version` as the wheel's one dist-info folder spells it.

    Raises:
        ArtifactError: there is no such folder, more than one, or that of another project or version.
    """
    stems = _top_folders(members, ".dist-info")
    if len(stems) != 1:
        folders = [f"{stem}.dist-info" for stem in stems]
        raise ArtifactError(f"`{wheel.filename}` has {len(stems)} dist-info folders, expected one: {folders}")
    if not _is_stem_of(stems[0], wheel):
        raise ArtifactError(f"`{wheel.filename}` contains `{stems[0]}`, expected {wheel.project} {wheel.version}")
    return stems[0]


def find_data(members: Iterable[str], wheel: Wheel) -> str | None:
    """Return the name of the wheel's data folder, which need not be spelled as dist-info is; None without one.

    pip takes every top folder that ends in `.data` for one, so none of them is a part of site-packages.

    Raises:
        ArtifactError: there are several, or that of another project or version.
    """
    stems = _top_folders(members, ".data")
    for stem in stems:
        if not _is_stem_of(stem, wheel):
            raise ArtifactError(
                f"`{wheel.filename}` contains `{stem}.data`, expected a folder for {wheel.project} {wheel.version}"
            )
    if len(stems) > 1:
        raise ArtifactError(f"`{wheel.filename}` has {len(stems)} data folders, expected one: {', '.join(stems)}")
    return f"{stems[0]}.data" if stems else None


def _top_folders(members: Iterable[str], ending: str) -> list[str]:
    """List the top folders with an ending, without it, sorted."""
    tops = {name.partition("/")[0] for name in members if f"{ending}/" in name}
    return sorted(top.removesuffix(ending) for top in tops if top.endswith(ending))


def _is_stem_of(stem: str, wheel: Wheel) -> bool:
    name, _, version = stem.rpartition("-")
    return project_name(name) == wheel.project and is_version_of_file(version, wheel.version)


def entry_point_scripts(raw: bytes, *, what: str) -> dict[str, bytes]:
    """Write the scripts of `entry_points.txt`: path in the prefix -> content, with `SHEBANG`.

    The template is ours and not a library's, since its bytes are part of what a wheel becomes.

    Raises:
        ArtifactError: the file is malformed, or an entry point is not a plain file name.
    """
    scripts = {}
    try:
        for name, module, attrs, _section in parse_entrypoints(raw.decode("utf-8")):
            if name in ("", ".", "..") or not name.isprintable() or {"/", "\\"} & set(name):
                raise ArtifactError(f"entry point {name!r} of `{what}` is not a file name")
            code = _SCRIPT.format(module=module, name=attrs.partition(".")[0], attrs=attrs)
            scripts[f"bin/{name}"] = SHEBANG + b"\n" + code.encode()
    except (configparser.Error, UnicodeDecodeError, AssertionError) as e:  # installer asserts what it parses
        raise ArtifactError(f"`entry_points.txt` of `{what}` is malformed: {e}") from e
    return scripts


def relocate_script(head: bytes) -> bytes | None:
    """Replace a first line `#!python` (or `#!pythonw`), as the wheel format asks; None where there is none.

    Args:
        head: the beginning of a script, with its first line.
    """
    if not head.startswith(b"#!python"):
        return None
    _line, newline, rest = head.partition(b"\n")
    return SHEBANG + newline + rest


def library_family(path: str) -> str | None:
    """Name what the versions of one shared library share: `lib/libccl.so` for `lib/libccl.so.1.0`; None for others."""
    found = _SHARED_LIBRARY.fullmatch(path) if ".so" in path else None
    return found["stem"] if found else None
