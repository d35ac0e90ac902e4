"""What an image is made of on one platform, brought into the store: packages, the Debian base, a Python to compile."""

from __future__ import annotations

import json
from threading import Lock
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.convert.package import PLACEHOLDER
from envgen.documents import read_json
from envgen.errors import ArtifactError, LockError, UserError
from envgen.image import told_entries
from envgen.image.base import base_digest, base_entries
from envgen.image.certificates import read_certificates
from envgen.image.content import survey
from envgen.image.entries import File
from envgen.image.layer_plan import LayerGroup, LayerPart
from envgen.image.loader import start_command
from envgen.image.pyc import Compiler
from envgen.lock.debian_lock import IMAGE
from envgen.manifest.select import select
from envgen.packages import Wheel
from envgen.prepare.artifacts import is_at_hand, needed, refuse_missing
from envgen.prepare.locked_builds import prepare, with_local_files
from envgen.prepare.packages import artifact_of, link_packages, plan, recipe_inputs
from envgen.prepare.plan import items_of, make_plan
from envgen.project.lock_files import find_lock, lock_path, platforms_of, require_current_lock
from envgen.project.lock_signatures import require_signature
from envgen.resolve.image_base import fetch_base
from envgen.sizes import human_size
from envgen.structs import replace
from envgen.system.fs import remove_tree
from envgen.system.host import probe_host

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from envgen.image.content import Environment
    from envgen.image.entries import Entry
    from envgen.manifest.env_spec import EnvSpec
    from envgen.manifest.image_spec import ImageSpec
    from envgen.platforms import Platform
    from envgen.prefix.contents import LinkPackage
    from envgen.prepare.plan import Plan
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair

HISTORY = "conda-meta/history"
"""An empty file of every environment of an image, by which conda knows one."""

_PYTHON = "python"
_SIZES, _ENTRIES = "image-base", "image-base-entries"
BASE_PART = "Debian base"
"""Name of the part of an image that holds its Debian packages."""

_UNPACKED = 5
"""How many times larger than its packages a base is at most; 3 were seen."""


class ImageInputs(Struct, frozen=True, kw_only=True):
    """What one platform's image is made of.

    Attributes:
        spec: of the environment.
        image: its section `image`.
        pair: the platform's locks.
        plan: of what the store lacks.
        own: the locks of the same environment for this machine, whose Python compiles; None where there are none.
    """

    spec: EnvSpec
    image: ImageSpec
    pair: LockPair
    plan: Plan
    own: LockPair | None = None

    @property
    def platform(self) -> Platform:
        """Return the platform of the image."""
        return self.pair.lock.platform


def open_images(
    context: Context, *, env: str | None, platforms: Sequence[Platform], frozen: bool, verify: bool = False
) -> tuple[ImageInputs, ...]:
    """Read the locks of an image and compare them with the store; nothing is fetched or written.

    Args:
        context: the world.
        env: name of the spec, or None for the project's only or default one.
        platforms: of the image; all Linux platforms of the spec without.
        frozen: take locks as they are, without asking whether they are up to date.
        verify: read every package of the store.

    Raises:
        LockError: a lock is missing, or not up to date.
        UserError: the spec has no image, or a platform is not Linux.
    """
    spec = select(context.root, env)
    chosen = platforms_of(spec, platforms) if platforms else tuple(p for p in spec.targets if p.is_linux)
    if not chosen or not all(platform.is_linux for platform in chosen):
        raise UserError(f"expected Linux platforms for an image, got {', '.join(platforms or spec.targets)}")
    if not platforms:
        _refuse_missing_locks(context, spec, chosen)
    found = tuple(_open_inputs(context, spec, platform, frozen=frozen, verify=verify) for platform in chosen)
    own = _own_locks(context, spec, found)
    return tuple(replace(one, own=own) for one in found)


def _refuse_missing_locks(context: Context, spec: EnvSpec, chosen: Sequence[Platform]) -> None:
    """Raise where some platforms have no lock, as in a project that came out of a bundle, and name the others.

    Raises:
        LockError: some have none.
    """
    locked = [platform for platform in chosen if lock_path(context, spec, platform).is_file()]
    if locked and (missing := [platform for platform in chosen if platform not in locked]):
        command = f"envgen image {spec.name} --platform {locked[0]}"
        raise LockError(
            f"`{spec.name}` has no lock for {', '.join(missing)}",
            hint=f"run `envgen lock`, or write an image of what is locked: `{command}`",
        )


def _own_locks(context: Context, spec: EnvSpec, found: Iterable[ImageInputs]) -> LockPair | None:
    """Return the locks for this machine: among those that are read already, or in the project."""
    host = probe_host().platform
    read = {one.platform: one.pair for one in found}
    if host in read or host not in spec.targets:
        return read.get(host)
    own = find_lock(context, spec, host)
    if own:
        require_signature(context, spec, own)
    return own


