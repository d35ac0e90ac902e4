"""Direct references of requirements: `name @ URL`, and paths of the project; what each refers to."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from envgen.digest import Sha256
from envgen.urls import leak

if TYPE_CHECKING:
    from collections.abc import Mapping

_ARCHIVES = (".tar.gz", ".zip", ".tar.bz2", ".tgz")
_SCHEMES = frozenset({"git+https", "git+http", "git+ssh"})
_SCP = re.compile(r"(?:git\+)?[\w.-]+@[\w.-]+:[^/:].*")
"""git's other form of an address of ssh: `git@host:team/project.git`."""

_SUBDIRECTORY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


class FileReference(Struct, frozen=True, kw_only=True):
    """A wheel or source archive at an address.

    Attributes:
        url: without fragment; `./path` for a file of the project.
        sha256: that the reference demands.
        subdirectory: of the archive that holds the project.
    """

    url: str
    sha256: Sha256 | None = None
    subdirectory: str = ""

    @property
    def filename(self) -> str:
        """Name of the file."""
        return unquote(posixpath.basename(urlsplit(self.url).path))

    @property
    def is_wheel(self) -> bool:
        """Return whether it is a wheel, by its name."""
        return self.filename.endswith(".whl")


class GitReference(Struct, frozen=True, kw_only=True):
    """A git repository at a tag, branch or commit.

    Attributes:
        url: for git, without `git+`.
        reference: as written; empty for the default branch.
        subdirectory: of the repository that holds the project.
    """

    url: str
    reference: str
    subdirectory: str = ""


class FolderReference(Struct, frozen=True, kw_only=True):
    """A folder of the project; `path` counts from its root and begins with `./` or `../`."""

    path: str


Reference = FileReference | GitReference | FolderReference


def parse_reference(url: str) -> Reference:
    """Read what stands behind the `@` of a requirement.

    Raises:
        ValueError: it cannot be locked; says why.
    """
    if what := leak(url):
        raise ValueError(f"it contains {what}, which would end up in the lock")
    address, _, fragment = url.partition("#")
    fields = _fragment(fragment)
    if address.startswith("file:"):
        path = address.removeprefix("file:")
        return _local(_relative(f"/{path.lstrip('/')}" if path.startswith("/") else path), fields)
    if address.startswith(("./", "../")):
        return _local(address, fields)
    scheme = urlsplit(address).scheme
    if scheme in _SCHEMES:
        return _git(address, fields)
    if scheme in {"http", "https"}:
        return _file(address, fields)
    if address.startswith("git+file:"):
        raise ValueError("a repository on this machine's disk does not exist elsewhere, expected `git+https://…`")
    if _SCP.fullmatch(address):
        raise ValueError(
            "got the short form of an ssh address, expected `git+ssh://…` with `/` instead of `:` after the host"
        )
    known = "`https://…`, `git+https://…`, `git+ssh://…` or `./path`"
    raise ValueError(f"expected {known}, got {address!r}")


def named_in(url: str) -> str:
    """Return the name in the fragment of a URL, pip's old way to give one (`#egg=NAME[extra]`); empty without."""
    fields = dict(part.partition("=")[::2] for part in url.partition("#")[2].split("&"))
    return fields.get("egg", "").partition("[")[0]


def _local(path: str, fields: Mapping[str, str]) -> Reference:
    clean = posixpath.normpath(path)
    clean = clean if clean.startswith("../") else f"./{clean}"
    if clean.endswith((".whl", *_ARCHIVES)):
        return _file(clean, fields)
    if fields:
        raise ValueError("a folder of the project cannot have a fragment (`#…`)")
    return FolderReference(path=clean)


def _relative(path: str) -> str:
    if path.startswith("/"):
        raise ValueError(f"expected a path from the project's root, `./…`, got the absolute path {path!r}")
    return path if path.startswith(("./", "../")) else f"./{path}"


def _git(address: str, fields: Mapping[str, str]) -> GitReference:
    url, reference = address.removeprefix("git+"), ""
    head, at, tail = url.rpartition("@")
    if at and "/" in urlsplit(head).path:  # `git@host` of ssh has no path before it
        url, reference = head, tail
    if reference.startswith("-"):
        raise ValueError(f"not a tag, branch or commit: {reference!r}")
    return GitReference(url=url, reference=reference, subdirectory=_subdirectory(fields))


def _file(address: str, fields: Mapping[str, str]) -> FileReference:
    sha256 = Sha256.parse(fields["sha256"]) if "sha256" in fields else None
    found = FileReference(url=address, sha256=sha256, subdirectory=_subdirectory(fields))
    if not found.filename.endswith((".whl", *_ARCHIVES)):
        raise ValueError(f"expected a wheel or a source archive, got {found.filename!r}")
    return found


def _subdirectory(fields: Mapping[str, str]) -> str:
    found = fields.get("subdirectory", "")
    if found and not _SUBDIRECTORY.fullmatch(found):
        raise ValueError(f"not a folder: {found!r}")
    return found


def _fragment(text: str) -> dict[str, str]:
    fields = dict(part.partition("=")[::2] for part in text.split("&") if part)
    fields.pop("egg", None)  # pip's old way to give a name
    if unknown := fields.keys() - {"sha256", "subdirectory"}:
        raise ValueError(f"`#{min(unknown)}=` is not known, expected `#sha256=` or `#subdirectory=`")
    return fields
