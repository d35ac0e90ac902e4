"""What a recipe is built with: packages of a small lock of its own, in a channel, and compilers of the machine."""

from __future__ import annotations

import re
from shutil import which
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.convert.local_channel import LocalChannel
from envgen.convert.package import seal
from envgen.digest import Sha256
from envgen.errors import HostError, LockError, UserError
from envgen.sources.recipes import is_plain
from envgen.system.host import probe_host
from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from envgen.convert.recipe_needs import RecipeNeeds
    from envgen.platforms import Platform, PythonMinor
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.sources.recipes import Recipe

    Prepare = Callable[[Context, LockPair], Sequence[Path]]

_STAND_IN_BUILD = "machine_0"
_PATIENCE = 10.0
"""Seconds for a compiler to say its version."""


class RecipeTools(Struct, frozen=True, kw_only=True):
    """What a recipe is built with.

    Attributes:
        needs: of the recipe.
        python: the Python of the spec.
        machine: the platform of this machine.
        pair: the lock of what it needs, with the Debian lock of its Python; None where it needs no package.
        prepare: brings the packages of a lock into the store, and returns their folders.
    """

    needs: RecipeNeeds
    python: PythonMinor
    machine: Platform
    pair: LockPair | None
    prepare: Prepare

    @property
    def digest(self) -> Sha256 | None:
        """Digest of the packages that it is built with."""
        contents = sorted(package.content for package in self.pair.lock.packages) if self.pair else []
        return Sha256.of("\n".join(contents).encode()) if contents else None

    def check(self, recipe: Recipe, platform: Platform) -> None:
        """Refuse what this machine cannot build.

        Raises:
            UserError: packages or compilers for another platform would have to run.
            LockError: nothing is locked for the build.
        """
        needs = self.needs
        runs = bool(needs.specs or needs.compilers)
        other = self.pair.lock.platform if self.pair else None if needs.noarch else platform
        if runs and other not in (None, self.machine):
            raise UserError(
                f"recipe `{recipe.name}` is built with packages for {other}, which do not run on {self.machine}",
                hint=f"run this on {other}, and `envgen build` there; then set ENVGEN_CHANNEL to its channel",
            )
        if needs.specs and self.pair is None:
            raise LockError(f"the lock has no packages to build recipe `{recipe.name}` with", hint="run `envgen lock`")

    def open_channel(self, context: Context, recipe: Recipe, folder: Path) -> str | None:
        """Write everything that the recipe requires into a channel, and return its URL; None where it is nothing.

        Raises:
            HostError: the machine has no such compiler.
            NetworkError, IntegrityError: as sources and builders say.
        """
        channel = LocalChannel(folder / "channel")
        for package in self.prepare(context, self.pair) if self.pair else ():
            channel.add(package)
        for name in self.needs.compilers:
            stand_in = folder / name
            stand_in.mkdir()
            version = _version(context, recipe, name)
            index = {"name": name, "version": version, "build": _STAND_IN_BUILD, "build_number": 0, "depends": []}
            seal(stand_in, index={**index, "subdir": "noarch", "noarch": "generic"}, placeholders={})
            channel.add(stand_in)
        return channel.root.as_uri() if self.pair or self.needs.compilers else None


def _version(context: Context, recipe: Recipe, compiler: str) -> str:
    """Return the version of the machine's compiler, and tell that the machine's is used."""
    from envgen.convert.recipe_needs import program_of  # noqa: PLC0415  as below

    program = program_of(compiler)
    if program is None:
        return "0"
    path = which(program, path=context.environment.get("PATH", ""))
    if path is None:
        raise HostError(
            f"recipe `{recipe.name}` needs a compiler: `{program}` is not in PATH",
            hint=f"install `{program}`, or add a channel that has `{compiler}`",
        )
    try:
        said = run([path, "-dumpfullversion", "-dumpversion"], env=context.environment, timeout=_PATIENCE).stdout
    except ProcessError as error:
        raise HostError(f"recipe `{recipe.name}`: `{path}` does not work: {error}") from error
    version = re.sub(rb"[^0-9.]", b"", said).decode() or "0"
    context.reporter.note(
        f"recipe `{recipe.name}` is compiled by `{path}` {version} of this machine, which the lock does not pin"
    )
    return version


def tools_of(
    recipe: Recipe, *, platform: Platform, python: PythonMinor, pair: LockPair | None, prepare: Prepare
) -> RecipeTools | None:
    """Return what a recipe is built with; None where it takes nothing but this machine.

    Args:
        recipe: for rattler-build.
        platform: to build it for.
        python: of the spec.
        pair: the lock of what it requires, where there is one.
        prepare: see `RecipeTools`.

    Raises:
        UserError: the recipe is malformed.
    """
    if recipe.is_debian or recipe.is_archive or is_plain(recipe):
        return None
    # rattler-build takes 0.2 s to import, and most environments have no such recipe
    from envgen.convert.recipe_needs import read_needs  # noqa: PLC0415

    needs = read_needs(recipe.folder, platform=platform, python=python)
    return RecipeTools(needs=needs, python=python, machine=probe_host().platform, pair=pair, prepare=prepare)
