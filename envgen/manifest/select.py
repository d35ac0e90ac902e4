"""Find the project and choose one of its environments.

The one module of this room that touches the disk: it lists and reads `environments/*.yaml`, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct

from envgen.documents import DocumentError, read_yaml
from envgen.errors import Fault, SpecError, UserError
from envgen.manifest.parse import parse_spec
from envgen.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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


class SpecsOnDisk(Struct, frozen=True):
    """The specs in a folder, for those that extend others."""

    folder: Path

    def names(self) -> tuple[str, ...]:
        """Return the names of all files, without their ending, sorted."""
        return tuple(path.stem for path in _files(self.folder))

    def read(self, name: str) -> str:
        """Return the text of a file.

        Raises:
            SpecError: it cannot be read.
        """
        return _text(self.folder / f"{name}{_SUFFIX}")


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.glob(f"*{_SUFFIX}") if not path.name.startswith("."))
    return sorted(found, key=lambda path: path.stem)  # with the suffix, `train-gpu` would come before `train`


def spec_files(root: Path) -> tuple[Path, ...]:
    """List the spec files of a project, by name, without those that are only there to be extended.

    Raises:
        UserError: there is none.
    """
    every = _files(root / FOLDER)
    bases = _only_bases(every)
    found = [path for path in every if path.stem not in bases]
    if not found:
        other = sorted(p.name for p in (root / FOLDER).glob("*.yml"))
        hint = (
            f"rename `{other[0]}`: file names of specs end in `{_SUFFIX}`"
            if other
            else "create the first one with `envgen init`"
        )
        raise UserError(f"no spec in `{root / FOLDER}`", hint=hint)
    return tuple(found)


def _only_bases(files: Sequence[Path]) -> frozenset[str]:
    """Return the names of specs without `name` that others extend: they are no environments."""
    texts = {path.stem: _loose_text(path) for path in files}
    if not any("extends" in text for text in texts.values()):
        return frozenset()
    roots = {name: _root(text) for name, text in texts.items()}
    extended = {base for root in roots.values() for base in _listed(root.get("extends"))}
    return frozenset(name for name in extended & roots.keys() if "name" not in roots[name])


def _loose_text(path: Path) -> str:
    """Return the text of a file; nothing where it cannot be read, which is told where it is needed."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _root(text: str) -> Mapping[str, Any]:
    try:
        found = read_yaml(text)
    except (yaml.YAMLError, DocumentError):
        return {}
    return found if isinstance(found, dict) else {}


def _listed(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def parse(root: Path, text: str, *, source: str) -> EnvSpec:
    """Parse the text of a spec of a project, which need not be the one on disk.

    Raises:
        SpecError: it has faults, or one that it extends has.
    """
    return parse_spec(text, source=source, folder=SpecsOnDisk(root / FOLDER))


def load(path: Path) -> EnvSpec:
    """Read and parse one spec of `environments/`.

    Raises:
        SpecError: the file cannot be read or has faults, or one that it extends.
    """
    return parse_spec(_text(path), source=f"{FOLDER}/{path.name}", folder=SpecsOnDisk(path.parent))


def _text(path: Path) -> str:
    source = f"{FOLDER}/{path.name}"
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SpecError((Fault(where=source, what="not UTF-8 text"),)) from error
    except OSError as error:
        raise SpecError((Fault(where=source, what=f"failed to read the file: {error.strerror}"),)) from error


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
        raise SpecError(tuple(dict.fromkeys(faults)))
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


def select_several(root: Path, names: Sequence[str]) -> tuple[EnvSpec, ...]:
    """Choose the named environments, each once and in this order; without a name the one that `select` chooses.

    Raises:
        UserError, SpecError: as `select`.
    """
    return tuple(select(root, name) for name in dict.fromkeys(names)) if names else (select(root),)


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
    raise UserError(
        f"no environment is named `{name}`", hint=nearest(name, by_name, cutoff=0.6) or f"there is {listed}"
    )
