"""The wheel index that this machine's pip is configured for.

`extra-index-url` and `find-links` are not followed on purpose: pip takes the best version from any of them, so that
a person who can upload to one of them can replace a package of another one ("dependency confusion"). A note tells the
user to name the projects in the spec (`indexes`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from envgen.errors import Fault, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from configparser import Error, RawConfigParser

_SECTIONS = ("install", "global")
"""Strongest first: `pip install` reads its own section over the general one."""


def find_index_url(environment: Mapping[str, str], home: Path, root: Path) -> tuple[str, str] | None:
    """Find the index and the name of what sets it, as pip does: its variable, then its files.

    Args:
        environment: variables.
        home: the user's.
        root: of the file system.

    Raises:
        SpecError: a file cannot be parsed.
    """
    if url := environment.get("PIP_INDEX_URL"):
        return url.strip(), "PIP_INDEX_URL"
    for path in config_files(environment, home, root):
        try:
            # pip reads in the locale's encoding, which is not for us to know: a comment in Latin-1 does no harm
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:  # as pip, which skips what is not there or not for us
            continue
        if found := parse_index_url(text, str(path)):
            return found, f"`{path}`"
    return None


_EXTRA_VARIABLES = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS")
_EXTRA_KEYS = ("extra-index-url", "find-links")


def find_extra_indexes(
    environment: Mapping[str, str], home: Path, root: Path = Path("/")
) -> list[tuple[str, tuple[str, ...]]]:
    """Find further indexes that pip and uv are configured for: what sets them, and their addresses.

    Raises:
        SpecError: a file cannot be parsed.
    """
    found = [(name, tuple(_urls(environment.get(name, "")))) for name in _EXTRA_VARIABLES]
    for path in config_files(environment, home, root):
        try:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:  # as in `find_index_url`
            continue
        parser = _read(text, str(path))
        for key in _EXTRA_KEYS:
            urls = [url for section in _SECTIONS for url in _urls(parser.get(section, key, fallback=""))]
            found.append((f"`{key}` in `{path}`", tuple(urls)))
    return [(source, urls) for source, urls in found if urls]


def _urls(text: str) -> list[str]:
    """Split a setting: pip's by space and line, uv's by space, where a name may stand before `=`."""
    return [url.partition("=")[2] if "://" in url.partition("=")[2] else url for url in text.split()]


def config_files(environment: Mapping[str, str], home: Path, root: Path) -> Iterator[Path]:
    """Yield the places of pip's configuration, strongest first (pip: `configuration.py`, `OVERRIDE_ORDER`)."""
    own = environment.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return
    if own:
        yield Path(own)
    if venv := environment.get("VIRTUAL_ENV"):
        yield Path(venv) / "pip.conf"
    if not own or not Path(own).exists():
        base = Path(environment.get("XDG_CONFIG_HOME", ""))  # the XDG specification ignores relative ones
        yield (base if base.is_absolute() else home / ".config") / "pip/pip.conf"
        yield home / ".pip/pip.conf"
    yield root / "etc/pip.conf"
    for folder in (environment.get("XDG_CONFIG_DIRS") or str(root / "etc/xdg")).split(os.pathsep):
        yield Path(folder) / "pip/pip.conf"


def parse_index_url(text: str, where: str) -> str | None:
    """Read `index-url` from pip's configuration.

    Args:
        text: such as `[global]`, on the next line `index-url = https://...`; a byte that is no UTF-8 is a lone
            surrogate in it.
        where: name of the file, for errors.

    Raises:
        SpecError: it cannot be parsed, or the address is not in UTF-8.
    """
    parser = _read(text, where)
    for section in _SECTIONS:
        if url := parser.get(section, "index-url", fallback="").strip():
            return _in_utf8(url, where)
    return None


def _read(text: str, where: str) -> RawConfigParser:
    import configparser  # noqa: PLC0415  takes 3 ms, and few machines have such a file

    parser = configparser.RawConfigParser()
    parser.optionxform = _key  # type: ignore[method-assign,assignment]  # as the documentation of configparser says
    try:
        parser.read_string(text, source=where)
    except configparser.Error as error:
        # the parser quotes what it does not understand, which may be a password: so not its words, not `from error`
        raise SpecError((Fault(where=_place(where, error), what="not in the form of pip's configuration"),)) from None
    return parser


def _place(where: str, error: Error) -> str:
    lines = [line for line, _ in getattr(error, "errors", ())] or [getattr(error, "lineno", None)]
    return f"{where}:{lines[0]}" if lines[0] else where


def _in_utf8(url: str, where: str) -> str:
    """Refuse text that was not UTF-8 in the file: the letters, perhaps of a password, are not known."""
    if any("\udc80" <= letter <= "\udcff" for letter in url):
        raise SpecError((Fault(where=where, what="`index-url` is not in UTF-8", hint="save the file in UTF-8"),))
    return url


def _key(written: str) -> str:
    """Normalise a key as pip does: `--Index_URL` is `index-url`."""
    return written.lower().replace("_", "-").removeprefix("--")
