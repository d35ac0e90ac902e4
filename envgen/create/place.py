"""Which folder an environment is: by prefix, by name, or by the project's spec."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.create import locate
from envgen.errors import UsageError, UserError
from envgen.manifest.select import select
from envgen.prefix.inventory import is_environment
from envgen.system.home import expand

if TYPE_CHECKING:
    from envgen.create.condarc import Condarc
    from envgen.project.context import Context


class Place(Struct, frozen=True, kw_only=True):
    """What a person said about where an environment is; neither, most of the time.

    Attributes:
        name: a name for conda's folders.
        prefix: a folder, relative to the working directory or absolute.

    Raises:
        UsageError: both are given.
    """

    name: str | None = None
    prefix: Path | None = None

    def __post_init__(self) -> None:
        if self.name and self.prefix:
            raise UsageError("`--name` and `--prefix` cannot be combined", hint="remove one of them")

    @property
    def is_given(self) -> bool:
        """Return whether the place is known without a project."""
        return bool(self.name or self.prefix)


def conda_settings(context: Context) -> Condarc:
    """Read where the machine's conda keeps environments."""
    return locate.settings(context.environment, home=context.home)


def destination(context: Context, *, env: str, place: Place) -> Path:
    """Return where `create` puts an environment.

    Raises:
        UserError, HostError: it cannot go there.
    """
    if place.prefix:
        prefix = _absolute(context, place.prefix)
    else:
        prefix = locate.place(place.name or env, conda_settings(context).envs_dirs)
    locate.check(prefix)
    return prefix


def find_environment(context: Context, *, env: str | None, place: Place) -> Path:
    """Find an environment that exists.

    Raises:
        UserError: there is none.
    """
    if place.prefix:
        prefix = _absolute(context, place.prefix)
        if not is_environment(prefix):
            raise UserError(
                f"`{prefix}` is not an environment", hint=f"create it with `envgen create --prefix {place.prefix}`"
            )
        return prefix
    name = place.name or select(context.root, env).name
    if found := locate.find(name, conda_settings(context).envs_dirs):
        return found
    how = f"envgen create --name {shlex.quote(place.name)}" if place.name else "envgen create"
    raise UserError(f"there is no environment `{name}` on this machine", hint=f"create it with `{how}`")


def _absolute(context: Context, prefix: Path) -> Path:
    """Write a prefix as conda does, which compares them as text: absolute, without `..`, links left as they are."""
    return Path(os.path.normpath(context.directory / expand(prefix, context.home)))
