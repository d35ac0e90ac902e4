"""SPDX 2.3 as JSON: every package with its package URL, digest, licence and dependencies.

https://spdx.github.io/spdx-spec/v2.3/. The time it must have is an argument, and its namespace follows from its
content: the same lock gives the same bytes.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from envgen.digest import Sha256
from envgen.export.export_input import Exported
from envgen.export.parts import parts_of, top_of, unnamed_indexes
from envgen.licenses import licenses_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envgen.export.export_input import ExportInput, License
    from envgen.export.parts import SbomComponent

_NO = "NOASSERTION"
_ROOT = "SPDXRef-Environment"
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9.-]+")


def render(inputs: ExportInput) -> Exported:
    """Write the packages of one lock."""
    lock = inputs.lock
    parts = parts_of(inputs)
    packages = [_root(inputs), *map(_package, parts)]
    relationships = list(_relationships(parts))
    content = json.dumps([packages, relationships], sort_keys=True)
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{lock.environment}-{lock.platform}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{lock.environment}-{lock.platform}-{Sha256.of(content.encode())}",
        "creationInfo": {
            "created": inputs.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [f"Tool: {'-'.join(inputs.tool)}"],
        },
        "documentDescribes": [_ROOT],
        "packages": packages,
        "relationships": relationships,
        **_extracted(parts),
    }
    return Exported(text=json.dumps(document, indent=2, ensure_ascii=False) + "\n", notes=unnamed_indexes(inputs))


def _root(inputs: ExportInput) -> dict[str, Any]:
    return {
        "SPDXID": _ROOT,
        "name": inputs.lock.environment,
        "downloadLocation": _NO,
        "filesAnalyzed": False,
        "licenseConcluded": _NO,
        "licenseDeclared": _NO,
        "copyrightText": _NO,
        "primaryPackagePurpose": "CONTAINER",
    }


def _package(part: SbomComponent) -> dict[str, Any]:
    checksums = [("SHA256", str(part.sha256)), ("MD5", part.md5)]
    return {
        "SPDXID": _identifier(part.purl),
        "name": part.name,
        "versionInfo": part.version,
        "packageFileName": part.filename,
        "downloadLocation": part.url or _NO,
        "filesAnalyzed": False,
        "checksums": [{"algorithm": name, "checksumValue": digest} for name, digest in checksums if digest],
        "licenseConcluded": _NO,
        "licenseDeclared": _declared(part.license),
        **({"licenseComments": f"in the package's words: {part.license.words}"} if part.license else {}),
        "copyrightText": _NO,
        **({"comment": f"stands for {', '.join(part.stands_for)}"} if part.stands_for else {}),
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": part.purl}
        ],
    }


def _declared(license_: License | None) -> str:
    return (license_.expression if license_ else None) or _NO


def _extracted(parts: Sequence[SbomComponent]) -> dict[str, Any]:
    """Name the licences that SPDX does not list; the text lies in the packages themselves."""
    found = {
        name: part.license.words
        for part in parts
        if part.license and part.license.expression
        for name in licenses_in(part.license.expression)
        if name.startswith("LicenseRef-")
    }
    texts = [
        {"licenseId": name, "extractedText": f"{words}: see the licence files of the package", "name": words}
        for name, words in sorted(found.items())
    ]
    return {"hasExtractedLicensingInfos": texts} if texts else {}


def _relationships(parts: Sequence[SbomComponent]) -> Iterator[dict[str, str]]:
    yield _relation("SPDXRef-DOCUMENT", "DESCRIBES", _ROOT)
    for purl in top_of(parts):
        yield _relation(_ROOT, "DEPENDS_ON", _identifier(purl))
    for part in parts:
        for purl in part.needs:
            yield _relation(_identifier(part.purl), "DEPENDS_ON", _identifier(purl))


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _identifier(purl: str) -> str:
    """Make an identifier of the letters that SPDX allows; the digest keeps two that differ in others apart."""
    name = _NOT_IN_ID.sub("-", purl.partition("?")[0].removeprefix("pkg:"))
    return f"SPDXRef-{name}-{Sha256.of(purl.encode())[:8]}"
