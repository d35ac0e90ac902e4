"""Variables of a spec: those of activation (`env:`) and those of an image (`image.environment`).

env:
  OMP_NUM_THREADS: 8
  GDAL_DATA: "${prefix}/share/gdal"    # the folder of the environment is put in; `$$` is a dollar sign

Both stand in files that many people read, so names and values that look like secrets are refused.
"""

from __future__ import annotations

import re
from string import Template
from typing import TYPE_CHECKING

from envgen.manifest.document import BadValueError
from envgen.printable import one_line
from envgen.urls import has_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.manifest.document import Value

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(
    r".*(?:TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?|_PWD|_PASS|_PAT)"
    r"|(?:PG|MYSQL_)?(?:PASS|PWD|PAT)"
)
"""Names of variables that hold secrets: PGPASSWORD, DB_PASS, MYSQL_PWD, GITHUB_PAT, HF_TOKEN."""

_LOGIN = re.compile(r"(?<!ssh)://[^/?#@\s]+@")
"""An address with a login in it. `ssh://git@host` holds no secret."""

_OF_IMAGES = re.compile("PATH|HOME|USER|SHELL|CONDA_PREFIX|CONDA_DEFAULT_ENV|CONDA_SHLVL")
_OF_SHELLS = re.compile(
    "BASH_.*|BASHOPTS|CDPATH|E?[GU]ID|ENV|FPATH|GLOBIGNORE|HOME|HOSTNAME|IFS|LOGNAME|OLDPWD|PATH|PPID|PROMPT"
    "|PROMPT_COMMAND|PS[0-4]|PWD|SHELL|SHELLOPTS|SHLVL|TERM|USER|USERNAME|ZDOTDIR|_|__.*|_CE_.*|(?:CONDA|MAMBA)_.*"
    "|PYTHONHOME|VIRTUAL_ENV"
)
"""Variables that the machine, shells and activation set, and those by which a shell runs code."""

LOADED = ("DYLD_INSERT_LIBRARIES", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONSTARTUP")
"""Variables that put files into every program of the environment: a spec may set them, and users are told."""

_READ_BY_FISH = re.compile(r"\$|\\\\|\\$")
"""What is not itself between double quotes: a dollar sign, two backslashes, and one at the end."""

_NAMES = re.compile(r"(?=.*[A-Z])[A-Za-z_][A-Za-z0-9_]*|[a-z]+_proxy")
"""Variables with small letters alone belong to zsh and fish (`path`, `status`); old versions of conda change them."""

_BY_IMAGE, _BY_ENV = "everyone with access to the image could read it", "everyone who can read the spec could read it"
_LATER = "remove them, and set them at run time"
_PREFIX = "prefix"


def parse_image_variables(section: Value | None, places: Mapping[str, str]) -> dict[str, str]:
    """Read `image.environment`; faults go to the document of the section.

    Args:
        section: a mapping, or None where it is not there.
        places: name -> text that stands for `${name}` in values.
    """
    found: dict[str, str] = {}
    for name, value in section.fields().items() if section else ():
        text = value.parsed(lambda text: _expanded(text, places), spaces=True)
        if not _VARIABLE.fullmatch(name):
            value.fault(f"`{value.key}`: not a variable name")
        elif _OF_IMAGES.fullmatch(name):
            value.fault(f"`{value.key}`: this variable is set by the image")
        elif _SECRET.fullmatch(name.upper()):
            value.fault(f"`{value.key}`: {_BY_IMAGE}", "set it at run time with `--env`")
        elif text is not None and not has_login(value, text):
            found[name] = text
    return found


def parse_env(section: Value | None) -> dict[str, str]:
    """Read `env:`; faults go to its document. Values are as written, for `env_at`."""
    found: dict[str, str] = {}
    for key, value in section.fields().items() if section else ():
        name, text = value.checked(key, variable_name), value.parsed(variable_value, spaces=True)
        if name is not None and text is not None:
            found[name] = text
    return found


def variable_name(text: str) -> str:
    """Check the name of a variable of `env:`."""
    if not _NAMES.fullmatch(text):
        raise BadValueError("not a variable name", hint="use capital letters, digits and `_`")
    if _OF_SHELLS.fullmatch(text.upper()):
        raise BadValueError("this variable is set by shells, by activation or by the image")
    if _SECRET.fullmatch(text.upper()):
        raise BadValueError(_BY_ENV, hint="set it in the shell, or with `--env` where an image runs")
    return text


def variable_value(text: str) -> str:
    """Check a value of `env:`, and return it as it is.

    `conda activate` writes values between quotes without escaping them (`conda.activate`, `export_var_tmpl`).
    """
    _expanded(text, {_PREFIX: ""})
    if one_line(text) != text:
        raise BadValueError(f"control characters in {text!r}")
    if "'" in text or '"' in text:
        raise BadValueError(
            f"quotes in {text!r}, which `conda activate` does not escape",
            hint="put the text into a file, and its path here",
        )
    if _is_login(text):
        raise BadValueError(f"a URL with credentials: {_BY_ENV}", hint=_LATER)
    return text


def env_at(env: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the variables of `env:` of an environment in a folder, sorted by name."""
    return {name: _expanded(env[name], {_PREFIX: prefix}) for name in sorted(env)}


def loading(env: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each variable that puts files into every program of an environment."""
    for name in LOADED:
        if name in env:
            yield f"`env` sets `{name}` to `{env[name]}`, which affects every program that runs in the environment"


def unlike_in_fish(env: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each variable that `conda activate` sets to another text in fish.

    There it writes values between double quotes (`conda.activate`, `FishActivator`).
    """
    for name, text in env.items():
        if _READ_BY_FISH.search(_expanded(text, {_PREFIX: ""})):
            what = f"`env` sets `{name}` to `{text}`, of which `conda activate` expands `$` and backslashes in fish"
            yield f"{what}; `envgen run` and `envgen shell-hook` do not"


def has_login(value: Value, text: str) -> bool:
    """Report a text with an address that holds a login or a token."""
    found = _is_login(text)
    if found:
        value.fault(f"`{value.key}` contains a URL with credentials: {_BY_IMAGE}", _LATER)
    return found


def _is_login(text: str) -> bool:
    return _LOGIN.search(text) is not None or any(map(has_token, text.split()))


def _expanded(text: str, places: Mapping[str, str]) -> str:
    try:
        return Template(text).substitute(places)
    except (KeyError, ValueError) as error:
        known = ", ".join(f"`${{{place}}}`" for place in places)
        are = "known are" if len(places) > 1 else "known is"
        raise BadValueError(
            f"failed to expand {text!r}", hint=f"{are} {known}; write `$$` for a dollar sign"
        ) from error
