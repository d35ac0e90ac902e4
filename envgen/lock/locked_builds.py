"""How a lock describes wheels that are built: JSON in its metadata, beside the entry of the wheel."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from envgen.builds import (
    REASONS,
    USUAL_TERMS,
    BuildTerms,
    GitSource,
    LocalSource,
    RecipeSources,
    SourceArchive,
    WheelBuild,
)
from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.lock import fields
from envgen.references import FileReference, FolderReference, GitReference, parse_reference
from envgen.structs import replace

if TYPE_CHECKING:
    from envgen.builds import Source
    from envgen.lock.reader import Field
    from envgen.names import ProjectName

_DIGITS = re.compile(r"[0-9a-f]{16}")
_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""Identifiers of git: SHA-1, or SHA-256."""

_KINDS: dict[str, type] = {
    "filename": str,
    "sha256": str,
    "environment": str,
    "files": dict,
    "git": dict,
    "local": str,
    "local-digest": str,
    "source-size": int,
    "subdirectory": str,
    "terms": dict,
    "unconfined": str,
}
_REQUIRED = {"filename", "sha256", "environment", "files"}


def facts_of(made: WheelBuild, *, filename: str, sha256: Sha256) -> dict[str, Any]:
    """Return what an entry's URL and digest do not say of a wheel that is built."""
    return {
        "filename": filename,
        "sha256": str(sha256),
        "environment": made.environment,
        "files": dict(made.files),
        **_source(made.source),
        **({"terms": _terms(made.terms)} if made.terms != USUAL_TERMS else {}),
        **({"unconfined": made.unconfined} if made.unconfined else {}),
    }


def sources_facts(sources: RecipeSources) -> dict[str, Any]:
    """Return what a lock says of the folders that a recipe builds from."""
    return {"paths": list(sources.paths), **({"digest": str(sources.pinned)} if sources.pinned else {})}


def parse_sources(text: str) -> RecipeSources:
    """Read what `sources_facts` returns.

    Raises:
        ValueError: it is something else.
    """
    match read_json(text):
        case {"paths": [*paths], **rest} if rest.keys() <= {"digest"} and all(map(_is_folder, paths)):
            pinned = Sha256.parse(str(rest["digest"])) if rest else None
            return RecipeSources(paths=tuple(paths), pinned=pinned)
    raise ValueError("expected folders of the project")


def _is_folder(path: object) -> bool:
    return isinstance(path, str) and isinstance(parse_reference(path), FolderReference)


def _terms(terms: BuildTerms) -> dict[str, Any]:
    return {**terms.reasons, **({"variables": dict(terms.variables)} if terms.variables else {})}


def _read_terms(listed: Field, found: dict[str, Any]) -> BuildTerms:
    node = replace(listed, value=found, path=f"{listed.path}: terms")
    variables = node.find("variables")
    reasons = {key: node.get(key).text() for key in REASONS if key in found}
    return BuildTerms(**reasons, variables=variables.texts() if variables else {})


def _source(source: Source) -> dict[str, Any]:
    match source:
        case GitSource():
            return {"git": {"reference": source.reference, "tree": source.tree}}
        case LocalSource():
            pinned = {"local-digest": str(source.pinned)} if source.pinned else {}
            return {"local": source.path, **pinned}
        case SourceArchive():
            size = {} if source.size is None else {"source-size": source.size}
            return {**size, **({"subdirectory": source.subdirectory} if source.subdirectory else {})}


def parse_facts(text: str) -> dict[str, Any]:
    """Read the JSON; the types of its values are checked, `build_of` checks what they mean.

    Raises:
        ValueError: it is not what `facts_of` returns.
    """
    found = read_json(text)
    if not isinstance(found, dict):
        raise ValueError(f"expected a mapping, got {found!r}")  # noqa: TRY004  what `Field.parsed` makes a complaint of
    for key, value in found.items():
        if key not in _KINDS or not isinstance(value, _KINDS[key]) or isinstance(value, bool):
            raise ValueError(f"`{key}` is {value!r}, which is not known")
    if missing := _REQUIRED - found.keys():
        raise ValueError(f"`{min(missing)}` is missing")
    if not all(isinstance(digits, str) and _DIGITS.fullmatch(digits) for digits in found["files"].values()):
        raise ValueError("`files` has a value that is not the first digits of a sha256")
    return found


def build_of(listed: Field, sha256: Field, made: dict[str, Any], project: ProjectName) -> WheelBuild:
    """Read how a wheel is built.

    Args:
        listed: URL of the entry; of an archive of an index its file name.
        sha256: of the entry.
        made: from `parse_facts`.
        project: whose wheel it is.

    Raises:
        LockError: a field does not mean anything.
    """
    return WheelBuild(
        source=_read_source(listed, sha256, made, project),
        environment=made["environment"],
        files=made["files"],
        terms=_read_terms(listed, made.get("terms", {})),
        unconfined=made.get("unconfined", ""),
    )


def _read_source(listed: Field, sha256: Field, made: dict[str, Any], project: ProjectName) -> Source:
    digest = sha256.parsed(Sha256.parse)
    if "://" not in listed.text() and not listed.text().startswith("."):
        name = listed.parsed(partial(fields.source_file, project=project))
        return SourceArchive(filename=name, sha256=digest, size=made.get("source-size"))
    match reference := listed.parsed(parse_reference):
        case GitReference():
            return _git(listed, made, reference)
        case FolderReference():
            pinned = replace(listed, value=made.get("local-digest"), path=f"{listed.path}: local-digest")
            files = pinned.parsed(Sha256.parse) if pinned.value is not None else None
            return LocalSource(path=reference.path, declared=digest, pinned=files)
        case FileReference():
            subdirectory = made.get("subdirectory", "")
            return SourceArchive(
                filename=reference.filename,
                sha256=digest,
                size=made.get("source-size"),
                address=reference.url,
                subdirectory=subdirectory,
            )


def _git(listed: Field, made: dict[str, Any], reference: GitReference) -> GitSource:
    git = replace(listed, value=made.get("git"), path=f"{listed.path}: git").texts()
    tree, wanted = git.get("tree", ""), git.get("reference", "")
    if not _OBJECT.fullmatch(tree) or not _OBJECT.fullmatch(reference.reference):
        listed.fail("expected a commit and its tree")
    return GitSource(
        url=reference.url,
        reference=wanted,
        commit=reference.reference,
        tree=tree,
        subdirectory=reference.subdirectory,
    )
