"""Find the project and choose one of its environments.

The one module of this room that touches the disk: it lists and reads `environments/*.yaml`, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import Fault, SpecError, UserError
from envgen.manifest.parse import parse_spec
from envgen.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec

FOLDER = "environments"
_SUFFIX = ".yaml"


def find_root(directory: Path) -> Path:
    """Find the project: the nearest folder at or above `directory` that has `environments/`.

    Raises:
        UserError: there is none.
    """
    start = directory.absolute()
    for folder in (start, *start.parents):
        if (folder / FOLDER).is_dir():
            return folder
    raise UserError(
        f"no folder `{FOLDER}` in `{start}` or its parent folders",
        hint="start a project here with `envgen init`, or change to the folder of your project",
    )


def spec_files(root: Path) -> tuple[Path, ...]:
    """List the spec files of a project, by name.

    Raises:
        UserError: there is none.
    """
    found = sorted(p for p in (root / FOLDER).glob(f"*{_SUFFIX}") if not p.name.startswith("."))
    if not found:
        other = sorted(p.name for p in (root / FOLDER).glob("*.yml"))
        hint = (
            f"rename `{other[0]}`: file names of specs end in `{_SUFFIX}`"
            if other
            else "create the first one with `envgen init`"
        )
        raise UserError(f"no spec in `{root / FOLDER}`", hint=hint)
    return tuple(found)


def load(path: Path) -> EnvSpec:
    """Read and parse one spec of `environments/`.

    Raises:
        SpecError: the file cannot be read or has faults.
    """
    source = f"{FOLDER}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SpecError((Fault(where=source, what="not UTF-8 text"),)) from error
    except OSError as error:
        raise SpecError((Fault(where=source, what=f"failed to read the file: {error.strerror}"),)) from error
    return parse_spec(text, source=source)


def load_all(root: Path) -> tuple[EnvSpec, ...]:
    """Parse every spec of a project.

    Raises:
        UserError: there is none.
        SpecError: the faults of all of them.
    """
    specs: list[EnvSpec] = []
    faults: list[Fault] = []
    for path in spec_files(root):
        try:
            specs.append(load(path))
        except SpecError as error:
            faults.extend(error.faults)
    if faults:
        raise SpecError(tuple(faults))
    return tuple(specs)


def select(root: Path, name: str | None = None) -> EnvSpec:
    """Choose an environment: the named one, else the only one, else the default one.

    Only the chosen file is parsed where a name or a single file decides, so that a fault elsewhere is in nobody's way.

    Raises:
        UserError: no such environment, or several of which none or more than one is the default.
        SpecError: a spec that was read has faults.
    """
    files = spec_files(root)
    if name is not None:
        return load(_named(files, name))
    return load(files[0]) if len(files) == 1 else default(load_all(root))


def default(specs: Sequence[EnvSpec]) -> EnvSpec:
    """Choose the one marked `default: true` of several.

    Raises:
        UserError: none is marked, or more than one.
    """
    marked = [spec for spec in specs if spec.default]
    if len(marked) == 1:
        return marked[0]
    if marked:
        names = " and ".join(f"`{spec.name}`" for spec in marked)
        raise UserError(f"{names} both have `default: true`", hint="remove it from all but one")
    listed = ", ".join(f"`{spec.name}`" for spec in specs)
    raise UserError(f"there are several environments: {listed}", hint="name one of them, or set `default: true` in one")


def _named(files: Sequence[Path], name: str) -> Path:
    by_name = {path.stem: path for path in files}
    if name in by_name:
        return by_name[name]
    listed = ", ".join(f"`{known}`" for known in by_name)
    raise UserError(f"no environment is named `{name}`", hint=nearest(name, by_name) or f"there is {listed}")
