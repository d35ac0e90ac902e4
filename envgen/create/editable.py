"""Projects of the repository that an environment links to instead of installing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.builds import LocalSource
from envgen.documents import read_json
from envgen.errors import UserError
from envgen.names import project_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from envgen.lock.model import Lock
    from envgen.names import ProjectName
    from envgen.packages import Wheel

_PURE = "-none-any.whl"


def projects_to_link(lock: Lock, names: Iterable[str]) -> frozenset[ProjectName]:
    """Return the projects that a person names.

    Raises:
        UserError: one is not a project of the repository, or has compiled code.
    """
    local = {wheel.project: wheel for wheel in lock.wheels if _folder(wheel)}
    chosen = frozenset(map(project_name, names))
    for project in sorted(chosen):
        if project not in local:
            known = f"those of this environment are `{'`, `'.join(sorted(local))}`" if local else "it has none"
            raise UserError(f"`--editable {project}`: expected a local project of the environment; {known}")
        if not local[project].filename.endswith(_PURE):
            raise UserError(
                f"`--editable {project}`: its wheel `{local[project].filename}` has compiled code, which "
                "cannot be linked",
                hint="remove the option: `envgen create` builds it again if its files changed",
            )
    return chosen


def told_links(lock: Lock, chosen: Iterable[ProjectName], prefix: Path) -> tuple[str, ...]:
    """Return what the user should know: which projects are linked, and which are no longer."""
    local = {wheel.project: wheel for wheel in lock.wheels if _folder(wheel)}
    linked = [
        f"`{project}` is linked to `{_folder(local[project])}`; `envgen create` without `--editable` installs it"
        for project in sorted(chosen)
    ]
    site = prefix / lock.target.python.site_packages
    unlinked = [
        f"`{project}` is installed again: it was linked to `{_folder(wheel)}`"
        for project, wheel in sorted(local.items())
        if project not in chosen and _is_linked(site, wheel)
    ]
    return (*linked, *unlinked)


def _folder(wheel: Wheel) -> str:
    source = wheel.made.source if wheel.made else None
    return source.path if isinstance(source, LocalSource) else ""


def _is_linked(site_packages: Path, wheel: Wheel) -> bool:
    """Return whether an environment has a link to a project, as PEP 610 records it."""
    name, version = wheel.filename.split("-")[:2]
    try:
        found = read_json((site_packages / f"{name}-{version}.dist-info/direct_url.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("dir_info") == {"editable": True}