def _open_inputs(context: Context, spec: EnvSpec, platform: Platform, *, frozen: bool, verify: bool) -> ImageInputs:
    """Read the locks of a platform and compare them with the store; nothing moves.

    Raises:
        LockError: there is no lock, or it is out of date.
        SignatureError: none of the required keys has signed it.
        UserError: the spec has no image.
    """
    if spec.image is None:
        raise UserError(f"`{spec.source}` has no `image`", hint="add `image: {}` to the spec and run `envgen lock`")
    locked = require_current_lock(context, spec, platform, frozen=frozen, image=True)
    require_signature(context, spec, locked)
    pair = with_local_files(context, locked)
    items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    return ImageInputs(spec=spec, image=spec.image, pair=pair, plan=plan(context, items, verify=verify))


def has_damage(context: Context, inputs: Collection[ImageInputs]) -> bool:
    """Read all packages and wheels of the store that images are made of, and return whether any is damaged.

    Those count as missing from then on.
    """
    store = context.store
    every = [item for one in inputs for item in one.plan.items]
    wheels = [item.package.sha256 for item in every if isinstance(item.package, Wheel)]
    packages = [item.wanted.key for item in every if store.altered(item.wanted.key, read=True)]
    lost = [sha for sha in wheels if store.artifact(sha) and not store.sound_artifact(sha)]
    return bool(packages or lost)


def refuse_missing_inputs(context: Context, inputs: Iterable[ImageInputs]) -> None:
    """Raise where the network must not be used and packages cannot be made: what the base lacks is told as well.

    Raises:
        OfflineError: files are neither in the store nor in a bundle.
    """
    every = list(inputs)
    files = [file for one in every for file in needed(context, one.plan.prepare)]
    if all(is_at_hand(context, file.sha256) for file in files):
        return
    debs = [deb for one in every if one.pair.debian for deb in one.pair.debian.used_by(IMAGE)]
    refuse_missing(context, [*files, *map(artifact_of, debs)])


def gather(context: Context, inputs: ImageInputs) -> list[LinkPackage]:
    """Prepare every package of an image in the store."""
    prepare(context, inputs.plan, inputs.pair)
    return link_packages(context, inputs.plan.items, inputs.pair)


def open_environment(context: Context, inputs: ImageInputs, scratch: Path) -> Environment:
    """Prepare every package of an image in the store, and decide who owns what.

    Args:
        context: the world.
        inputs: of the image.
        scratch: a folder that need not exist, for what compiling needs; to be kept as long as the environment is used.

    Raises:
        ArtifactError: packages that cannot be in one environment, or cannot be read.
        NetworkError, IntegrityError: as sources and builders say.
    """
    packages = gather(context, inputs)
    return survey(
        packages,
        prefix=inputs.image.prefix,
        platform=inputs.platform,
        compiler=compiler(context, inputs, packages, scratch),
        conflicts=inputs.pair.lock.adjustments.conflicts,
    )


def fetch_wheels(context: Context, inputs: ImageInputs, names: Collection[str]) -> None:
    """Fetch the wheels of some packages into the store: their streams go into layers."""
    items = [item for item in inputs.plan.items if item.wanted.name in names and isinstance(item.package, Wheel)]
    there = {item.wanted.key for item in items if context.store.artifact(item.package.sha256)}
    missing = make_plan(
        items,
        has_artifact=lambda sha: context.store.artifact(sha) is not None,
        has_package=there.__contains__,
        installed=(),
    )
    if missing.fetch:
        size = human_size(missing.fetch_size)
        what = "wheels to download, since the store has their packages only"
        context.reporter.note(f"{len(missing.fetch)} {what}: {size}")
    prepare(context, missing, inputs.pair)


