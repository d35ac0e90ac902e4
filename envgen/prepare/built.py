"""Packages that envgen makes, in the store: named by their content, with the digests of the archive of each."""

from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

from envgen.convert.conda_archive import content_digest, extract_conda, write_described
from envgen.convert.extracted import Identity
from envgen.convert.package import read_index
from envgen.digest import Sha256
from envgen.packages import local_digest, store_key
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from envgen.convert.conda_archive import CondaArchive
    from envgen.packages import BuiltPackage, ChannelPackage
    from envgen.system.store import Store

_FACTS = "built-packages"
_OUTPUTS = "built-outputs"


class Built(Struct, frozen=True, kw_only=True):
    """A package that was built.

    Attributes:
        name: conda name.
        stem: `name-version-build`.
        content: digest of the uncompressed content.
        sha256: of the archive that `write_conda` makes of it.
        md5: of that archive.
        size: bytes of that archive.
    """

    name: str
    stem: str
    content: Sha256
    sha256: Sha256
    md5: str
    size: int

    @property
    def key(self) -> str:
        """Name of the extracted package in the store."""
        return store_key(self.stem, self.content)


def ensure_built(store: Store, inputs: str, make: Callable[[Path], Built | None]) -> Built:
    """Build a package into the store by `make`, and know what its archive would be.

    Whoever wants the same one waits for the first: the outputs of one recipe are asked for side by side, and each
    asks for all of them.

    Args:
        store: keeps the package under its content, and the facts under `inputs`.
        inputs: names everything that determines the package.
        make: fills an empty folder with the extracted package; returns what its archive would be, if it knows.
    """
    if known := _kept(store, inputs):
        return known
    with store.making(f"built-{inputs}"):
        return _kept(store, inputs) or _build(store, inputs, make)


def is_kept(store: Store, inputs: str) -> bool:
    """Return whether the store has a package that was built from these inputs, as it was."""
    return _kept(store, inputs) is not None


def ensure_outputs(
    store: Store, inputs: str, make: Callable[[Path], Sequence[Path]], *, local: bool = False
) -> list[Built]:
    """Build the packages of a recipe by `make`, as `ensure_built` does with one.

    Args:
        store: keeps the packages under their content, and the facts under `inputs`.
        inputs: names everything that determines the packages.
        make: fills an empty folder, and returns the extracted packages in it.
        local: name the packages by `inputs` instead of their content, see `BuiltArchive.local`.
    """
    if known := _kept_outputs(store, inputs):
        return known
    with store.making(f"built-{inputs}"):
        return _kept_outputs(store, inputs) or _build_outputs(store, inputs, make, inputs if local else "")


def _kept_outputs(store: Store, inputs: str) -> list[Built]:
    names = store.cached(_OUTPUTS, inputs)
    found = [_kept(store, f"{inputs}-{name}") for name in json.loads(names)] if names else [_kept(store, inputs)]
    return [one for one in found if one] if all(found) else []


def _build_outputs(store: Store, inputs: str, make: Callable[[Path], Sequence[Path]], local: str) -> list[Built]:
    with store.view() as folder:
        (folder / "packages").mkdir()
        made = {read_index(path)["name"]: path for path in make(folder / "packages")}
        if len(made) == 1:
            return [_keep(store, inputs, path, folder, local=local) for path in made.values()]
        found = [_keep(store, f"{inputs}-{name}", path, folder, local=local) for name, path in made.items()]
    store.put(_OUTPUTS, inputs, json.dumps(sorted(made)).encode())
    return found


def _kept(store: Store, inputs: str) -> Built | None:
    """Find a package that was built before and is still in the store as it was."""
    facts = known_facts(store, inputs)
    return facts if facts and store.package(facts.key) and not store.altered(facts.key) else None


def _build(store: Store, inputs: str, make: Callable[[Path], Built | None]) -> Built:
    with store.view() as folder:
        made = folder / "package"
        made.mkdir()
        return _keep(store, inputs, made, folder, make(made))


def _keep(store: Store, inputs: str, made: Path, folder: Path, facts: Built | None = None, *, local: str = "") -> Built:
    facts = facts or described(made, folder)
    if local:
        facts = replace(facts, content=local_digest(local, facts.stem))
    store.ensure_package(facts.key, lambda dest: _move(made, dest))
    store.put(_FACTS, inputs, json.dumps(asdict(facts)).encode())
    return facts


def extract_artifact(store: Store, artifact: Path, package: ChannelPackage | BuiltPackage, dest: Path) -> None:
    """Extract an archive that the store keeps: its form is told by its name, which artifacts lack.

    Args:
        store: has room for a view.
        artifact: the archive.
        package: what the lock says of it.
        dest: becomes the extracted package.

    Raises:
        ArtifactError: as `extract_conda` says.
    """
    with store.view() as folder:
        archive = folder / package.filename
        archive.symlink_to(artifact)
        extract_conda(archive, dest, expected=Identity.of(package))


def known_facts(store: Store, inputs: str) -> Built | None:
    """Return what is known of a package that this machine has built, whether or not it is still in the store."""
    found = store.cached(_FACTS, inputs)
    if found is None:
        return None
    facts = json.loads(found)
    return Built(**{**facts, "content": Sha256(facts["content"]), "sha256": Sha256(facts["sha256"])})


def described(made: Path, folder: Path, archive: CondaArchive | None = None) -> Built:
    """Return what the archive of an extracted package is, or would be; `folder` has room for it."""
    index = read_index(made)
    stem = f"{index['name']}-{index['version']}-{index['build']}"
    if archive:
        content = content_digest(made)
    else:
        with tempfile.TemporaryFile(dir=folder) as out:
            archive, content = write_described(made, out, stem=stem)
    return Built(
        name=index["name"], stem=stem, content=content, sha256=archive.sha256, md5=archive.md5, size=archive.size
    )


def _move(made: Path, dest: Path) -> None:
    for path in made.iterdir():
        path.rename(dest / path.name)
