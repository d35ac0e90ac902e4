"""Which files share a layer: a pure function of what there is.

Three aims pull apart: few layers (runtimes stop at 127), small updates (what changes alone travels alone), and
sharing between images. Runtimes share an unpacked layer only above equal ones, so the order is the same in all images
and begins with what is large and changes least.
"""

from __future__ import annotations

import re
from collections import defaultdict
from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import EnvgenError, UserError
from envgen.image.entries import File

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envgen.image.entries import Entry

LARGE = 5_000_000
"""Bytes from which a part has a layer of its own, as long as the budget lasts.

Below, layers cost more than they save (nix2container and nixkube came to the same bound)."""

_COHORT = 12_000_000
"""Bytes that a layer of several small parts has on average at most: a change in one of them moves a third of that.

It grows with the bound between small and large where the budget is short.
"""

_BLOCK = 512
_PLAIN_NAME = 100
"""Characters that a tar's header has room for; a longer name takes two blocks more (PAX)."""


_PATTERNS = (
    (re.compile(r"python"), "PYTHON"),
    (re.compile(r"(nvidia|cuda)-.*|lib(cu|npp|nv).*"), "CUDA"),
    (re.compile(r"(nvidia-|lib)?cudnn.*"), "CUDNN"),
    (re.compile(r"(nvidia-)?nccl.*"), "NCCL"),
    (re.compile(r"(intel|onemkl)-.*|(mkl|tbb|tcmlib|umf|oneccl|impi|dpcpp|onednn).*"), "ONEAPI"),
    (re.compile(r"(py)?torch|libtorch|intel-extension-for-pytorch|torch(vision|audio)"), "TORCH"),
    (re.compile(r"triton"), "TRITON"),
)
"""What packages are called, in conda or on the wheel index, and their stage; the last match counts."""


class LayerGroup(IntEnum):
    """Where in the image a part stands; the order of layers."""

    BASE = 0
    PYTHON = 1
    CUDA = 2
    CUDNN = 3
    NCCL = 4
    ONEAPI = 5
    TORCH = 6
    TRITON = 7
    REST = 8
    RUNTIME = 9

    @classmethod
    def of_package(cls, name: str) -> LayerGroup:
        """Return the layer group of a package of the environment."""
        found = [stage for pattern, stage in _PATTERNS if pattern.fullmatch(name)]
        return cls[found[-1]] if found else cls.REST


