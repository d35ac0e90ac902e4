"""An image goes to a registry or into a container engine, by the programs that do this everywhere.

`skopeo` was taken for registries: it asks which blobs are there and sends the others, knows the logins of docker and
podman with their helpers, and leaves every byte as it is. What it does not always do is try again after a broken
connection; that is done here, and costs little, since what has arrived does not travel again. The Python
package `oras` was read (0.2.43) and not taken: it holds each blob in memory whole, rewrites manifests, which
changes their digests, and knows one login only. A client of our own would be one more keeper of passwords.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.errors import NetworkError, UserError
from envgen.oci.layout import REF_NAME, index_of
from envgen.system.process import ProcessError, StuckError, run
from envgen.system.retry import TransientError
from envgen.urls import display, without_secrets_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.oci.layout import Layout
    from envgen.system.retry import RetryPolicy

_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")
"""Registries that docker talks to without TLS; skopeo wants to be told."""

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<registry>(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d+)?)/(?P<name>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
)
"""Distribution specification, "Pulling manifests": names and tags."""

_LOGGED = re.compile(r'msg="(?P<text>.*)"')
_NO_LOGIN = "getting username and password: "
"""What skopeo says before what a helper of docker's configuration (`docker-credential-…`) got wrong."""

_REFUSED = re.compile(r"unauthorized|authentication required|denied|no basic auth|\b40[13]\b", re.IGNORECASE)
_MISSING = re.compile(r"manifest unknown|name unknown|repository name not known|\b404\b", re.IGNORECASE)
_ADDRESS = re.compile(r"`?\bhttps?://\S+|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\bsha256:[0-9a-f]+|:\d+\b", re.IGNORECASE)
"""Ports, upload numbers and digests in skopeo's messages hold any digits, so also those of a status."""


_PATIENCE = 300.0
"""Seconds without a byte after which skopeo, which has no limit of its own, is ended: registries that keep blobs in
another place take a minute or two to answer for one of 10 GB."""

_CHANGED = "but we cannot modify it"


class ChangedError(UserError):
    """This skopeo would have to change an index to copy it: it does not know all that stands in it."""


