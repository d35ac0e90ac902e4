"""A solution becomes a lock: the one place where records meet the placeholders and limits of CEP 37."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urlsplit, urlunsplit

from envgen.errors import LockError
from envgen.indexes import LockedIndex, index_of
from envgen.lock.dates import newest_upload
from envgen.lock.model import Lock, normal
from envgen.lock.older import facts_to_keep
from envgen.lock.request import active, asked_extras, request_digest
from envgen.manifest.adjust import adjustments
from envgen.packages import BuiltArchive, BuiltPackage, ChannelArchive, ChannelPackage, Package, Wheel, sort_key
from envgen.structs import replace
from envgen.urls import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.builds import RecipeSources
    from envgen.digest import Sha256
    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import CondaName
    from envgen.records import Record, Solution

_MD5 = re.compile(r"[0-9a-f]{32}")
_SPEC = re.compile(r"(?:[^\s:]+::)?(?P<name>[a-z0-9_.-]+)\s*(?P<rest>.*)", re.IGNORECASE)


def from_solution(
    solution: Solution,
    spec: EnvSpec,
    *,
    recipes: Mapping[str, Sha256],
    debian: Sha256 | None,
    converter: int,
    root_url: str = "",
    old: Lock | None = None,
    build_environments: Mapping[str, tuple[Package, ...]] | None = None,
    builds: Mapping[str, Lock] | None = None,
    recipe_sources: Mapping[str, RecipeSources] | None = None,
) -> Lock:
    """Make the lock of a solution.

    Args:
        solution: for one of the spec's targets; it holds a package `python`.
        spec: what was asked for.
        recipes: recipe -> digest of its files, at least for those that packages were built from.
        debian: digest of the Debian lock that goes with it, where there is one.
        converter: version of the wheel converter.
        root_url: `file://` URL of the project root: packages of channels that the spec gives as relative paths get
            relative URLs.
        old: the lock before, which says more of what was kept of it.
        build_environments: key -> packages that builds need beside Python.
        builds: recipe -> lock of what it is built with.
        recipe_sources: recipe -> folders beyond its own that it builds from.

    Raises:
        LockError: CEP 37 cannot hold one of the packages.
    """
    python = next(record for record in solution.records if record.name == "python")
    known = python.version if isinstance(python.origin, BuiltArchive) else None  # as `Lock.marker_python` says
    packages = tuple(sorted((_locked(r, spec, root_url) for r in solution.records), key=sort_key))
    request = request_digest(spec, solution.target)
    uploaded = newest_upload(solution.newest_upload, packages, old) if spec.image else None
    return Lock(
        environment=spec.name,
        source=spec.source,
        target=normal(solution.target),
        python=python.version,
        channels=spec.channels,
        indexes={name: LockedIndex.of(index) for name, index in spec.indexes.items()},
        names=dict(spec.names),
        adjustments=adjustments(spec, solution.target, known),
        exclude_newer=spec.exclude_newer,
        request=request,
        asked_extras=asked_extras(spec, solution.target, known),
        extras={project: tuple(sorted(extras)) for project, extras in solution.extras.items() if extras},
        recipes={p.recipe: recipes[p.recipe] for p in packages if isinstance(p, BuiltPackage)},
        recipe_sources=dict(recipe_sources or {}),
        debian=debian,
        converter=converter,
        packages=packages,
        builds=dict(builds or {}),
        newest_upload=uploaded,
        build_environments=build_environments or {},
        older=facts_to_keep(
            solution.older, old, packages=packages, request=request, asked=active(spec, solution.target, known)
        ),
    )


def _locked(record: Record, spec: EnvSpec, root_url: str) -> Package:
    origin = record.origin
    if isinstance(origin, Wheel):
        return origin if origin.direct else replace(origin, index=index_of(origin.project, spec.indexes))
    identity: _Identity = {
        "name": record.name,
        "version": record.version,
        "build": record.build,
        "dependencies": dependencies_of(record.depends),
    }
    if isinstance(origin, BuiltArchive):
        return BuiltPackage(**identity, subdir=record.subdir, archive=origin)
    url = _portable(without_secrets(origin.url), spec.channels, root_url)
    return ChannelPackage(**identity, archive=replace(origin, url=url, md5=_md5(record, origin)))


class _Identity(TypedDict):
    """What conda calls a package, and what it depends on."""

    name: CondaName
    version: str
    build: str
    dependencies: dict[str, str]


def _md5(record: Record, origin: ChannelArchive) -> str:
    """Return the md5 that conda-lock's models demand.

    Hashing the archive ourselves would mean to download it while locking, and to vouch for a digest that its channel
    never gave; so such a package is refused.
    """
    if _MD5.fullmatch(origin.md5 or ""):
        return origin.md5
    raise LockError(
        f"{record.dist}: its channel provides no md5, which the conda-lock format requires",
        hint="re-index the channel with a tool that writes md5 and sha256, or use another channel",
    )


def _without_brackets(text: str) -> str:
    import rattler  # noqa: PLC0415  takes 50 ms, and few dependencies are written so

    return str(rattler.MatchSpec(text))


def dependencies_of(depends: Iterable[str]) -> dict[str, str]:
    """Return MatchSpecs as CEP 37's mapping, which has one constraint for each name.

    Several version constraints on one name are joined, for a comma means both. A MatchSpec has no way to ask for two
    builds at once: the first one given is kept. The check for stale locks is then a little less strict on that name.
    """
    found: dict[str, str] = {}
    for text in depends:
        plain = _without_brackets(text) if "[" in text else text
        match = _SPEC.fullmatch(plain.strip())
        if not match:
            raise LockError(f"cannot lock the dependency {text!r}")
        name = match["name"].lower()
        found[name] = _joined(found[name], match["rest"]) if name in found else match["rest"]
    return dict(sorted(found.items()))


def _joined(one: str, other: str) -> str:
    versions: list[str] = []
    builds: list[str] = []
    for text in (one, other):
        version, _, build = text.partition(" ")
        versions += [version] if version not in {"", "*", *versions} else []
        builds += [build.strip()] if build.strip() not in {"", "*"} else []
    joined = ",".join(f"({v})" if "|" in v and len(versions) > 1 else v for v in versions)
    return f"{joined or '*'} {builds[0]}" if builds else joined


def _portable(url: str, channels: Iterable[str], root_url: str) -> str:
    """Rewrite the URL of a package in a channel that the spec gives relative to the project."""
    for channel in channels:
        if not channel.startswith(("./", "../")) or not root_url:
            continue
        parts = urlsplit(root_url)
        base = urlunsplit(parts._replace(path=posixpath.normpath(posixpath.join(parts.path, channel))))
        if url.startswith(f"{base}/"):
            return posixpath.normpath(posixpath.join("..", channel)) + url.removeprefix(base)
    return url
