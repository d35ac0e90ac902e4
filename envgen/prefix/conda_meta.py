"""The records of a prefix, `conda-meta/<name>-<version>-<build>.json`: read, made true, written."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from envgen.documents import read_json
from envgen.errors import IntegrityError
from envgen.paths import RESERVED, check_prefix_paths
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from envgen.prefix.provenance import Provenance

META = RESERVED

HISTORY = f"{META}/history"
"""Conda takes a folder for an environment where this file is (`conda.gateways.disk.test.is_conda_environment`).

It stays empty, as rattler makes it: its lines begin with a time, and what was asked for stands in the records.
"""


_NEXT_FILE = ",\n    "
_BETWEEN = '}, {"_path": '
"""What stands between two entries, `_path` being the first key of each; no text of JSON can hold it, for a quotation
mark in a text has a backslash before it, and the one that ends a text has no letter after it."""

_INDENT = " " * 6
_AFTER_ENTRY = f",\n{_INDENT}"
_NEXT_ENTRY = _BETWEEN.replace(" ", f"\n{_INDENT}", 1)


def record_path(prefix: Path, dist: str) -> Path:
    """Name the record of the package `name-version-build`."""
    return prefix / META / f"{dist}.json"


def record_files(prefix: Path) -> list[Path]:
    """List the records of a prefix, sorted."""
    return sorted((prefix / META).glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    """Read a record as it stands.

    Raises:
        IntegrityError: it is no JSON object, of another package than its name says, or lists a path that is not
            inside the prefix: what it lists is removed with the package.
    """
    try:
        record = read_json(path.read_bytes())
        dist = f"{record['name']}-{record['version']}-{record['build']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"failed to read the record `{path}`: {error!r}", hint="remove the environment and create it again"
        ) from error
    if path.stem != dist:
        raise IntegrityError(
            f"the record `{path}` belongs to another package, `{dist}`",
            hint="remove the environment and create it again",
        )
    try:
        files, paths = list(record.get("files") or ()), [entry["_path"] for entry in paths_of(record)]
        check_prefix_paths(files)
        if paths != files:  # as records that envgen wrote have it: both sorted
            check_prefix_paths(paths)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"the record `{path}` lists a path that no package may have: {error}",
            hint="remove the environment and create it again",
        ) from error
    return dict(record)


def paths_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the path entries of a record; none where another tool left them out."""
    found: list[dict[str, Any]] = (record.get("paths_data") or {}).get("paths", [])
    return found


