"""What the placeholders in locks stand for on this machine.

Each is looked up in the environment, then in envgen's `config.toml`, then in the configuration of the machine's own
clients: pip's for the wheel index, apt's for Debian.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.documents import read_toml
from envgen.errors import Fault, SpecError, UserError
from envgen.indexes import is_index_name, name_of, variable_of
from envgen.suggest import nearest
from envgen.system.apt_sources import debian_archive, read_entries
from envgen.system.cache_settings import KEYS
from envgen.system.credentials import display
from envgen.system.pip_config import find_index_url
from envgen.system.signature_settings import KEY
from envgen.system.switches import is_on
from envgen.urls import is_cut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envgen.indexes import NamedIndex

PYPI = "ENVGEN_PYPI"
CHANNEL = "ENVGEN_CHANNEL"
DEBIAN = "ENVGEN_DEBIAN"
DEBIAN_SECURITY = "ENVGEN_DEBIAN_SECURITY"
BLOBS = "ENVGEN_BLOBS"
"""Stands in no lock: a repository of a registry that has artifacts by their digest, asked before all others."""

WHEELS = "ENVGEN_CHANNEL_WHEELS"
"""Whether packages that the channel was given of wheels are taken on its word; no lock has their digests."""

_KEYS = {PYPI: "pypi", CHANNEL: "channel", DEBIAN: "debian", DEBIAN_SECURITY: "debian-security"}
_SETTINGS = {**_KEYS, BLOBS: "blobs"}
_WHAT = {
    PYPI: "the wheel index",
    CHANNEL: "the channel of built packages",
    DEBIAN: "the Debian archive",
    DEBIAN_SECURITY: "the Debian security archive",
}
_OTHERS = (*KEYS, KEY)
"""Keys of the file that are read elsewhere."""

_INDEXES = "indexes"
_WHEELS = "channel-wheels"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_ENDPOINT = "PYPI_SIMPLE_ENDPOINT"
_URL = re.compile(r"(?i)(https?|file)://\S+")
_REGISTRY = re.compile(r"oci://\S+")


class Setting(Struct, frozen=True, kw_only=True):
    """A base URL without a slash at its end, perhaps with a login in it, and the name of what sets it."""

    url: str
    source: str

    def __repr__(self) -> str:
        """Leave the URL out: a traceback may show it."""
        return f"Setting(source={self.source!r})"


class Mirrors:
    """The placeholders of one machine.

    Args:
        environment: variables.
        home: the user's.
        root: of the file system, below which apt's and pip's own files are.
        tell: hears once of each placeholder that was looked up.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        home: Path,
        root: Path = Path("/"),
        tell: Callable[[str], object] = lambda _text: None,
    ) -> None:
        self._environment = environment
        self._home = home
        self._root = root
        self._tell = cache(tell)

    def find(self, placeholder: str) -> Setting | None:
        """Return the value of a placeholder (`ENVGEN_PYPI`) or `ENVGEN_BLOBS`, and what sets it; None if unset.

        Raises:
            KeyError: there is no such placeholder.
            UserError: a setting is no URL, or a file of settings has faults.
        """
        found = self._find(placeholder)
        if found:
            self._tell(f"${{{placeholder}}} is {display(found.url)}, from {found.source}")
        return found

    def _find(self, placeholder: str) -> Setting | None:
        key = _key(placeholder)
        if own := self._environment.get(placeholder):
            return _checked(own, placeholder, placeholder)
        path = config_path(self._environment, self._home)
        if own := _read_config(path).get(key):
            return _checked(own, f"`mirrors.{key}` in `{path}`", placeholder)
        return self._of_clients(placeholder)

    def takes_wheels(self) -> bool:
        """Return whether packages of wheels are taken from the channel, see `ENVGEN_CHANNEL_WHEELS`.

        Raises:
            UserError: the variable is neither 1 nor 0, or a file of settings has faults.
        """
        if self._environment.get(WHEELS):
            return is_on(self._environment, WHEELS)
        return _read_config(config_path(self._environment, self._home)).get(_WHEELS) == str(True)

    def find_index(self, index: NamedIndex, root: Path) -> Setting:
        """Return the address of an index of a spec: of its placeholder, else as the spec has it.

        Args:
            index: as the spec has it; its URL is empty where the spec no longer has it.
            root: of the project, which relative paths count from.

        Raises:
            UserError: the address holds a variable that is not set, or is no URL, or a file of settings has faults.
        """
        placeholder = variable_of(index.name)
        if found := self.find(placeholder):
            return found
        if not index.url:
            what = f"no URL is known for index `{index.name}` (`${{{placeholder}}}`)"
            raise UserError(what, hint=self.hint(placeholder))
        where = f"`indexes.{index.name}.url`"
        text = _VARIABLE.sub(lambda found: self._variable(found[1], where, placeholder), index.url)
        return setting(str((root / text).resolve()) if text.startswith(".") else text, where)

    def _variable(self, name: str, where: str, placeholder: str) -> str:
        if value := self._environment.get(name):
            return value.strip()
        raise UserError(f"{where} needs the variable {name}, which is not set", hint=f"set {name} or {placeholder}")

    def resolve(self, placeholder: str) -> str:
        """Return what a placeholder (`ENVGEN_PYPI`) stands for: a URL without a slash at its end.

        It may hold a login: show it to people through `display` only.

        Raises:
            KeyError: there is no such placeholder.
            UserError: nobody sets it, a setting is no URL, or a file of settings has faults.
        """
        if found := self.find(placeholder):
            return found.url
        what = f"no URL is known for {_WHAT[placeholder]} (`${{{placeholder}}}`)"
        raise UserError(what, hint=self.hint(placeholder))

    def expand(self, url: str) -> str:
        """Replace the placeholder that a locked URL begins with; other URLs stay as they are.

        Raises:
            UserError: as `resolve`, or there is no such placeholder.
        """
        found = _PLACEHOLDER.match(url)
        if not found:
            return url
        if found[1] not in _KEYS:
            raise UserError(f"unknown placeholder `{found[0]}`", hint=f"known are {', '.join(_KEYS)}")
        return self.resolve(found[1]) + url[found.end() :]

    def hint(self, placeholder: str) -> str:
        """Return what to set for another address."""
        path = config_path(self._environment, self._home)
        return f"set {placeholder}, or `{_key(placeholder)}` under [mirrors] in `{path}`"

    def _of_clients(self, placeholder: str) -> Setting | None:
        if placeholder == PYPI:
            if found := find_index_url(self._environment, self._home, self._root):
                return setting(*found)
            return setting(_default_index(), "pip's default")
        if placeholder in {DEBIAN, DEBIAN_SECURITY}:
            entry = debian_archive(read_entries(self._root), security=placeholder == DEBIAN_SECURITY)
            return setting(entry.uri, f"`{entry.file}` of apt") if entry else None
        return None


