"""What an argument of `verify` means, found by looking: a folder, a file, an address, or the name of an environment."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import UserError
from envgen.lock.model import lock_key
from envgen.manifest.select import FOLDER
from envgen.oci.layout import MARK
from envgen.oci.push import Reference
from envgen.prefix.conda_meta import META
from envgen.system.home import expand

if TYPE_CHECKING:
    from envgen.project.context import Context

_REPODATA = "repodata.json"
_PATHS = ("/", "./", "../", "~")
"""How a path begins that nobody takes for an image in a registry."""


class SubjectKind(StrEnum):
    """What a subject is."""

    ENVIRONMENT = "environment"
    PREFIX = "prefix"
    LAYOUT = "OCI layout"
    BUNDLE = "bundle"
    REGISTRY = "image in a registry"
    CHANNEL = "channel"
    LOCK = "lock"


class VerifySubject(Struct, frozen=True, kw_only=True):
    """What is verified.

    Attributes:
        kind: of it.
        text: as the user wrote it; "" for the project's only or default environment.
        path: absolute, of what is on this machine; None for addresses and names.
    """

    kind: SubjectKind
    text: str
    path: Path | None = None


def find_subject(context: Context, text: str | None) -> VerifySubject:
    """Find what an argument means.

    Raises:
        UserError: it is nothing that can be verified, or could be two things.
    """
    if text is None:
        return VerifySubject(kind=SubjectKind.ENVIRONMENT, text="")
    if "://" in text:
        return VerifySubject(kind=SubjectKind.CHANNEL, text=text)
    path = context.directory / expand(Path(text), context.home)
    is_name = "/" not in text and (context.root / FOLDER / f"{text}.yaml").is_file()
    kind = _kind(path)
    if kind and is_name:
        raise UserError(
            f"`{text}` is both an environment of the project and the path of a {kind}",
            hint=f"write `./{text}` for the path, or `--env {text}` for the environment",
        )
    if kind:
        return VerifySubject(kind=kind, text=text, path=path)
    if is_name:
        return VerifySubject(kind=SubjectKind.ENVIRONMENT, text=text)
    if path.exists():
        raise UserError(
            f"`{text}` is neither an environment, an OCI layout, a bundle, a channel nor a lock",
            hint=f"expected a folder with `{META}`, `{MARK}` or `{_REPODATA}`, a tar of a layout, or a conda-lock file",
        )
    return _elsewhere(context, text)


def _elsewhere(context: Context, text: str) -> VerifySubject:
    """Return an image where nothing on this machine is meant, else a name."""
    if text.startswith(_PATHS):
        raise UserError(f"there is no file or folder `{text}`")
    if "/" in text:
        return VerifySubject(kind=SubjectKind.REGISTRY, text=str(Reference.parse(text)))
    names = ", ".join(f"`{path.stem}`" for path in sorted((context.root / FOLDER).glob("*.yaml")))
    raise UserError(
        f"`{text}` is neither a path nor an environment of the project",
        hint=f"environments: {names}; an image is written REGISTRY/NAME:TAG",
    )


def _kind(path: Path) -> SubjectKind | None:
    if path.is_file() and lock_key(path.name):
        return SubjectKind.LOCK
    if path.is_file():
        return SubjectKind.LAYOUT if path.suffix == ".tar" else None
    if (path / META).is_dir():
        return SubjectKind.PREFIX
    if (path / MARK).is_file():
        return SubjectKind.LAYOUT
    is_channel = (path / _REPODATA).is_file() or any(path.glob(f"*/{_REPODATA}"))
    return SubjectKind.CHANNEL if is_channel else None
