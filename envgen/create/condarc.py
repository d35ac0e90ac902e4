"""Conda's own settings, as far as they say where environments live."""

from __future__ import annotations

import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct

from envgen.documents import read_yaml
from envgen.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAMES = (".condarc", "condarc", "condarc.d")

_FOLDERS = (
    # conda.base.constants.SEARCH_PATH of conda 24.7, weakest first; `$CONDARC` comes last and is a file
    "/etc/conda",
    "/var/lib/conda",
    "$CONDA_ROOT",
    "$XDG_CONFIG_HOME/conda",
    "~/.config/conda",
    "~/.conda",
)

_FALSE = frozenset({"0", "false", "no", "off"})


class Condarc(Struct, frozen=True, kw_only=True):
    """What conda was told, strongest first.

    Attributes:
        envs_dirs: folders of environments, `~` and variables expanded.
        register: whether environments are listed in `environments.txt`.
    """

    envs_dirs: tuple[Path, ...]
    register: bool


def read_condarc(
    environment: Mapping[str, str], *, home: Path, conda_root: Path | None, root: Path = Path("/")
) -> Condarc:
    """Read conda's settings from the environment and its files.

    Args:
        environment: variables of the process.
        home: the user's home directory.
        conda_root: where conda or mamba is installed; its files count too.
        root: of the file system, before `/etc` and `/var`.

    Raises:
        UserError: a file is no YAML mapping; conda refuses it as well.
    """
    known = {**environment, **({"CONDA_ROOT": str(conda_root)} if conda_root else {})}
    documents = [_load(file) for file in _files(known, home, root)][::-1]
    listed = [environment.get("CONDA_ENVS_DIRS", ""), environment.get("CONDA_ENVS_PATH", "")]
    texts = [text for value in listed for text in value.split(":") if text]
    for document in documents:
        for key in ("envs_dirs", "envs_path"):
            texts.extend(_texts(document.get(key)))
    told = [environment.get("CONDA_REGISTER_ENVS"), *(document.get("register_envs") for document in documents)]
    register = next((str(value).lower() not in _FALSE for value in told if value is not None), True)
    return Condarc(envs_dirs=tuple(expand(text, known, home) for text in texts), register=register)


def expand(text: str, environment: Mapping[str, str], home: Path) -> Path:
    """Expand `~` and variables of a path as conda does; one that is not absolute counts from the home directory."""
    known = string.Template(text).safe_substitute(environment)
    first, _slash, rest = known.partition("/")
    return home / (rest if first == "~" else known)


def _files(environment: Mapping[str, str], home: Path, root: Path) -> Iterator[Path]:
    """Yield the files that are there, weakest first."""
    for folder in _FOLDERS:
        if not folder.startswith("$") or folder.partition("/")[0][1:] in environment:
            base = root / folder[1:] if folder.startswith("/") else expand(folder, environment, home)
            yield from _below(base, _NAMES)
    yield from _below(home, (".condarc",))
    if prefix := environment.get("CONDA_PREFIX"):
        yield from _below(Path(prefix), _NAMES)
    if own := environment.get("CONDARC"):
        yield from _below(expand(own, environment, home), ("",))


def _below(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        path = folder / name
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.suffix in {".yml", ".yaml"})
        elif path.is_file():
            yield path


def _load(file: Path) -> dict[str, Any]:
    try:
        document = read_yaml(file.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"failed to read conda's settings in `{file}`: {error}") from error
    if not isinstance(document, dict):
        raise UserError(f"conda's settings in `{file}`: expected a YAML mapping")
    return document


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, list) else []