def _key(placeholder: str) -> str:
    """Return the key of a placeholder in `[mirrors]`.

    Raises:
        KeyError: there is no such placeholder.
    """
    index = name_of(placeholder)
    return f"{_INDEXES}.{index}" if index else _SETTINGS[placeholder]


def _default_index() -> str:
    """Return pip's default index as `pypi_simple` has it; importing that for one constant takes 0.1 s."""
    spec = find_spec("pypi_simple")
    source = spec and spec.loader and getattr(spec.loader, "get_source", lambda _: None)("pypi_simple")
    for line in ast.parse(source or "").body:
        if isinstance(line, ast.AnnAssign) and ast.unparse(line.target) == _ENDPOINT and line.value:
            return str(ast.literal_eval(line.value))
    from pypi_simple import PYPI_SIMPLE_ENDPOINT  # noqa: PLC0415  see above

    return PYPI_SIMPLE_ENDPOINT


def config_path(environment: Mapping[str, str], home: Path) -> Path:
    """Return where envgen's settings are."""
    base = Path(environment.get("XDG_CONFIG_HOME", ""))  # the XDG specification ignores relative ones
    return (base if base.is_absolute() else home / ".config") / "envgen/config.toml"


def parse_config(text: str, where: str) -> dict[str, str]:
    """Read the `[mirrors]` of a `config.toml`: key -> URL, `channel-wheels` -> `True` or `False`.

    Raises:
        SpecError: it is no TOML, or has unknown keys or wrong values; all of them are told.
    """
    try:
        document = read_toml(text)
    except ValueError as error:
        raise SpecError((Fault(where=where, what=str(error)),)) from error
    faults = [_unknown(where, key, ["mirrors", *_OTHERS]) for key in document if key not in ("mirrors", *_OTHERS)]
    mirrors = document.get("mirrors", {})
    if not isinstance(mirrors, dict):
        faults.append(Fault(where=f"{where}: mirrors", what=f"expected a table, got {type(mirrors).__name__}"))
        mirrors = {}
    mirrors = _flat(mirrors, where, faults)
    for key, value in mirrors.items():
        if key == _WHEELS:
            if not isinstance(value, bool):
                what = f"expected true or false, got {type(value).__name__}"
                faults.append(Fault(where=f"{where}: mirrors.{key}", what=what))
        elif key not in _SETTINGS.values() and not key.startswith(f"{_INDEXES}."):
            faults.append(_unknown(f"{where}: mirrors", key, [*_SETTINGS.values(), _INDEXES, _WHEELS]))
        elif not isinstance(value, str):
            faults.append(Fault(where=f"{where}: mirrors.{key}", what=f"expected a URL, got {type(value).__name__}"))
    if faults:
        raise SpecError(tuple(faults))
    return {key: str(value) for key, value in mirrors.items()}