class ImageBase:
    """The Debian base of an image; unpacked when somebody asks for its files, and only then.

    Attributes:
        key: determines its files.
    """

    def __init__(self, context: Context, inputs: ImageInputs, folder: Path) -> None:
        self._context, self._ingredients, self._folder = context, inputs, folder
        self._entries: tuple[Entry, ...] | None = None
        self._unpacking = Lock()
        debian = inputs.pair.debian
        debs = debian.used_by(IMAGE) if debian else ()
        self._packed = sum(deb.size for deb in debs)
        self._certificates = read_certificates(context, inputs.spec)
        self.key = base_digest(
            debs, drop=inputs.image.base.drop, platform=inputs.platform, certificates=self._certificates
        )

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Yield its files, links and folders."""
        with self._unpacking:
            if self._entries is None:
                self._folder.mkdir()
                self._entries = base_entries(
                    fetch_base(self._context, self._ingredients.pair),
                    drop=self._ingredients.image.base.drop,
                    platform=self._ingredients.platform,
                    folder=self._folder,
                    certificates=self._certificates,
                    warn=self._context.reporter.warn,
                )
                self._context.store.put(_ENTRIES, self.key, told_entries.render(self._entries))
        return self._entries

    def remove_files(self) -> None:
        """Remove the files that entries point to; who asks for entries again has it unpacked again."""
        with self._unpacking:
            self._entries = None
            remove_tree(self._folder)

    @property
    def told(self) -> tuple[Entry, ...]:
        """Return the same entries without their files, from the store where the base was unpacked before."""
        raw = self._context.store.cached(_ENTRIES, self.key)
        found = told_entries.parse(raw) if raw else None
        return self.entries if found is None else found

    def part(self, *, cap: int) -> LayerPart:
        """Return the base as a part for the plan of layers.

        It is one layer, whatever its size, unless that comes near the cap: so it need not be unpacked for the plan,
        but beside the writing of other layers, which saves a fifth of the time.
        """
        sizes = self.sizes(unpack=_UNPACKED * self._packed > cap)
        return LayerPart(
            name=BASE_PART, stage=LayerGroup.BASE, key=self.key, sizes=sizes or {"usr": _UNPACKED * self._packed}
        )

    def sizes(self, *, unpack: bool) -> dict[str, int] | None:
        """Return the size of each file as unpacked last; None where it never was."""
        raw = self._context.store.cached(_SIZES, self.key)
        if raw is None and unpack:
            sizes = {entry.path: entry.source.size if isinstance(entry, File) else 0 for entry in self.entries}
            raw = json.dumps(sizes).encode()
            self._context.store.put(_SIZES, self.key, raw)
        found: dict[str, int] | None = None if raw is None else json.loads(raw)
        return found


def compiler(context: Context, inputs: ImageInputs, packages: Collection[LinkPackage], scratch: Path) -> Compiler:
    """Find the Python that compiles for an image: its own, or for another architecture the same version of this one's.

    What a version of Python compiles to does not depend on the architecture.

    Raises:
        UserError: the image has no Python, or this machine has none to compile with.
    """
    own = next((package for package in packages if package.record.name == _PYTHON), None)
    if own is None:
        raise UserError(
            f"`{inputs.spec.name}` contains no Python, which images need to compile files",
            hint="add `python` to `dependencies` in the spec",
        )
    runs, pair = (own, inputs.pair) if inputs.platform == probe_host().platform else _sibling(context, inputs, own)
    return Compiler(
        command=start_command(context, runs, pair, scratch),
        key=own.key,
        minor=inputs.spec.python,
    )


def _sibling(context: Context, inputs: ImageInputs, own: LinkPackage) -> tuple[LinkPackage, LockPair]:
    """Find this machine's Python of the same version, in the lock of the same environment for this machine."""
    spec, pair, host = inputs.spec, inputs.own, probe_host().platform
    for item in items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian)) if pair else ():
        if item.wanted.name == _PYTHON and item.wanted.version == own.record.version and pair:
            prepare(context, plan(context, [item]), pair)
            return link_packages(context, [item], pair)[0], pair
    raise UserError(
        f"failed to compile Python files for {inputs.platform}: `{spec.name}` has no Python {own.record.version} "
        f"locked for this machine, {host}",
        hint=f"add {host} under `platforms` in `{spec.source}` and run `envgen lock`",
    )


def declared_variables(environment: Environment) -> dict[str, str]:
    """Read the variables that packages declare for activation (`etc/conda/env_vars.d`), as they are in the image."""
    found: dict[str, str] = {}
    for _, text in _texts(environment, "etc/conda/env_vars.d/"):
        document = read_json(text.replace(PLACEHOLDER, f"/{environment.prefix}"))
        found |= {str(name): str(value) for name, value in document.items()}
    return found


def opencl_vendors(environment: Environment) -> dict[str, str]:
    """Read the files by which packages announce OpenCL drivers: name -> text."""
    return {path.rpartition("/")[2]: text for path, text in _texts(environment, "etc/OpenCL/vendors/")}


def _texts(environment: Environment, folder: str) -> Iterator[tuple[str, str]]:
    """Read files of packages below a folder of the environment, sorted by path."""
    files = {
        item.claim.path: _inside(content.package, item.source)
        for content in environment.contents
        for item in content.items
        if item.claim.path.startswith(folder)
    }
    for path in sorted(files):
        yield path, files[path].read_text(encoding="utf-8")


def _inside(package: LinkPackage, source: str) -> Path:
    """Return a file of a package; a link out of it would bring a file of this machine into the image.

    Raises:
        ArtifactError: it is a link out of the package, or leads nowhere.
    """
    file = package.directory / source
    if not file.resolve().is_relative_to(package.directory.resolve()) or not file.is_file():
        raise ArtifactError(
            f"`{source}` of `{package.record.dist}`: expected a file of the package, got a link out of it"
        )
    return file
