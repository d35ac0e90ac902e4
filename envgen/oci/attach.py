"""Attachments go to a registry after their image: listed by the registry itself, or under a tag that stands in for it.

Registries of OCI 1.1 list what refers to a manifest (`/v2/<name>/referrers/<digest>`). In the others a client keeps
the list as an index under a tag; distribution specification 1.1, "Pushing Manifests with Subject". Whether the list
is there is asked without a login, for logins are skopeo's: a registry that answers nobody gets the tag, too, which
does no harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envgen.documents import read_json
from envgen.errors import NetworkError
from envgen.oci.layout import INDEX, write_attachments
from envgen.oci.push import ChangedError, copy, fetch_manifest
from envgen.oci.referrer import added, lists, tag_of, without_types
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envgen.digest import Sha256
    from envgen.oci.layout import Attachment
    from envgen.oci.push import Reference
    from envgen.system.http import Http
    from envgen.system.retry import RetryPolicy

_OK = 200


def attach(
    attachments: Sequence[Attachment],
    reference: Reference,
    *,
    http: Http,
    scratch: Path,
    environment: Mapping[str, str],
    retry: RetryPolicy,
) -> None:
    """Send what refers to an image; the image itself is in the registry.

    Args:
        attachments: what refers to it.
        reference: where the image is.
        http: asks for the registry's own list.
        scratch: an empty folder.
        environment: see `push`.
        retry: how to try again; hears of what could not be done as it should.

    Raises:
        UserError, NetworkError: see `push`.
    """
    write_attachments(attachments, scratch / "attachments")
    for attachment in attachments:
        copy(
            f"oci:.:{attachment.name}",
            reference,
            which=f"@{attachment.entry['digest']}",
            directory=scratch / "attachments",
            environment=environment,
            retry=retry,
        )
        if not is_listed_by(reference, attachment.subject, http=http):
            _tag(attachment, reference, scratch=scratch, environment=environment, retry=retry)


def referrers(
    reference: Reference, subject: Sha256, *, http: Http, environment: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    """List the descriptors of what refers to a manifest, by the registry's own list and by the tag that stands in.

    Raises:
        UserError, NetworkError: see `push`.
    """
    listed = _own_list(reference, subject, http=http) or {}
    tagged = fetch_manifest(reference, f":{tag_of(subject)}", environment) or {}
    found = {
        entry["digest"]: entry
        for document in (tagged, listed)
        for entry in document.get("manifests", ())
        if isinstance(entry, dict) and isinstance(entry.get("digest"), str)
    }
    return list(found.values())


def is_listed_by(reference: Reference, subject: Sha256, *, http: Http) -> bool:
    """Return whether a registry itself lists what refers to a manifest, as far as it answers without login."""
    return _own_list(reference, subject, http=http) is not None


def _own_list(reference: Reference, subject: Sha256, *, http: Http) -> Mapping[str, Any] | None:
    scheme = "http" if reference.is_loopback else "https"
    try:
        answer = http.get(
            f"{scheme}://{reference.registry}/v2/{reference.name}/referrers/sha256:{subject}", accept=INDEX
        )
        found: Any = read_json(answer.body) if answer.status == _OK else None
    except (NetworkError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("mediaType") == INDEX else None


def _tag(
    attachment: Attachment,
    reference: Reference,
    *,
    scratch: Path,
    environment: Mapping[str, str],
    retry: RetryPolicy,
) -> None:
    """Add an attachment to the index under the tag, unless it is there."""
    tag = f":{tag_of(attachment.subject)}"
    before = fetch_manifest(reference, tag, environment)
    if lists(before, attachment):
        return

    def put(index: bytes) -> None:
        atomic_write(scratch / "manifest.json", index)
        copy(
            "dir:.",
            reference,
            which=tag,
            select="--multi-arch=index-only",
            directory=scratch,
            environment=environment,
            retry=retry,
        )

    index = added(before, attachment)
    try:
        put(index)
    except ChangedError as error:
        plain = without_types(index, attachment)
        if plain is None:
            retry.note(f"`{attachment.name}` not added to `{reference.registry}/{reference.name}{tag}`: {error}")
            return
        put(plain)
        retry.note(
            f"`{reference.repository}{tag}` lists `{attachment.name}` without its type, which this skopeo cannot write:"
            " clients that select by type, such as cosign, do not find it there (skopeo 1.15 or newer writes it)"
        )
