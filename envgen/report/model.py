"""What a report says: plain values, which the page and `--json` both render."""

from __future__ import annotations

from msgspec import Struct, field

FORMAT = 1
"""Version of the document of `--json`; raised where a field changes its meaning."""


class ReportedFolder(Struct, frozen=True, kw_only=True):
    """A folder of a package.

    Attributes:
        name: its path below the folder above it; one with a single folder in it is joined with that one.
        size: bytes of all files in it.
        folders: largest first; what is too small to be seen is left out.
    """

    name: str
    size: int
    folders: tuple[ReportedFolder, ...] = ()


class ReportedPackage(Struct, frozen=True, kw_only=True):
    """A locked package.

    Attributes:
        name: project or conda name.
        version: as locked.
        kind: where it comes from.
        group: of the image's layers that it belongs to.
        download: bytes to download; None where the lock does not say.
        installed: bytes of its files; None where the cache does not have the package.
        license: SPDX expression, or the package's own words; None where this machine does not know it.
        rejected: whether the spec's policy does not accept the licence.
        folders: of its files, largest first.
        reason: the requirements on the shortest way from the spec to it; empty where none leads to it.
    """

    name: str
    version: str
    kind: str
    group: str
    download: int | None = None
    installed: int | None = None
    license: str | None = None
    rejected: bool = False
    folders: tuple[ReportedFolder, ...] = ()
    reason: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of its files; of its download where those are not known."""
        return self.download or 0 if self.installed is None else self.installed


class ReportedLayer(Struct, frozen=True, kw_only=True):
    """A layer of the image.

    Attributes:
        group: where it stands.
        size: bytes, uncompressed where the layer is planned from files; else of the downloads.
        packages: what it holds, sorted.
        touched: those of them that differ from the revision compared with.
    """

    group: str
    size: int
    packages: tuple[str, ...]
    touched: tuple[str, ...] = ()


class ReportedImage(Struct, frozen=True, kw_only=True):
    """The layers of the image, lowest first.

    Attributes:
        planned: whether they are planned from files, as `envgen image` writes them; else they are groups of layers.
        layers: lowest first.
        why: what keeps them from being planned, where they are not.
    """

    planned: bool
    layers: tuple[ReportedLayer, ...]
    why: str | None = None

    @property
    def size(self) -> int:
        """Bytes of all layers."""
        return sum(layer.size for layer in self.layers)

    @property
    def touched(self) -> tuple[ReportedLayer, ...]:
        """Layers with a package that differs from the revision compared with."""
        return tuple(layer for layer in self.layers if layer.touched)


class ReportedComponent(Struct, frozen=True, kw_only=True):
    """A line of the accelerator stack.

    Attributes:
        what: the component.
        name: of the package that brings it; None where none does.
        version: of that package.
        reasons: for each line of the spec that leads to it, the requirements on the way.
    """

    what: str
    name: str | None
    version: str | None
    reasons: tuple[tuple[str, ...], ...] = ()


class ReportedLink(Struct, frozen=True, kw_only=True):
    """A requirement on a way from the spec to the accelerator stack; `source` is None for a line of the spec."""

    source: str | None
    target: str
    words: str


class ReportedFinding(Struct, frozen=True, kw_only=True):
    """A finding of `check`.

    Attributes:
        rule: its identifier.
        severity: `error`, `warning` or `note`.
        what: what is there, what is expected.
        files: the first of its files.
        file_count: of all its files.
        remedy: what to write into the spec, where something can be.
        accepted: the spec's reason for accepting it, else None.
    """

    rule: str
    severity: str
    what: str
    files: tuple[str, ...]
    file_count: int
    remedy: str | None
    accepted: str | None


class ReportedAdvisory(Struct, frozen=True, kw_only=True):
    """A finding of `audit`.

    Attributes:
        id: of the advisory; `withdrawn` for a wheel that its index marks, `security update` for a Debian package.
        package: its name.
        version: as locked.
        what: one line; may be empty.
        severity: a word or a CVSS vector; None where no advisory has one.
        fixed: the first later version without it; None where that is not known.
        ignored: why it does not count; None where it does.
    """

    id: str
    package: str
    version: str
    what: str
    severity: str | None = None
    fixed: str | None = None
    ignored: str | None = None

    @property
    def counts(self) -> bool:
        """Return whether `envgen audit` would fail because of it."""
        return self.ignored is None


class ReportedSource(Struct, frozen=True, kw_only=True):
    """What an audit rests on, and the day of it in ISO 8601; None where it said nothing."""

    name: str
    date: str | None


class ReportedAudit(Struct, frozen=True, kw_only=True):
    """What `audit` found without a network.

    Attributes:
        advisories: those that count first.
        has_database: whether a database of advisories was read.
        sources: databases of advisories and indexes, with their days.
        uncovered: packages that no database knows.
        remarks: what could not be looked at.
    """

    advisories: tuple[ReportedAdvisory, ...]
    has_database: bool
    sources: tuple[ReportedSource, ...]
    uncovered: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def counting(self) -> int:
        """Return the number of advisories that count."""
        return sum(1 for advisory in self.advisories if advisory.counts)


class ReportedChange(Struct, frozen=True, kw_only=True):
    """A package that differs from the revision compared with.

    Attributes:
        name: of the package.
        kind: where it comes from.
        before: version, and build where that differs; None if it is new.
        after: likewise; None if it is gone.
        growth: bytes of the download more than before; None where they are not known.
    """

    name: str
    kind: str
    before: str | None
    after: str | None
    growth: int | None


class ReportedDifference(Struct, frozen=True, kw_only=True):
    """The difference to another revision.

    Attributes:
        against: what people call it.
        changes: those that change the size of the download most first, Debian packages last.
        download_before: bytes of all downloads; None where not all are known.
        download_after: likewise.
        had_lock: whether that revision has a lock of the environment for the platform; else every package is new.
    """

    against: str
    changes: tuple[ReportedChange, ...]
    download_before: int | None
    download_after: int | None
    had_lock: bool = True

    @property
    def growth(self) -> int | None:
        """Bytes of all downloads more than before; None where not all are known."""
        before, after = self.download_before, self.download_after
        return None if before is None or after is None else after - before


class ReportedBudget(Struct, frozen=True, kw_only=True):
    """A bound on the bytes of all packages.

    Attributes:
        limit: in bytes.
        total: of all packages.
        causes: package -> bytes, where the bound is exceeded: those that grew most since the revision compared with,
            else the largest.
        is_growth: whether the causes are those that grew.
    """

    limit: int
    total: int
    causes: dict[str, int] = field(default_factory=dict)
    is_growth: bool = False

    @property
    def exceeded(self) -> bool:
        """Return whether there is more than the limit."""
        return self.total > self.limit


class Report(Struct, frozen=True, kw_only=True):
    """Everything that the page shows of one environment on one platform.

    Attributes:
        environment: name of the spec.
        platform: of the lock.
        others: platforms of the spec that are not in the report.
        made: day, in ISO 8601.
        packages: largest first.
        stack: in the order of the table.
        links: of the graph from the spec to the stack.
        image: None where the spec has none.
        findings: errors first.
        unread: packages whose files `check` could not read.
        has_policy: whether the spec says which licences it accepts.
        audit: what the database of advisories and earlier answers of indexes say.
        difference: to another revision, where one was named.
        budget: where one was given.
        description: what the spec says of the environment; may be empty.
        variables: of activation, `${prefix}` as it is written.
        format: version of this document.
    """

    environment: str
    platform: str
    others: tuple[str, ...]
    made: str
    packages: tuple[ReportedPackage, ...]
    stack: tuple[ReportedComponent, ...]
    links: tuple[ReportedLink, ...]
    image: ReportedImage | None
    findings: tuple[ReportedFinding, ...]
    unread: tuple[str, ...]
    has_policy: bool
    audit: ReportedAudit
    difference: ReportedDifference | None = None
    budget: ReportedBudget | None = None
    description: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def lacking(self) -> tuple[str, ...]:
        """Names of packages that are not in the cache, so that only the size of their download is known; sorted."""
        return tuple(sorted(package.name for package in self.packages if package.installed is None))

    @property
    def unsized(self) -> tuple[str, ...]:
        """Names of packages of which no size is known at all; sorted."""
        return tuple(sorted(p.name for p in self.packages if p.installed is None and p.download is None))

    @property
    def size(self) -> int:
        """Bytes of all packages, as far as they are known."""
        return sum(package.size for package in self.packages)
