"""URLs without what only their owner may know: for whatever is written down or passed on."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

_TOKEN = re.compile(r"/t/(?P<token>[^/$][^/]*)(?=/|$)")
"""Conda's place for a token: `https://host/t/<token>/channel` (`conda.common.url.split_anaconda_token`).

Conda takes any `/t/x` for one. But folders by first letter are common, as in `pool/main/t/tzdata`: below the host's top
only what has a digit is taken for one. `$` begins a variable, which is no secret itself.
"""

_LOOKS_SECRET = re.compile(r"(?=.*\d)[A-Za-z0-9_-]+")
"""Servers give out UUIDs and the like, never without a digit. A folder such as `t/text2vec` is mistaken for one."""

_MASK = "***"
_DIGEST = re.compile(r"(?:sha256|sha384|sha512)=[0-9a-f]+")
"""The one fragment that is shown: what pip and the Simple API write behind an address."""

_URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}://[^\s'\"`<>]+")
_BEFORE_AT = re.compile(r"(?<![^\s'\"`<>@])[^\s'\"`<>@]+@(?!sha(?:256|512):[0-9a-f]{64})(?=[\w\[])")
"""What stands before an `@`, but for the digest of an image (`registry:5000/name:tag@sha256:...`)."""

_BARE_LOGIN = re.compile(r"(?<![\w/@])[^\s'\"`<>/:@]{1,256}:(?!//)[^\s'\"`<>@]+@")
_BARE_LOGIN_IN_URL = re.compile(_BARE_LOGIN.pattern.replace(r"[\w/@]", r"[\w/@.-]", 1))
"""`user:password@host` without a scheme, in what stands before an `@`. So words of any length take linear time."""


def display(url: str) -> str:
    """Return an address for people: login, token in the path, values of the query and fragment as `***`.

    Every value of a query is masked: the names of secret ones (`jwt`, `sas`, `code`) have no end.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return display(f"//{url}").removeprefix("//") if url[:2] != "//" else _shown(url)
    return _shown(f"{scheme}{separator}{rest}")


def _shown(url: str) -> str:
    parts = _split(url)
    if parts is None or _is_cut(parts):
        head, _, rest = url.partition("//")
        return f"{head}//{_MASK}@{rest.rpartition('@')[2]}" if "@" in rest else f"{head}//{_MASK}"
    fragment = parts.fragment if not parts.fragment or _DIGEST.fullmatch(parts.fragment) else _MASK
    return urlunsplit(
        parts._replace(
            netloc=f"{_MASK}@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else parts.netloc,
            path=_TOKEN.sub(_masked_token, parts.path) if parts.netloc else parts.path,
            query="&".join(map(_masked_value, parts.query.split("&"))) if parts.query else "",
            fragment=fragment,
        )
    )


def without_secrets_in(text: str) -> str:
    """Return a message with every address in it as `display` shows it."""
    shown = _URL_IN_TEXT.sub(lambda found: display(found[0]), text)
    return _BEFORE_AT.sub(_without_login, shown)


def _without_login(found: re.Match[str]) -> str:
    # in an address a name with points is its host, whose port would pass for a password
    bare = _BARE_LOGIN_IN_URL if "://" in found[0] else _BARE_LOGIN
    login = bare.search(found.string, found.start(), found.end())
    return f"{found.string[found.start() : login.start()]}{_MASK}@" if login else found[0]


def _masked_token(found: re.Match[str]) -> str:
    return f"/t/{_MASK}" if _is_secret(found) else found[0]


def _masked_value(pair: str) -> str:
    key, equals, _ = pair.partition("=")
    return f"{key}={_MASK}" if equals else _MASK


def is_cut(url: str) -> bool:
    """Return whether `/`, `?` or `#` in a password cut a login: what is taken for the host has an odd port, or none."""
    parts = _split(url)
    return parts is not None and _is_cut(parts)


def _is_cut(parts: SplitResult) -> bool:
    rest = f"{parts.path}{parts.query}{parts.fragment}"
    try:
        return "@" in rest and ":" in parts.netloc and parts.port is None
    except ValueError:
        return "@" in rest


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def leak(text: str) -> str | None:
    """Return what in a text must not leave this machine: credentials, or the path of a home; None where nothing is."""
    if any(map(has_token, _URL.findall(text))):
        return "a token in a URL"
    return next((what for pattern, what in _LEAKS if pattern.search(text)), None)


_LEAKS = (
    (re.compile(r"(?<!ssh)://[^/\s'\"]*@"), "credentials in a URL"),
    (re.compile(r"ssh://[^/\s'\"@]*:[^/\s'\"@]*@"), "credentials in a URL"),
    (re.compile(r"url: ['\"]?[^\s/:'\"]+:[^\s/@'\"]+@"), "credentials in a URL"),
    (re.compile(r"\w+://[^\s'\"?#]*\?[^\s'\"]"), "a query in a URL"),
    (re.compile(r"(?<![\w.])(?:/|file:/+)(?:home|Users|root)/"), "a path in a home folder"),
    (re.compile(r"\b[A-Za-z]:\\"), "a Windows path"),
)
"""What must not be written down, besides tokens in URLs."""

_URL = re.compile(r"\w+://[^\s'\"]+")


def has_token(url: str) -> bool:
    """Return whether the path of a URL holds conda's form of a token; a folder `t` on this machine is none."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL at all, whatever it looks like
        return False
    return bool(parts.netloc) and any(map(_is_secret, _TOKEN.finditer(parts.path)))


def without_login(url: str) -> str:
    """Remove user and password from a URL, also one whose password cuts it (see `is_cut`)."""
    parts = urlsplit(f"{url.partition('//')[0]}//{url.rpartition('@')[2]}" if is_cut(url) else url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def without_secrets(url: str) -> str:
    """Remove user, password, token and query from the URL of a channel, as conda does in its records."""
    parts = urlsplit(without_login(url))
    path = _TOKEN.sub(lambda found: "" if _is_secret(found) else found[0], parts.path) if parts.netloc else parts.path
    return urlunsplit(parts._replace(path=path, query="", fragment=""))


def _is_secret(found: re.Match[str]) -> bool:
    return found.start() == 0 or bool(_LOOKS_SECRET.fullmatch(found["token"]))
