"""What a derivation of Nix runs to make an environment or an image of a lock: one folder, as a Nix archive.

    build.py    the program that the derivation starts
    libc/       the loader and the C library of the image's Debian base, as `ld.so` and by their SONAMEs
    python/     the locked Python with all that it needs
    python-lib  link to the folder with the libraries of its program, whose `$ORIGIN` is the loader's folder here
    site/       envgen and all that it needs, the wheels of a bundle's `tools/`
    project/    the spec, the locks, and the project's recipes

Programs in it are started through its own loader, so that Nix needs none of the machine's files for them.
"""

from __future__ import annotations

import shutil
import zipfile
from typing import TYPE_CHECKING

from envgen.bundle.contents import project_texts
from envgen.bundle.tools import tools
from envgen.errors import UserError
from envgen.image.loader import unpack_loader
from envgen.image.prefix_archive import write_folder_archive
from envgen.oci.read import START
from envgen.platforms import PythonMinor
from envgen.prefix.conda_meta import META
from envgen.prefix.link import link
from envgen.prepare.build_rooms import python_closure
from envgen.prepare.locked_builds import prepare
from envgen.prepare.packages import link_packages, plan, recipe_inputs
from envgen.prepare.plan import items_of
from envgen.project import shipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from envgen.bundle.parts import BundledFile
    from envgen.digest import Sha256
    from envgen.image.inputs import ImageInputs
    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context

OLDEST_PYTHON = PythonMinor(3, 11)
"""That envgen runs on."""

_BESIDE = ("libgcc-s1", "libstdc++6")
"""Debian packages whose libraries the wheels of envgen take beside those of the C library."""

_PREFIX = "/opt/python"
"""Stands for the place of the Python in its files: it finds its modules from where it is started."""


def write_builder(context: Context, inputs: ImageInputs, target: Path) -> tuple[Sha256, int]:
    """Write the folder as an archive, and return its sha256 and size.

    Raises:
        UserError: the lock has no Python that envgen runs on, its base has no C library, envgen was not installed,
            or something that it needs has no wheel for the target.
        NetworkError, IntegrityError: as sources and builders say.
    """
    if inputs.spec.python < OLDEST_PYTHON:
        raise UserError(f"envgen needs Python {OLDEST_PYTHON} or newer, `{inputs.spec.name}` has {inputs.spec.python}")
    wheels = tools(context, inputs.spec.targets[inputs.platform]).parts
    with context.store.in_use(), context.store.view() as folder:
        root = folder / "builder"
        root.mkdir()
        (root / "build.py").write_bytes(shipped.nix_build())
        _write_texts(project_texts(context, inputs.spec, inputs.pair), root / "project")
        _unpack_wheels(wheels, root / "site")
        _copy_libraries(context, inputs, folder / "debs", root / "libc")
        _link_python(context, inputs, root / "python")
        return write_folder_archive(root, target)


def _write_texts(texts: Iterable[BundledFile], root: Path) -> None:
    for text in texts:
        path = root / text.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes_of(text))


def _bytes_of(file: BundledFile) -> bytes:
    return file.source if isinstance(file.source, bytes) else file.source.read_bytes()


def _unpack_wheels(wheels: Iterable[BundledFile], site: Path) -> None:
    """Unpack wheels, programs in their `.data/scripts` included: nothing else of `.data` is needed to run envgen."""
    site.mkdir()
    for wheel in sorted(wheels, key=lambda wheel: wheel.title):
        if wheel.title == START:
            continue
        path = site.parent / "wheel"
        path.write_bytes(_bytes_of(wheel))
        with zipfile.ZipFile(path) as archive:
            archive.extractall(site)
        path.unlink()
    for program in site.glob("*.data/scripts/*"):
        program.chmod(0o755)


def _copy_libraries(context: Context, inputs: ImageInputs, folder: Path, target: Path) -> None:
    """Copy the loader and the libraries of the base's C library into one folder."""
    loader = unpack_loader(context, inputs.pair, folder, beside=_BESIDE)
    target.mkdir()
    for path in loader.parent.glob("*.so.*"):
        shutil.copyfile(path, target / path.name)
    shutil.copyfile(loader, target / "ld.so")
    (target / "ld.so").chmod(0o755)


def _link_python(context: Context, inputs: ImageInputs, target: Path) -> None:
    items = _python_items(items_of(inputs.pair.lock, context.names, inputs=recipe_inputs(inputs.pair.debian)))
    prepare(context, plan(context, items), inputs.pair)
    link(
        link_packages(context, items, inputs.pair),
        target,
        store=context.store,
        platform=inputs.platform,
        alternative_prefix=_PREFIX,
    )
    _link_libraries(target, target.with_name("python-lib"))
    shutil.rmtree(target / META)
    for path in target.iterdir():
        if path.is_file():  # rattler's mark of a cache
            path.unlink()


def _link_libraries(python: Path, link: Path) -> None:
    libraries = (python / "bin/python").resolve().parents[1] / "lib"
    found = next((path for path in sorted(libraries.glob("*-linux-gnu")) if path.is_dir()), libraries)
    link.symlink_to(found.relative_to(link.parent.resolve()))


def _python_items(items: Sequence[PlannedPackage]) -> list[PlannedPackage]:
    """Return Python and all that it depends on."""
    closure = python_closure({item.wanted.name: item.package for item in items})
    return [item for item in items if item.wanted.name in closure]