class LayerPart(Struct, frozen=True, kw_only=True):
    """What changes as one: a package, or what envgen itself puts in.

    Attributes:
        name: tells it from the other parts of the image.
        stage: where it stands.
        key: names everything that determines its bytes in the image.
        sizes: path of each file in the image -> bytes, as far as they are known before the file is made.
        sharers: environments of a solve group whose images have the same part; empty where none other has it.
    """

    name: str
    stage: LayerGroup
    key: str
    sizes: Mapping[str, int]
    sharers: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes in a tar, about."""
        return sum(_weight(path, size) for path, size in self.sizes.items())


class Share(Struct, frozen=True, kw_only=True):
    """All of a part, or its files from one path to another.

    Attributes:
        part: name of the part.
        key: of the part.
        first: the first path of the share, or None for the beginning.
        end: the first path that is not in it, or None for the rest.
    """

    part: str
    key: str
    first: str | None = None
    end: str | None = None

    def holds(self, path: str) -> bool:
        """Return whether a path of the part is in this share."""
        return (self.first is None or path >= self.first) and (self.end is None or path < self.end)


class PlannedLayer(Struct, frozen=True, kw_only=True):
    """A layer to be.

    Attributes:
        stage: where it stands.
        shares: what it holds, sorted by name of the part.
        size: bytes of the tar, about.
    """

    stage: LayerGroup
    shares: tuple[Share, ...]
    size: int

    @property
    def key(self) -> Sha256:
        """Digest of everything that determines the entries of the layer."""
        facts = [(share.part, share.key, share.first, share.end) for share in self.shares]
        return Sha256.of(repr(facts).encode())

    @property
    def title(self) -> str:
        """Return a description of the content."""
        names = [share.part if share.first is None else f"{share.part} (continued)" for share in self.shares]
        return ", ".join(names)


def part_of(name: str, stage: LayerGroup, entries: Iterable[Entry]) -> LayerPart:
    """Build a part from entries; its key is the digest of all that they say."""
    every = sorted(entries, key=lambda entry: entry.path)
    facts = [(e.path, e.source.sha256, e.mode, e.uid, e.gid) if isinstance(e, File) else repr(e) for e in every]
    sizes = {e.path: e.source.size if isinstance(e, File) else 0 for e in every}
    return LayerPart(name=name, stage=stage, key=Sha256.of(repr(facts).encode()), sizes=sizes)


def group(parts: Iterable[LayerPart], *, budget: int, cap: int) -> tuple[PlannedLayer, ...]:
    """Group parts into layers, in the order of the image.

    A large part has a layer of its own, or several where it is larger than the cap. The small ones of the base, and
    those of the environment, share layers by a hash of their names, so that no change of one moves another. Small
    parts that the same environments of a solve group have are together, so that their images have one layer. Where
    the budget does not suffice, larger and larger parts count as small.

    Args:
        parts: in any order; no two of one name.
        budget: how many layers there may be.
        cap: bytes that no layer's tar shall exceed.

    Raises:
        UserError: a file is larger than the cap, or the parts do not fit.
    """
    every = sorted(parts, key=lambda part: (part.stage, *_company(part.sharers), part.name))
    if len({part.name for part in every}) < len(every):
        raise EnvgenError("two parts of an image have the same name")
    total = sum(part.size for part in every)
    large = LARGE
    while True:
        layers = _layers(every, large=large, cap=cap)
        if len(layers) <= budget:
            return tuple(layers)
        if large > total:
            raise UserError(
                f"{total} bytes do not fit into {budget} layers of at most {cap} bytes each",
                hint="increase `image.layers.count` or `image.layers.size`",
            )
        large *= 2


def _layers(parts: Sequence[LayerPart], *, large: int, cap: int) -> list[PlannedLayer]:
    """Group with a given bound between small and large: in each stage the large parts first, then what is shared."""
    own: dict[LayerGroup, list[PlannedLayer]] = defaultdict(list)
    small: dict[LayerGroup, dict[tuple[str, ...], list[LayerPart]]] = defaultdict(lambda: defaultdict(list))
    for part in parts:
        if part.size > cap or part.size >= large or part.stage in (LayerGroup.PYTHON, LayerGroup.RUNTIME):
            own[part.stage].extend(_own_layers(part, cap))
        else:
            small[LayerGroup.BASE if part.stage is LayerGroup.BASE else LayerGroup.REST][part.sharers].append(part)
    shared = {
        stage: [
            layer
            for sharers in sorted(sets, key=_company)
            for layer in _cohorts(sets[sharers], stage, large=large, cap=cap)
        ]
        for stage, sets in small.items()
    }
    return [layer for stage in LayerGroup for layer in (*own[stage], *shared.get(stage, ()))]


def _company(sharers: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    """Return the order of parts: what most environments have comes first, since runtimes share from the bottom up."""
    return -len(sharers), sharers


def _own_layers(part: LayerPart, cap: int) -> Iterator[PlannedLayer]:
    """Cut a part where the next file would exceed the cap, in the order of paths."""
    cuts: list[tuple[str | None, int]] = [(None, 0)]
    for path, size in sorted(part.sizes.items()):
        weight = _weight(path, size)
        if weight > cap:
            raise UserError(
                f"`/{path}` has {size} bytes, expected at most {cap} bytes in a layer",
                hint="increase `image.layers.size`",
            )
        first, sum_ = cuts[-1]
        if sum_ + weight > cap:
            cuts.append((path, weight))
        else:
            cuts[-1] = (first, sum_ + weight)
    ends = [first for first, _size in cuts[1:]]
    for (first, size), end in zip(cuts, [*ends, None], strict=True):
        share = Share(part=part.name, key=part.key, first=first, end=end)
        yield PlannedLayer(stage=part.stage, shares=(share,), size=size)


def _cohorts(parts: Sequence[LayerPart], stage: LayerGroup, *, large: int, cap: int) -> Iterator[PlannedLayer]:
    """Share layers by name; twice as many until they are small enough."""
    average = _COHORT * large // LARGE
    total = sum(part.size for part in parts)
    bits = 0
    while total > average << bits:
        bits += 1
    buckets = _buckets(parts, bits)
    while any(size > cap for size, _some in buckets.values()):  # ends: no single part is larger than the cap
        bits += 1
        buckets = _buckets(parts, bits)
    for _bucket, (size, some) in sorted(buckets.items()):
        shares = tuple(Share(part=part.name, key=part.key) for part in sorted(some, key=lambda part: part.name))
        yield PlannedLayer(stage=stage, shares=shares, size=size)


def _buckets(parts: Sequence[LayerPart], bits: int) -> dict[int, tuple[int, list[LayerPart]]]:
    """Sort parts by the first bits of a digest of their names: one more bit cuts every bucket in two."""
    found: dict[int, tuple[int, list[LayerPart]]] = {}
    for part in parts:
        bucket = int.from_bytes(Sha256.of(part.name.encode()).raw[:8], "big") >> (64 - bits)
        size, some = found.get(bucket, (0, []))
        found[bucket] = (size + part.size, [*some, part])
    return found


def _weight(path: str, size: int) -> int:
    """Return the bytes that a file takes in a tar."""
    headers = 1 if len(path) <= _PLAIN_NAME else 3
    return _BLOCK * (headers + -(-size // _BLOCK))
