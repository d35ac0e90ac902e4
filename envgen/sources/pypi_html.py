"""Pages of the Simple API as HTML, of mirrors that have no JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bs4.builder import ParserRejectedMarkup
from pypi_simple import RepositoryPage, UnsupportedRepoVersionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypi_simple import Link

MALFORMED = (LookupError, AssertionError, ParserRejectedMarkup, UnsupportedRepoVersionError)
"""What `html_entries` raises of a document of any content, beside a ValueError and a RecursionError."""


def html_entries(body: bytes, *, url: str) -> list[Mapping[str, Any]]:
    """Read the files that a page lists, as PEP 691 spells them.

    Raises:
        ValueError, RecursionError: it is no such page; see `MALFORMED` too.
    """
    return [_as_json(link) for link in RepositoryPage.from_html(body, base_url=url).links]


def _as_json(link: Link) -> Mapping[str, Any]:
    """Write a link as PEP 691 does, whose names PEP 714 gives to both attributes for METADATA."""
    url, _, fragment = link.url.partition("#")
    hashes = dict(part.partition("=")[::2] for part in fragment.split("&"))
    beside = link.get_str_attrib("data-core-metadata")
    beside = link.get_str_attrib("data-dist-info-metadata") if beside is None else beside
    its_algorithm, _, its_digest = (beside or "").partition("=")
    return {
        "filename": link.text,
        "url": url,
        "hashes": hashes,
        "requires-python": link.get_str_attrib("data-requires-python"),
        "yanked": link.get_str_attrib("data-yanked"),
        "core-metadata": {its_algorithm: its_digest} if its_digest else (beside or "").lower() == "true",
    }