def _flat(mirrors: Mapping[str, Any], where: str, faults: list[Fault]) -> dict[str, Any]:
    """Return the table with the entries of `[mirrors.indexes]` as `indexes.<name>`; wrong ones become faults."""
    indexes = mirrors.get(_INDEXES, {})
    found = {key: value for key, value in mirrors.items() if key != _INDEXES}
    if not isinstance(indexes, dict):
        what = f"expected a table, got {type(indexes).__name__}"
        faults.append(Fault(where=f"{where}: mirrors.{_INDEXES}", what=what))
        return found
    for name in indexes:
        if not is_index_name(name):
            what = f"not the name of an index: {name!r}"
            faults.append(Fault(where=f"{where}: mirrors.{_INDEXES}", what=what))
    return found | {f"{_INDEXES}.{name}": url for name, url in indexes.items()}


def _unknown(where: str, key: str, known: list[str]) -> Fault:
    return Fault(where=where, what=f"unknown key `{key}`", hint=nearest(key, known) or f"known are {', '.join(known)}")


def _read_config(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"failed to read `{path}`: {error}") from error
    return parse_config(text, str(path))


def _checked(value: str, source: str, placeholder: str) -> Setting:
    """Check what somebody set for a placeholder."""
    if placeholder != BLOBS and not (placeholder == CHANNEL and _REGISTRY.fullmatch(value.strip())):
        return setting(value, source)
    text = value.strip().rstrip("/")
    if not _REGISTRY.fullmatch(text):
        raise UserError(
            f"{source} is not a repository of a registry: {display(value)!r}", hint="expected `oci://REGISTRY/NAME`"
        )
    return Setting(url=text, source=source)


def setting(value: str, source: str) -> Setting:
    """Check an address; an absolute path is one too.

    Raises:
        UserError: it is neither a URL nor a path.
    """
    text = value.strip().rstrip("/")
    url = Path(text).as_uri() if text.startswith("/") else text
    if not _URL.fullmatch(url):
        raise UserError(
            f"{source} is not a URL: {display(value)!r}", hint="expected https://..., http://..., file:///... or a path"
        )
    if is_cut(url):
        raise UserError(
            f"{source} has a password that cannot be read: {display(value)!r}",
            hint="write `/` in it as `%2F`, `?` as `%3F`, `#` as `%23` and `@` as `%40`",
        )
    return Setting(url=url, source=source)
