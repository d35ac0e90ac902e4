"""A Debian archive made of bytes: `.deb` files, pool, `Packages` with by-hash copies, and a signed `InRelease`.

Nothing of Debian's own tools is needed: an ar archive is a few headers, and pysequoia makes the key and signs.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
from email.utils import format_datetime
from typing import TYPE_CHECKING, Literal

import pysequoia
import zstandard
from msgspec import Struct, field

from tests.builders.tree import MOMENT, File, Link, make_tar

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

Compression = Literal["xz", "gz", "zst", "none"]


class Deb(Struct, frozen=True, kw_only=True):
    """What a `.deb` is made from.

    Attributes:
        files: path without a leading slash -> entry; parent folders are added.
        fields: further control fields, such as `Depends`, `Provides`, `Multi-Arch` and `Source`.
    """

    name: str
    version: str = "1.0-1"
    architecture: str = "amd64"
    files: Mapping[str, File | Link] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def filename(self) -> str:
        """Return the file's name, which lacks the epoch."""
        return f"{self.name}_{self.version.partition(':')[2] or self.version}_{self.architecture}.deb"

    @property
    def source(self) -> str:
        return self.fields.get("Source", self.name).partition(" ")[0]

    def control(self) -> dict[str, str]:
        """Return the stanza of the package's own control file."""
        return {
            "Package": self.name,
            "Version": self.version,
            "Architecture": self.architecture,
            "Maintainer": "Nobody <nobody@example.org>",
            "Installed-Size": str(sum(len(f.data) for f in self.files.values() if isinstance(f, File)) // 1024 + 1),
            **self.fields,
            "Section": "misc",
            "Priority": "optional",
            "Description": f"made for a test\n {self.name} holds next to nothing.",
        }


def make_deb(deb: Deb, *, compression: Compression = "xz") -> bytes:
    """Write a `.deb`: an ar archive of a version, a control tar and a data tar."""
    control = {"control": File(stanza(deb.control()).encode())}
    ending = "" if compression == "none" else f".{compression}"
    return b"!<arch>\n" + b"".join(
        [
            _ar_member("debian-binary", b"2.0\n"),
            _ar_member(f"control.tar{ending}", _compress(make_tar(control), compression)),
            _ar_member(f"data.tar{ending}", _compress(make_tar(deb.files), compression)),
        ]
    )


def stanza(fields: Mapping[str, str]) -> str:
    """Write one paragraph of a control file."""
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def _ar_member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{int(MOMENT.timestamp()):<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
    return header.encode() + data + b"\n" * (len(data) % 2)


def _compress(data: bytes, how: Compression) -> bytes:
    match how:
        case "xz":
            return lzma.compress(data, preset=0)
        case "gz":
            return gzip.compress(data, mtime=0)
        case "zst":
            return zstandard.ZstdCompressor().compress(data)
        case "none":
            return data


def new_key(user: str = "Test Archive Signing Key <ftp@example.org>") -> pysequoia.Tsk:
    """Make a key that can sign."""
    return pysequoia.Tsk.generate(user)


def public_key(key: pysequoia.Tsk) -> bytes:
    """Write the public half of a key, armoured, as keyrings hold it."""
    return str(key.extract_certificate()).encode()


class Flaws(Struct, frozen=True, kw_only=True):
    """What is wrong with an archive.

    Attributes:
        tampered: `Packages` is not what the signed `InRelease` says.
        signed_by: a key that nobody trusts signs instead.
        unsigned: `InRelease` is not signed at all.
        edited: `InRelease` was changed after it was signed.
    """

    tampered: bool = False
    signed_by: pysequoia.Tsk | None = None
    unsigned: bool = False
    edited: bool = False


class Archive(Struct, kw_only=True):
    """One suite of a Debian archive below `prefix`, with one component (`main`).

    Attributes:
        suite: folder below `dists/`, and the codename.
        pool: folder of the pool; the security archive has `pool/updates`.
        valid_until: when `InRelease` expires; Debian's stable suite never does, its security suite after a week.
        by_hash: whether indices also lie under the name of their digest.
        packed: how `Packages` is packed.
    """

    key: pysequoia.Tsk
    prefix: str = "/debian"
    suite: str = "bookworm"
    label: str = "Debian"
    pool: str = "pool"
    architectures: tuple[str, ...] = ("amd64", "arm64")
    date: dt.datetime = MOMENT
    valid_until: dt.datetime | None = None
    by_hash: bool = True
    packed: tuple[str, ...] = ("xz", "gz")
    flaws: Flaws = field(default_factory=Flaws)
    _debs: dict[str, tuple[Deb, bytes]] = field(default_factory=dict)

    def add(self, *debs: Deb, compression: Compression = "xz") -> None:
        """Add packages to the pool."""
        for deb in debs:
            self._debs[self.path(deb)] = (deb, make_deb(deb, compression=compression))

    def remove(self, *names: str) -> None:
        """Remove every version of some packages, from the index and the pool."""
        self._debs = {path: made for path, made in self._debs.items() if made[0].name not in names}

    def path(self, deb: Deb) -> str:
        """Return the path of a package, relative to the archive: `pool/main/p/python3.11/...`."""
        source = deb.source
        letter = source[:4] if source.startswith("lib") else source[0]
        return f"{self.pool}/main/{letter}/{source}/{deb.filename}"

    def site(self) -> dict[str, bytes]:
        """Return the archive as path -> body."""
        indices = {f"main/binary-{arch}/Packages": self._packages(arch) for arch in self.architectures}
        contents = {f"main/Contents-{arch}.gz": _PACKERS["gz"](self._contents(arch)) for arch in self.architectures}
        packed = contents | {
            f"{path}.{how}": _PACKERS[how](text) for path, text in indices.items() for how in self.packed
        }
        found = {f"dists/{self.suite}/{path}": data for path, data in packed.items()}
        if self.by_hash:
            found |= {f"dists/{self.suite}/{_by_hash(path, data)}": data for path, data in packed.items()}
        if self.flaws.tampered:
            found = {path: _PACKERS[_ending(path)](b"Package: evil\n") for path in found}
        found |= self._release(indices | packed)
        found |= {path: data for path, (_, data) in self._debs.items()}
        return {f"{self.prefix}/{path}": data for path, data in found.items()}

    def _packages(self, architecture: str) -> bytes:
        listed = [(d, path, data) for path, (d, data) in self._debs.items() if d.architecture in (architecture, "all")]
        listed.sort(key=lambda found: (found[0].name, found[0].version))
        return "\n".join(
            stanza(
                {
                    **deb.control(),
                    "Filename": path,
                    "Size": str(len(data)),
                    "MD5sum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
                    "SHA256": hashlib.sha256(data).hexdigest(),
                }
            )
            for deb, path, data in listed
        ).encode()

    def _contents(self, architecture: str) -> bytes:
        """List the files of packages, as `Contents` does."""
        debs = [deb for deb, _data in self._debs.values() if deb.architecture == architecture]
        return "".join(sorted(f"{path:<60} misc/{deb.name}\n" for deb in debs for path in deb.files)).encode()

    def _release(self, listed: Mapping[str, bytes]) -> dict[str, bytes]:
        text = self._release_text(listed)
        signer = (self.flaws.signed_by or self.key).signer()
        inline = pysequoia.sign(signer, text, mode=pysequoia.SignatureMode.CLEAR)
        if self.flaws.unsigned:
            inline = text
        if self.flaws.edited:
            inline = inline.replace(b"Origin: Debian", b"Origin: Nobody")
        detached = pysequoia.sign(signer, text, mode=pysequoia.SignatureMode.DETACHED)
        folder = f"dists/{self.suite}"
        return {f"{folder}/InRelease": inline, f"{folder}/Release": text, f"{folder}/Release.gpg": detached}

    def _release_text(self, listed: Mapping[str, bytes]) -> bytes:
        fields = {
            "Origin": "Debian",
            "Label": self.label,
            "Suite": self.suite,
            "Codename": self.suite,
            "Date": _date(self.date),
            **({"Valid-Until": _date(self.valid_until)} if self.valid_until else {}),
            "Acquire-By-Hash": "yes" if self.by_hash else "no",
            "Architectures": " ".join(["all", *self.architectures]),
            "Components": "main",
            "SHA256": "".join(
                f"\n {hashlib.sha256(data).hexdigest()} {len(data):8} {path}" for path, data in sorted(listed.items())
            ),
        }
        return stanza(fields).replace(": \n", ":\n").encode()


_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "xz": lambda data: lzma.compress(data, preset=0),
}


def _by_hash(path: str, data: bytes) -> str:
    return f"{path.rpartition('/')[0]}/by-hash/SHA256/{hashlib.sha256(data).hexdigest()}"


def _ending(path: str) -> str:
    return "gz" if path.endswith(".gz") else "xz"


def _date(moment: dt.datetime) -> str:
    return format_datetime(moment).replace("+0000", "UTC")