def normalise(
    prefix: Path,
    *,
    provenance: Mapping[str, Provenance],
    requested: Mapping[str, str],
    only: Iterable[str],
    digests: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Correct records, and return the corrected ones; a second call changes nothing.

    `rattler.install` is given a short-lived view of the store and package URLs. What it wrote of these is replaced,
    every file gets its digest in the prefix, and other users may read the record (rattler's has mode 0600).

    Args:
        prefix: the environment.
        provenance: name -> where the package came from.
        requested: name -> what the spec asked for, in its words.
        only: records (`name-version-build`) to rewrite.
        digests: path of a link -> sha256 of the file that it leads to, from `link_digests`.
    """
    changed = [load(record_path(prefix, dist)) for dist in sorted(only)]
    for record in changed:
        tell(record, provenance[record["name"]], requested.get(record["name"], ""))
        _tell_digests(record, digests)
        dist = f"{record['name']}-{record['version']}-{record['build']}"
        atomic_write(record_path(prefix, dist), render(record), sync=False)
    return changed


def links_of(prefix: Path, dists: Iterable[str]) -> list[str]:
    """List the symbolic links of packages, given as `name-version-build`.

    Raises:
        IntegrityError: a record cannot be read.
    """
    entries = (entry for dist in dists for entry in paths_of(load(record_path(prefix, dist))))
    return [entry["_path"] for entry in entries if entry["path_type"] == "softlink"]


def link_digests(
    prefix: Path,
    links: Iterable[str],
    known: Callable[[Collection[str]], Mapping[str, str]],
    *,
    stored: Collection[str] = (),
) -> dict[str, str]:
    """Return the sha256 of the file that each of some links of a prefix leads to; links to anything else are left out.

    Args:
        prefix: the environment, linked.
        links: their paths.
        known: returns the digests of those of some paths of files that it knows; records tell the others.
        stored: paths of files that were left in the store, see `link`.

    Raises:
        IntegrityError: a record cannot be read.
    """
    resolve = _link_resolver(prefix, stored)
    targets = {link: target for link in links if (target := resolve(link))}
    wanted = frozenset(targets.values())
    digests = dict(known(wanted))
    if unknown := wanted - digests.keys():
        entries = (entry for path in record_files(prefix) for entry in paths_of(load(path)))
        digests |= {
            entry["_path"]: digest for entry in entries if entry["_path"] in unknown and (digest := in_prefix(entry))
        }
    return {link: digests[target] for link, target in targets.items() if target in digests}


def tell_request(prefix: Path, dist: str, requested: str) -> None:
    """Write into the record of a package that stays what the spec asks for now; "" for nothing."""
    record = load(record_path(prefix, dist))
    _tell_request(record, requested)
    atomic_write(record_path(prefix, dist), render(record))


def render(record: Mapping[str, Any]) -> str:
    """Write a record, keys sorted, one path a line: Python's fast encoder cannot indent, and there are 60,000."""
    head = {key: value for key, value in record.items() if key not in {"files", "paths_data"}}
    paths = sorted(paths_of(record), key=lambda entry: str(entry["_path"]))
    return assemble(head, sorted(record.get("files") or ()), _entry_lines(paths))


def assemble(head: Mapping[str, Any], files: Sequence[str], entries: str) -> str:
    """Write a record of its parts.

    Args:
        head: what it says but for paths.
        files: paths, sorted.
        entries: of these, in the same order, from `join_entries`.
    """
    return (
        json.dumps(head, indent=2, sort_keys=True).removesuffix("\n}")
        + f',\n  "files": [\n{_file_lines(files)}\n  ],\n'
        + f'  "paths_data": {{\n    "paths_version": 1,\n    "paths": [\n{entries}\n    ]\n  }}\n}}\n'
    )


def join_entries(entries: Iterable[str]) -> str:
    """Join the entries of a record, each rendered with sorted keys, as `assemble` takes them."""
    found = _AFTER_ENTRY.join(entries)
    return f"{_INDENT}{found}" if found else ""


def split_entries(entries: str) -> list[str]:
    """Return what `join_entries` joined."""
    return entries.removeprefix(_INDENT).split(_AFTER_ENTRY) if entries else []


def _file_lines(names: Sequence[str]) -> str:
    return f"    {json.dumps(names, separators=(_NEXT_FILE, ''))[1:-1]}" if names else ""


def _entry_lines(entries: Sequence[Mapping[str, Any]]) -> str:
    return f"{_INDENT}{json.dumps(entries, sort_keys=True)[1:-1].replace(_BETWEEN, _NEXT_ENTRY)}" if entries else ""


def in_prefix(entry: Mapping[str, Any]) -> str | None:
    """Return the sha256 of a file in the prefix, where its entry tells it."""
    return entry.get("sha256_in_prefix") or entry.get("sha256")


def tell(record: dict[str, Any], provenance: Provenance, requested: str) -> None:
    """Set in a record where its package came from, and what the spec asks for in its words, "" for nothing."""
    _tell_provenance(record, provenance)
    _tell_request(record, requested)


def _tell_provenance(record: dict[str, Any], provenance: Provenance) -> None:
    # Conda removes a package by the record `<fn without extension>.json` and refuses extensions that are not an
    # archive's (`PrefixData._get_json_fn`), so a wheel's own file name can only stand in the package URL.
    record["fn"] = f"{record['name']}-{record['version']}-{record['build']}.conda"
    record |= {"url": provenance.url, "channel": provenance.channel}
    if provenance.purl:
        record["purls"] = [provenance.purl]
    for key in ("extracted_package_dir", "package_tarball_full_path", "link"):
        record.pop(key, None)
    if provenance.source is not None:
        record["extracted_package_dir"] = str(provenance.source)
        record["link"] = {"source": str(provenance.source), "type": 1}


def _tell_request(record: dict[str, Any], requested: str) -> None:
    record["requested_specs"] = [requested] if requested else []
    record.pop("requested_spec", None)
    if requested:
        record["requested_spec"] = requested


def _tell_digests(record: Mapping[str, Any], digests: Mapping[str, str]) -> None:
    """Set `sha256_in_prefix` of each file; for a link it is that of the file it leads to, as CEP 34 has `sha256`.

    Rattler writes the digest of the link's text there, which `conda doctor` then reports as an altered file.
    """
    for entry in paths_of(record):
        if entry["path_type"] != "softlink":
            entry["sha256_in_prefix"] = in_prefix(entry)
            continue
        entry.pop("sha256_in_prefix", None)
        if digest := digests.get(entry["_path"]):
            entry["sha256_in_prefix"] = digest


def _link_resolver(prefix: Path, stored: Collection[str]) -> Callable[[str], str | None]:
    """Make a function from a link to the file it leads to, both relative to the prefix; None for anything else."""
    root = os.path.realpath(prefix)

    def resolve(path: str) -> str | None:
        found = os.path.realpath(f"{root}/{path}")
        if not found.startswith(f"{root}/"):
            return None
        inside = found.removeprefix(f"{root}/")
        return inside if inside in stored or os.path.isfile(found) else None  # noqa: PTH113  realpath gave text

    return resolve
