"""Signing bundles: while they are written, and those that are there. The result has the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.bundle.parts import text_part
from envgen.oci.layout import MARK, MARK_TEXT, TITLE, blob_path, index_of
from envgen.oci.read import START
from envgen.oci.tar_blocks import END, header, padding
from envgen.sign.layouts import content_of, entries_of, is_signed, sign_layout
from envgen.structs import replace
from envgen.system.fs import atomic_path, atomic_write
from envgen.system.os_faults import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envgen.bundle.write import Bundle
    from envgen.digest import Sha256
    from envgen.oci.read import LayoutReader
    from envgen.sign.keys import Signer


def signed(bundle: Bundle, signer: Signer) -> Bundle:
    """Add a signature to a bundle that has none."""
    made = sign_layout(bundle.entries, signer)
    blobs = {sha: text_part("", data) for sha, data in made.blobs.items()}
    return replace(bundle, entries=[*bundle.entries, made.entry], blobs={**bundle.blobs, **blobs})


def sign_bundle(reader: LayoutReader, signer: Signer, *, advance: Callable[[int], None]) -> bool:
    """Add a signature to a bundle on disk, beside those of other keys.

    A new tar is written beside the old one, which stays until the new one is complete; every blob is verified.

    Args:
        reader: of the bundle.
        signer: the key.
        advance: told of the bytes that were written.

    Returns:
        Whether it was signed: False where this key has signed it before.

    Raises:
        UserError: the bundle cannot be written, or the disk is full.
        IntegrityError: a blob is damaged.
    """
    if is_signed(reader, signer.public):
        return False
    made = sign_layout(content_of(reader), signer)
    entries = [*entries_of(reader), made.entry]
    with explained(reader.path.parent):
        if reader.path.is_dir():
            for sha, data in made.blobs.items():
                atomic_write(blob_path(reader.path, sha), data, mode=0o444)
            atomic_write(reader.path / "index.json", index_of(entries))
        else:
            _write_tar(reader, made.blobs, index_of(entries), advance)
    return True


def _write_tar(
    reader: LayoutReader, blobs: Mapping[Sha256, bytes], index: bytes, advance: Callable[[int], None]
) -> None:
    small = {f"blobs/sha256/{sha}": data for sha, data in blobs.items()}
    small |= {"index.json": index, MARK: MARK_TEXT.encode(), **_start(reader)}
    large = {f"blobs/sha256/{sha}": sha for sha in reader.blobs}
    with atomic_path(reader.path) as temporary, temporary.open("wb") as out:
        for name in sorted(small.keys() | large.keys()):
            size = len(small[name]) if name in small else reader.blobs[large[name]]
            out.write(header(name, size, mtime=0))
            if name in small:
                out.write(small[name])
            else:
                reader.copy(large[name], out, advance=advance)
            out.write(padding(size))
        out.write(END)


def _start(reader: LayoutReader) -> dict[str, bytes]:
    """Return the script that stands beside the blobs, where it is one of them."""
    for manifest in reader.manifests:
        for layer in reader.descriptors(manifest):
            if layer.annotations.get(TITLE) == START:
                return {START: reader.read(layer.digest)}
    return {}