class Reference(Struct, frozen=True, kw_only=True):
    """A place in a registry: `registry/name:tag`."""

    registry: str
    name: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read `registry[:port]/name[:tag]`; the tag is `latest` without.

        Raises:
            UserError: it is no such thing. A name without a registry, which docker takes for its own, is none.
        """
        found = _REFERENCE.fullmatch(text)
        registry = found["registry"] if found else ""
        if found is None or not ({".", ":", "["} & set(registry) or registry == "localhost"):
            raise UserError(
                f"expected REGISTRY/NAME:TAG, got {display(text)!r}", hint="for example: `ghcr.io/me/train:1.0`"
            )
        return cls(registry=registry, name=found["name"], tag=found["tag"] or "latest")

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}:{self.tag}"

    @property
    def repository(self) -> str:
        """`registry/name`, without the tag."""
        return f"{self.registry}/{self.name}"

    @property
    def is_loopback(self) -> bool:
        """Return whether the registry is on this machine."""
        return _LOOPBACK.fullmatch(self.registry) is not None


def push(layout: Layout, reference: Reference, *, environment: Mapping[str, str], retry: RetryPolicy) -> None:
    """Send an image, all platforms of it; blobs that are there already do not travel.

    Args:
        layout: with the image.
        reference: where to.
        environment: of the process: logins are found through `HOME`, `XDG_RUNTIME_DIR` and `REGISTRY_AUTH_FILE`.
        retry: how to try again.

    Raises:
        UserError: there is no skopeo, or the registry refuses the login.
        NetworkError: it cannot be reached, breaks off, or answers with an error.
    """
    copy("oci:.", reference, directory=layout.directory, environment=environment, retry=retry)


def copy(
    source: str,
    reference: Reference,
    *,
    which: str | None = None,
    select: str = "--all",
    directory: Path,
    environment: Mapping[str, str],
    retry: RetryPolicy,
) -> None:
    """Copy something into a registry with skopeo, byte by byte.

    Args:
        source: as skopeo names it, relative to `directory`: a path may have a colon, which skopeo cuts it at.
        reference: where to.
        which: `:tag` or `@digest` instead of the reference's own tag.
        select: which manifests of an index.
        directory: where the source is.
        environment: see `push`.
        retry: how to try again.

    Raises:
        ChangedError: skopeo is too old for what is in an index.
        UserError, NetworkError: see `push`.
    """
    target = f"docker://{reference.registry}/{reference.name}{which or f':{reference.tag}'}"
    command = [
        "skopeo", "--insecure-policy", "copy", "--quiet", select, "--preserve-digests",
        *_tls(reference, "--dest-tls-verify=false"), source, target,
    ]  # fmt: skip

    def once() -> None:
        try:
            run(command, cwd=directory, env=environment, patience=_PATIENCE)
        except ProcessError as error:
            raise _explained(error, reference) from error

    retry.call(once, hint="try again later: blobs that were sent are not sent again")


def push_index(
    folder: Path,
    entries: Sequence[Mapping[str, Any]],
    reference: Reference,
    *,
    environment: Mapping[str, str],
    retry: RetryPolicy,
) -> Sha256:
    """Send all that a layout lists, and then its index under the tag of the reference; return the digest of that.

    Args:
        folder: of the layout.
        entries: of its index, each with a name.
        reference: where to.
        environment: see `push`.
        retry: how to try again.

    Raises:
        UserError, NetworkError: see `push`.
    """
    for entry in entries:
        source, which = f"oci:.:{entry['annotations'][REF_NAME]}", f"@{entry['digest']}"
        copy(source, reference, which=which, directory=folder, environment=environment, retry=retry)
    try:
        return _push_one_index(index_of(entries), reference, folder, environment=environment, retry=retry)
    except ChangedError:  # programs from before OCI 1.1 know no types of artifacts; the manifests have them as well
        untyped = [{key: value for key, value in entry.items() if key != "artifactType"} for entry in entries]
        return _push_one_index(index_of(untyped), reference, folder, environment=environment, retry=retry)


def _push_one_index(
    index: bytes, reference: Reference, folder: Path, *, environment: Mapping[str, str], retry: RetryPolicy
) -> Sha256:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        Path(scratch, "manifest.json").write_bytes(index)
        copy(
            "dir:.",
            reference,
            select="--multi-arch=index-only",
            directory=Path(scratch),
            environment=environment,
            retry=retry,
        )
    return Sha256.of(index)


def remote_blobs(reference: Reference, *, environment: Mapping[str, str]) -> frozenset[str]:
    """List the digests of what a tag leads to in a registry; nothing where there is no such tag.

    Raises:
        UserError, NetworkError: see `push`.
    """
    top = fetch_manifest(reference, f":{reference.tag}", environment)
    if top is None:
        return frozenset()
    below = [entry["digest"] for entry in top.get("manifests", ())]
    manifests = [top, *(fetch_manifest(reference, f"@{digest}", environment) or {} for digest in below)]
    blobs = [
        entry["digest"]
        for manifest in manifests
        for entry in (*manifest.get("layers", ()), manifest.get("config"))
        if entry
    ]
    return frozenset((*below, *blobs))


def load(layout: Layout, archive: Path, engine: str, *, environment: Mapping[str, str]) -> None:
    """Load an image into a container engine of this machine.

    Args:
        layout: with the image.
        archive: what `write_archive` made of it.
        engine: `podman` or `docker`.
        environment: of the process: engines are found through `PATH`, `DOCKER_HOST` and the like.

    Raises:
        UserError: the engine is not there or refuses.
    """
    try:
        run((engine, "load", "--input", archive), env=environment)
    except ProcessError as error:
        what = f"failed to load `{layout.name}` into {engine}: {error.tail or error}"
        raise UserError(what, hint=f"check that {engine} is installed and running: `{engine} info`") from error


def fetch_manifest(reference: Reference, which: str, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Read a manifest by `:tag` or `@digest`; None where there is none.

    Raises:
        UserError, NetworkError: see `push`.
    """
    data = fetch_raw_manifest(reference, which, environment)
    return None if data is None else parse_manifest(data, reference)


def list_tags(reference: Reference, environment: Mapping[str, str]) -> tuple[str, ...]:
    """List the tags of a repository; none where it does not exist.

    Raises:
        UserError, NetworkError: see `push`.
    """
    command = ("skopeo", "--insecure-policy", "list-tags", *_tls(reference, "--tls-verify=false"))
    try:
        done = run((*command, f"docker://{reference.repository}"), env=environment, patience=_PATIENCE)
    except ProcessError as error:
        if _says(_MISSING, error.tail):
            return ()
        raise _explained(error, reference) from error
    return tuple(map(str, parse_manifest(done.stdout, reference).get("Tags") or ()))


