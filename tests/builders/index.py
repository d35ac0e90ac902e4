"""A wheel index made of bytes: PEP 691 JSON or PEP 503 HTML pages, wheels, and PEP 658 metadata beside them."""

from __future__ import annotations

import datetime as dt
import hashlib
import html
import io
import json
import zipfile
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field
from packaging.utils import canonicalize_name, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UPLOADED = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
"""When everything was uploaded, unless a test says otherwise."""

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "text/html; charset=utf-8"

Style = Literal["json", "html"]
MetadataOffer = Literal["marked", "unmarked", "absent", "promised"]
"""How METADATA is offered beside a wheel: marked on the page and served; served without a mark (as some mirrors do);
neither, so that it must be read out of the wheel; marked but answered with 404."""


class Offer(Struct, frozen=True, kw_only=True):
    """One file of the index."""

    filename: str
    data: bytes
    yanked: str | None
    requires_python: str | None
    uploaded: dt.datetime
    metadata: MetadataOffer
    core_metadata: bytes
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def project(self) -> str:
        return canonicalize_name(self.filename.partition("-")[0])

    @property
    def version(self) -> str:
        if self.filename.endswith(".whl"):
            return str(parse_wheel_filename(self.filename)[1])
        return self.filename.removesuffix(".tar.gz").rpartition("-")[2]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class Index(Struct):
    """A wheel index below `prefix`: pages in `<prefix>/simple/`, files in `<prefix>/files/`."""

    prefix: str = "/pypi"
    style: Style = "json"
    offers: dict[str, Offer] = field(default_factory=dict)

    def add(
        self,
        filename: str,
        data: bytes,
        *,
        yanked: str | None = None,
        requires_python: str | None = None,
        uploaded: dt.datetime = UPLOADED,
        metadata: MetadataOffer = "marked",
        facts: Mapping[str, object] | None = None,
    ) -> Offer:
        """Add a file; the `requires-python` of the page comes from METADATA unless given; `facts` replace members."""
        core = read_metadata(filename, data)
        self.offers[filename] = Offer(
            filename=filename,
            data=data,
            yanked=yanked,
            requires_python=requires_python or BytesHeaderParser().parsebytes(core)["Requires-Python"],
            uploaded=uploaded,
            metadata=metadata,
            core_metadata=core,
            facts=facts or {},
        )
        return self.offers[filename]

    def remove(self, filename: str) -> None:
        """Remove a file."""
        del self.offers[filename]

    def path(self, filename: str) -> str:
        """Return the path of a file on the server."""
        offer = self.offers[filename]
        return f"{self.prefix}/files/{offer.sha256[:8]}/{filename}"

    def site(self) -> dict[str, bytes]:
        """Return the index as path -> body."""
        site = {f"{self.prefix}/simple/": self._root()}
        for project in {o.project for o in self.offers.values()}:
            site[f"{self.prefix}/simple/{project}/"] = self._page(project)
        for offer in self.offers.values():
            site[self.path(offer.filename)] = offer.data
            if offer.metadata in ("marked", "unmarked") and offer.core_metadata:
                site[self.path(offer.filename) + ".metadata"] = offer.core_metadata
        return site

    def content_types(self) -> dict[str, str]:
        """Name the content type of every page."""
        kind = JSON_TYPE if self.style == "json" else HTML_TYPE
        return {path: kind for path in self.site() if path.endswith("/")}

    def _root(self) -> bytes:
        projects = sorted({o.project for o in self.offers.values()})
        if self.style == "json":
            return _json({"meta": {"api-version": "1.1"}, "projects": [{"name": p} for p in projects]})
        return _html(f'<a href="{p}/">{p}</a>' for p in projects)

    def _page(self, project: str) -> bytes:
        offers = sorted((o for o in self.offers.values() if o.project == project), key=lambda o: o.filename)
        if self.style == "html":
            return _html(self._anchor(offer) for offer in offers)
        return _json(
            {
                "meta": {"api-version": "1.1"},
                "name": project,
                "versions": sorted({o.version for o in offers}),
                "files": [self._entry(offer) for offer in offers],
            }
        )

    def _href(self, offer: Offer) -> str:
        return "../../" + self.path(offer.filename).removeprefix(f"{self.prefix}/")

    def _entry(self, offer: Offer) -> dict[str, object]:
        marked = offer.metadata in ("marked", "promised") and offer.core_metadata
        return {
            "filename": offer.filename,
            "url": self._href(offer),
            "hashes": {"sha256": offer.sha256},
            "size": len(offer.data),
            "upload-time": offer.uploaded.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "yanked": False if offer.yanked is None else offer.yanked or True,
            **({"requires-python": offer.requires_python} if offer.requires_python else {}),
            **({"core-metadata": {"sha256": _digest(offer.core_metadata)}} if marked else {}),
            **offer.facts,
        }

    def _anchor(self, offer: Offer) -> str:
        attributes = {"href": f"{self._href(offer)}#sha256={offer.sha256}"}
        if offer.requires_python:
            attributes["data-requires-python"] = offer.requires_python
        if offer.yanked is not None:
            attributes["data-yanked"] = offer.yanked
        if offer.metadata in ("marked", "promised") and offer.core_metadata:
            attributes["data-core-metadata"] = f"sha256={_digest(offer.core_metadata)}"
        text = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
        return f"<a {text}>{offer.filename}</a>"


def read_metadata(filename: str, data: bytes) -> bytes:
    """Return METADATA of a wheel; empty for an sdist."""
    if not filename.endswith(".whl"):
        return b""
    with zipfile.ZipFile(io.BytesIO(data)) as wheel:
        return wheel.read(next(n for n in wheel.namelist() if n.endswith(".dist-info/METADATA")))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json(document: object) -> bytes:
    return json.dumps(document, indent=1).encode()


def _html(anchors: Iterable[str]) -> bytes:
    body = "<br>\n".join(anchors)
    return f"<!DOCTYPE html>\n<html><head><title>Simple index</title></head><body>\n{body}\n</body></html>\n".encode()
