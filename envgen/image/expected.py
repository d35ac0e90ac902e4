"""What each layer of an image must hold, file by file, as it follows from a lock and the packages in the store."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.image.assemble import OURS, layer_cache, linked_entries
from envgen.image.entries import Directory, File
from envgen.image.layer_plan import LayerGroup
from envgen.image.tar import arrange
from envgen.lock.debian_lock import IMAGE
from envgen.prepare.artifacts import is_at_hand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from envgen.image.assemble import PlannedImage
    from envgen.image.entries import Entry
    from envgen.image.inputs import ImageInputs
    from envgen.image.layer_plan import PlannedLayer, Share
    from envgen.oci.layer_tar import LayerMember
    from envgen.project.context import Context

    EntriesOf = Callable[[PlannedLayer, str], Iterable[Entry]]


class FileFacts(Struct, frozen=True, kw_only=True):
    """What an entry of a layer is.

    Attributes:
        kind: `file`, `link` or `folder`; anything else is none that an image may have.
        mode: permissions; 0 of a link, which has none that count.
        owner: uid and gid; 0 of a link.
        content: sha256 of a file, target of a link.
    """

    kind: str
    mode: int
    owner: tuple[int, int]
    content: str

    @classmethod
    def of_entry(cls, entry: Entry) -> FileFacts:
        """Return the facts of an entry that is to be written."""
        if isinstance(entry, File):
            return cls(kind="file", mode=entry.mode, owner=(entry.uid, entry.gid), content=entry.source.sha256)
        if isinstance(entry, Directory):
            return cls(kind="folder", mode=entry.mode, owner=(entry.uid, entry.gid), content="")
        return cls(kind="link", mode=0, owner=(0, 0), content=entry.target)

    @classmethod
    def of_member(cls, member: LayerMember) -> FileFacts:
        """Return the facts of an entry that was read, whose content was digested."""
        owner = (member.uid, member.gid)
        if member.kind == "link":
            return cls(kind="link", mode=0, owner=owner, content=member.target)
        return cls(kind=member.kind, mode=stat.S_IMODE(member.mode), owner=owner, content=member.sha256 or "")


class ExpectedLayer(Struct, frozen=True, kw_only=True):
    """A layer as it must be.

    Attributes:
        title: what it holds, in words.
        files: path -> what it is.
        parts: path of a file or link -> package, or another part of the image, that it belongs to.
    """

    title: str
    files: Mapping[str, FileFacts]
    parts: Mapping[str, str]


def lacking(context: Context, inputs: ImageInputs) -> tuple[str, ...]:
    """Name the packages without which it is not known what an image must hold: neither in the store nor in a bundle."""
    debs = inputs.pair.debian.used_by(IMAGE) if inputs.pair.debian else ()
    packages = (str(item.wanted.name) for item in inputs.plan.prepare)
    return (*packages, *(deb.name for deb in debs if not is_at_hand(context, deb.sha256)))


def expected_layers(context: Context, image: PlannedImage) -> tuple[ExpectedLayer, ...]:
    """Return what the layers of a planned image hold, lowest first; packages are linked, and nothing is written.

    Raises:
        IntegrityError: what is in the store is damaged.
    """
    names = {share.part for layer in image.layers if layer.stage not in OURS for share in layer.shares}
    with linked_entries(context, image, names, splice=False) as entries:
        return tuple(
            _layer(context, image, planned, [(share.part, e) for share, e in _entries(image, planned, entries)])
            for planned in image.layers
        )


def _entries(image: PlannedImage, planned: PlannedLayer, entries: EntriesOf) -> Iterator[tuple[Share, Entry]]:
    for share in planned.shares:
        found = image.base.told if planned.stage is LayerGroup.BASE else entries(planned, share.part)
        yield from ((share, entry) for entry in found if share.holds(entry.path))


def _layer(
    context: Context, image: PlannedImage, planned: PlannedLayer, entries: list[tuple[str, Entry]]
) -> ExpectedLayer:
    special = layer_cache(context, image, planned).special
    arranged = arrange((entry for _, entry in entries), special)
    return ExpectedLayer(
        title=planned.title,
        files={entry.path: FileFacts.of_entry(entry) for entry in arranged},
        parts={entry.path: part for part, entry in entries},
    )
