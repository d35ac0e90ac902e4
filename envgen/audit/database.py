"""An OSV database on disk, as osv-scanner keeps it for work without a network.

    <folder>/osv-scanner/<ecosystem>/all.zip       one JSON record a file

Records are found through a table, package -> names of the files about it, which is made once for each `all.zip` and
kept in the store: the archives of PyPI and Debian hold some 100,000 records.

Source: https://google.github.io/osv-scanner/experimental/offline-mode/
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen import limits
from envgen.audit.advisory import AdvisoryError, parse_advisory
from envgen.audit.affects import lookup_name
from envgen.digest import Sha256
from envgen.errors import IntegrityError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from envgen.audit.advisory import Advisory
    from envgen.audit.affects import Ecosystem
    from envgen.events import Reporter
    from envgen.system.store import Store

FOLDER = "osv-scanner"
"""Name of the folder that osv-scanner keeps below what `OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY` names."""

_ARCHIVE = "all.zip"
_TABLES = "advisory-tables"
_NAMED = re.compile(rb'"name"\s*:\s*"([^"\\]+)"')
_MODIFIED = re.compile(rb'"modified"\s*:\s*"(\d{4}-[^"\\]+)"')
_ESCAPE = b"\\u"
_BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError)
"""What `zipfile` raises for a damaged, encrypted or oddly compressed member."""


class DatabaseAge(Struct, frozen=True, kw_only=True):
    """One archive of the database that was read.

    Attributes:
        path: of the archive.
        ecosystem: whose advisories it holds.
        newest: when the newest record in it was changed, as written; None where no record says so.
        records: how many it holds.
    """

    path: Path
    ecosystem: Ecosystem
    newest: str | None
    records: int


class _Table(Struct, frozen=True, kw_only=True):
    names: Mapping[str, tuple[str, ...]]
    newest: str | None
    records: int

    def pack(self) -> bytes:
        return json.dumps({"names": self.names, "newest": self.newest, "records": self.records}).encode()

    @classmethod
    def unpack(cls, kept: bytes) -> _Table:
        found = json.loads(kept)
        names = {name: tuple(members) for name, members in found["names"].items()}
        return cls(names=names, newest=found["newest"], records=found["records"])


def archives(folder: Path, ecosystem: Ecosystem, release: str | None = None) -> tuple[Path, ...]:
    """Find the archives of an ecosystem, of its release first; either `folder` or the folder in it may be meant.

    Args:
        folder: that `--database` names.
        ecosystem: such as `Debian`.
        release: such as `12`; its archive is `Debian:12/all.zip`.
    """
    names = [f"{ecosystem}:{release}"] if release else []
    roots = (folder / FOLDER, folder)
    found = (root / name / _ARCHIVE for name in [*names, str(ecosystem)] for root in roots)
    return tuple(path for path in found if path.is_file())[:1]


class AdvisoryArchive:
    """The advisories of one `all.zip`.

    Args:
        path: of the archive.
        ecosystem: whose packages are looked up.
        store: keeps the table.
        reporter: is told of records that cannot be read, and of progress.
    """

    def __init__(self, path: Path, *, ecosystem: Ecosystem, store: Store, reporter: Reporter) -> None:
        self._path = path
        self._ecosystem = ecosystem
        self._store = store
        self._reporter = reporter
        self._table: _Table | None = None

    @property
    def age(self) -> DatabaseAge:
        """Return age and size of the archive.

        Raises:
            UserError: it cannot be read.
            IntegrityError: it is not a zip of records.
        """
        table = self._read_table()
        return DatabaseAge(path=self._path, ecosystem=self._ecosystem, newest=table.newest, records=table.records)

    def about(self, names: Iterable[str]) -> Iterator[Advisory]:
        """Yield the advisories about packages; those that were withdrawn are left out.

        Args:
            names: as `lookup_name` makes them.

        Raises:
            UserError, IntegrityError: see `age`.
        """
        table = self._read_table()
        members = sorted({member for name in names for member in table.names.get(name, ())})
        if not members:
            return
        with _opened(self._path) as archive:
            for member in members:
                advisory = parse_advisory(_read(archive, member))
                if not advisory.withdrawn:
                    yield advisory

    def _read_table(self) -> _Table:
        if self._table is None:
            key = _digest(self._path)
            kept = self._store.cached(_TABLES, key)
            self._table = _Table.unpack(kept) if kept else self._make_table()
            if not kept:
                self._store.put(_TABLES, key, self._table.pack())
        return self._table

    def _make_table(self) -> _Table:
        names: dict[str, list[str]] = {}
        newest: list[str] = []
        unread = 0
        with _opened(self._path) as archive:
            members = [info.filename for info in archive.infolist() if info.filename.endswith(".json")]
            with self._reporter.progress(f"reading {self._ecosystem} advisories", total=len(members), unit="") as bar:
                for member in members:
                    try:
                        named, modified = _scan(_read(archive, member))
                    except AdvisoryError:
                        unread += 1
                        continue
                    newest = [max([*newest, *modified])] if modified else newest
                    for name in named:
                        names.setdefault(lookup_name(name, self._ecosystem), []).append(member)
                    bar.advance(1)
        if not members or unread == len(members):
            raise IntegrityError(
                f"`{self._path}` contains no advisory, expected one JSON file for each",
                hint="download `all.zip` of the ecosystem from the OSV project again",
            )
        if unread:
            self._reporter.warn(f"`{self._path}`: {unread} of {len(members)} records cannot be read and are ignored")
        table = {name: tuple(sorted(set(found))) for name, found in names.items()}
        return _Table(names=table, newest=newest[0] if newest else None, records=len(members) - unread)


def _scan(record: bytes) -> tuple[set[str], list[str]]:
    """Return what a record may name, and when it was changed, without parsing it where that is not needed.

    Raises:
        AdvisoryError: it is not a record.
    """
    if _ESCAPE in record or not record.lstrip().startswith(b"{"):
        parsed = parse_advisory(record)
        return {affected.name for affected in parsed.affected}, [parsed.modified] if parsed.modified else []
    named = {found.decode(errors="replace") for found in _NAMED.findall(record)}
    return named, [found.decode(errors="replace") for found in _MODIFIED.findall(record)[:1]]


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise UserError(f"`{path}` cannot be read: {error.strerror}") from error
    except zipfile.BadZipFile as error:
        raise _damaged(path, str(error)) from error
    with archive:
        if len(archive.filelist) > limits.ADVISORIES:
            raise _damaged(path, f"it has {len(archive.filelist)} members, expected at most {limits.ADVISORIES}")
        try:
            yield archive
        except (*_BROKEN, AdvisoryError) as error:
            raise _damaged(path, str(error) or repr(error)) from error


def _read(archive: zipfile.ZipFile, member: str) -> bytes:
    """Read a member up to the size that a record may have.

    Raises:
        AdvisoryError: it is larger.
    """
    with archive.open(member) as stream:
        data = stream.read(limits.ADVISORY + 1)
    if len(data) > limits.ADVISORY:
        raise AdvisoryError(f"`{member}` has more than {limits.ADVISORY} bytes")
    return data


def _digest(path: Path) -> Sha256:
    try:
        with path.open("rb") as stream:
            return Sha256.of_stream(stream)
    except OSError as error:
        raise UserError(f"`{path}` cannot be read: {error.strerror}") from error


def _damaged(path: Path, what: str) -> IntegrityError:
    return IntegrityError(
        f"`{path}` is damaged: {what}", hint="download `all.zip` of the ecosystem from the OSV project again"
    )