def fetch_raw_manifest(reference: Reference, which: str, environment: Mapping[str, str]) -> bytes | None:
    """Read the bytes of a manifest by `:tag` or `@digest`, of which its digest is taken; None where there is none.

    Raises:
        UserError, NetworkError: see `push`.
    """
    return _inspect(reference, which, environment)


def fetch_raw_config(reference: Reference, which: str, environment: Mapping[str, str]) -> bytes | None:
    """Read the bytes of an image's configuration by `@digest` of its manifest; None where there is none.

    Raises:
        UserError, NetworkError: see `push`.
    """
    return _inspect(reference, which, environment, "--config")


def _inspect(reference: Reference, which: str, environment: Mapping[str, str], *options: str) -> bytes | None:
    address = f"docker://{reference.repository}{which}"
    command = ("skopeo", "--insecure-policy", "inspect", "--raw", *options)
    try:
        done = run((*command, *_tls(reference, "--tls-verify=false"), address), env=environment, patience=_PATIENCE)
    except ProcessError as error:
        if _says(_MISSING, error.tail):
            return None
        raise _explained(error, reference) from error
    return done.stdout


def parse_manifest(data: bytes, reference: Reference) -> dict[str, Any]:
    """Parse a manifest that came from a registry.

    Raises:
        NetworkError: it is not a JSON object.
    """
    try:
        found = read_json(data)
    except ValueError as error:
        raise NetworkError(f"failed to read the manifest of `{reference}` from its registry: {error}") from error
    if not isinstance(found, dict):
        raise NetworkError(f"failed to read the manifest of `{reference}` from its registry: not a JSON object")
    return found


def pull(reference: Reference, which: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Copy a manifest and its blobs into an empty folder: `manifest.json`, and each blob under its digest.

    Args:
        reference: where from.
        which: `:tag` or `@digest`.
        folder: exists.
        environment: see `push`.

    Raises:
        UserError, NetworkError: see `push`.
    """
    source = f"docker://{reference.repository}{which}"
    command = ("skopeo", "--insecure-policy", "copy", "--quiet", *_tls(reference, "--src-tls-verify=false"), source)
    try:
        run((*command, "dir:."), cwd=folder, env=environment, patience=_PATIENCE)
    except ProcessError as error:
        raise _explained(error, reference) from error


def pull_layout(reference: Reference, which: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Copy an image, all platforms of it, into an empty folder as a layout; its `index.json` is skopeo's.

    Raises:
        UserError, NetworkError: see `push`.
    """
    source = f"docker://{reference.repository}{which}"
    command = ("skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests")
    try:
        options = _tls(reference, "--src-tls-verify=false")
        run((*command, *options, source, "oci:."), cwd=folder, env=environment, patience=_PATIENCE)
    except ProcessError as error:
        raise _explained(error, reference) from error


def _tls(reference: Reference, option: str) -> Sequence[str]:
    return (option,) if reference.is_loopback else ()


def _explained(error: ProcessError, reference: Reference) -> UserError | TransientError:
    if isinstance(error, StuckError):
        return TransientError(f"request for `{reference}` failed: its registry did not answer for {_PATIENCE:.0f} s")
    if error.status is None:
        return UserError(
            "failed to run `skopeo`, which pushes images",
            hint="install `skopeo` (apt, dnf, brew), or write a file with `--archive` and push it from another machine",
        )
    said = _last_words(error.tail)
    if _CHANGED in error.tail:
        return ChangedError(
            f"this version of skopeo cannot copy `{reference}` unchanged", hint="install skopeo 1.15 or newer"
        )
    if _NO_LOGIN in error.tail:
        return UserError(
            f"failed to find the login for `{reference.registry}`: {said}",
            hint="check `credHelpers` and `credsStore` in `~/.docker/config.json`, and the programs that they name",
        )
    if _says(_REFUSED, error.tail):
        return UserError(
            f"access to `{reference}` denied by the registry: {said}",
            hint=f"log in with `docker login {reference.registry}` or `podman login {reference.registry}`",
        )
    return TransientError(f"request for `{reference}` failed: {said}")


def _says(words: re.Pattern[str], tail: str) -> bool:
    return words.search(_ADDRESS.sub("", tail)) is not None


def _last_words(tail: str) -> str:
    """Return the message of the last line that skopeo logged: `time="..." level=fatal msg="..."`."""
    last = without_secrets_in(tail).strip().splitlines()[-1] if tail.strip() else "nothing"
    found = _LOGGED.search(last)
    if not found:
        return last
    return " ".join(found["text"].replace('\\"', "`").replace(r"\n", " ").replace(r"\t", " ").split())
