"""A folder as a wheel index: wheels side by side or in a folder for each project, as `pip --find-links` takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envgen.errors import NetworkError
from envgen.sources.pypi_json import named
from envgen.sources.pypi_page import SDIST_ENDINGS, ProjectPage, file_project
from envgen.system.file_url import file_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.names import ProjectName


def page_of_folder(base: str, project: ProjectName) -> ProjectPage | str | None:
    """Return what a folder has of a project.

    Args:
        base: `file:` URL of the folder, without a slash at its end.
        project: whose files are wanted.

    Returns:
        The URL of a page of the Simple API where the folder has one for the project, else the page of the files
        that lie in `<folder>/<project>/` or in the folder itself; None where there are none.

    Raises:
        NetworkError: the folder does not exist or cannot be read.
    """
    folder = file_path(base)
    if not folder.is_dir():
        raise NetworkError(f"folder `{folder}` does not exist", hint="check the path")
    own = folder / project
    if (own / "index.html").is_file():
        return f"{base}/{project}/index.html"
    try:
        entries = [*_entries(own, project), *_entries(folder, project)]
    except OSError as error:
        raise NetworkError(f"failed to read folder `{error.filename}`: {error.strerror}") from error
    return ProjectPage(url=f"{base}/", entries=named(entries)) if entries else None


def _entries(folder: Path, project: ProjectName) -> Iterator[dict[str, Any]]:
    """Describe the files of a project as PEP 691 does; nobody knows digests or upload times of them."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        is_listed = "-" in path.name and path.name.endswith((".whl", *SDIST_ENDINGS))
        if is_listed and file_project(path.name) == project and path.is_file():
            yield {"filename": path.name, "url": path.absolute().as_uri(), "size": path.stat().st_size}
