"""Two sides compared: every environment and platform that both say something of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.diff.delta import Delta, Entry, State, diff_states, download_of, only
from envgen.diff.sides import LockText
from envgen.image.layer_plan import LayerGroup
from envgen.image.made_layers import change, recall
from envgen.lock.debian_lock import IMAGE
from envgen.packages import PackageKind
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.diff.sides import Side
    from envgen.digest import Sha256
    from envgen.image.made_layers import ImageChange
    from envgen.platforms import Platform
    from envgen.system.store import Store

_ON_DISK = (PackageKind.CHANNEL, PackageKind.RECIPE, PackageKind.WHEEL)
"""What `conda-meta` knows of; Debian packages are inside of what recipes made."""


class Difference(Struct, frozen=True, kw_only=True):
    """What differs in one environment on one platform.

    Attributes:
        environment: name of the spec.
        platform: of the locks.
        delta: the packages.
        image: what becomes of the image, where both were made on this machine.
        against: environment and platform of the new side, where two files were named that are of different ones.
    """

    environment: str
    platform: Platform
    delta: Delta
    image: ImageChange | None = None
    against: tuple[str, Platform] | None = None

    @property
    def layers(self) -> dict[str, tuple[str, ...]]:
        """Groups of layers that change in the image, in its order, with the packages that do it; none without an image.

        A large package has a layer of its own, small ones share some: how they are cut depends on the files in them,
        which a lock does not know.
        """
        return {group: tuple(sorted({e.name for e in entries})) for group, entries in self._touched_groups().items()}

    @property
    def layer_downloads(self) -> dict[str, int | None]:
        """The bytes to download for what is new or changed in each of `layers`; None where a size is not known."""
        gone = self.delta.removed
        return {
            group: download_of(entry for entry in entries if entry not in gone)
            for group, entries in self._touched_groups().items()
        }

    def _touched_groups(self) -> dict[str, list[Entry]]:
        found: dict[LayerGroup, list[Entry]] = {}
        for entry in self.delta.touched() if self.delta.after and self.delta.after.has_image else ():
            for group in _groups(entry):
                found.setdefault(group, []).append(entry)
        return {group.name.lower(): found[group] for group in sorted(found)}


class Comparison(Struct, frozen=True, kw_only=True):
    """Two states of the project's environments, compared.

    Attributes:
        before: what people call the old side.
        after: what people call the new one.
        differences: sorted by environment and platform; nothing where nothing differs.
        licenses: sha256 of a wheel -> its licence, of those that are new or changed, where this machine knows it.
    """

    before: str
    after: str
    differences: tuple[Difference, ...]
    licenses: Mapping[Sha256, str] = field(default_factory=dict)


def compare_sides(
    store: Store, before: Side, after: Side, *, env: str | None = None, platforms: Sequence[Platform] = ()
) -> Comparison:
    """Compare two sides of which one at least says all there is, whatever they are.

    Args:
        store: remembers the images that were made here.
        before: the old side; what is installed bears the name of the environment that it is compared with.
        after: the new side, likewise.
        env: this environment only.
        platforms: these platforms only.

    Raises:
        LockError: a lock that differs cannot be read.
    """
    keys = sorted(set.intersection(*_scopes(before, after)))
    chosen = [k for k in keys if (not platforms or k[1] in platforms) and (env is None or k[0] == env)]
    found = (_difference(store, key, before.states.get(key), after.states.get(key)) for key in chosen)
    differences = tuple(difference for difference in found if difference.delta)
    return Comparison(before=before.label, after=after.label, differences=differences)


def compare_parts(store: Store, before: Side, after: Side, *, platforms: Sequence[Platform]) -> Comparison:
    """Compare two single files or environments, of whatever names and platforms they are.

    Raises:
        LockError: a lock that differs cannot be read.
    """
    ((old_key, old),), ((new_key, new),) = before.states.items(), after.states.items()
    found = _difference(store, (old_key[0] or new_key[0] or before.label, old_key[1]), old, new)
    is_other = old_key[1] != new_key[1] or (old_key[0] != new_key[0] and old_key[0] and new_key[0])
    difference = replace(found, against=(new_key[0] or after.label, new_key[1]) if is_other else None)
    is_meant = not platforms or not {old_key[1], new_key[1]}.isdisjoint(platforms)
    differences = (difference,) if is_meant and difference.delta else ()
    return Comparison(before=before.label, after=after.label, differences=differences)


def _difference(
    store: Store, key: tuple[str, Platform], before: LockText | State | None, after: LockText | State | None
) -> Difference:
    environment, platform = key
    if isinstance(before, LockText) and isinstance(after, LockText) and before.is_same(after):
        return Difference(environment=environment, platform=platform, delta=diff_states(None, None))
    delta = diff_states(_parsed(before), _parsed(after))
    on_disk = any(isinstance(side, State) for side in (before, after))
    return Difference(
        environment=environment,
        platform=platform,
        delta=only(delta, _ON_DISK) if on_disk else delta,
        image=_image_change(store, before, after, had_image=delta.before is not None and delta.before.has_image),
    )


def _image_change(
    store: Store, before: LockText | State | None, after: LockText | State | None, *, had_image: bool
) -> ImageChange | None:
    """Compare the images that were made here; before a lock that had none there was nothing."""
    if isinstance(before, State) or not isinstance(after, LockText):
        return None
    new = recall(store, after.made)
    return change(recall(store, before.made) if before and had_image else dict.fromkeys(new, ()), new)


def _parsed(side: LockText | State | None) -> State | None:
    return side.parse() if isinstance(side, LockText) else side


def _scopes(before: Side, after: Side) -> list[set[tuple[str, Platform]]]:
    """Return the keys to compare: those of either side, limited to what a partial side covers."""
    every = set(before.states) | set(after.states)
    return [every, *(set(side.states) for side in (before, after) if not side.is_whole)]


def _groups(entry: Entry) -> set[LayerGroup]:
    if entry.kind is not PackageKind.DEBIAN:
        return {LayerGroup.of_package(entry.name)}
    return {LayerGroup.BASE if user == IMAGE else LayerGroup.of_package(user) for user in entry.users}
