"""Read the section `image:` of a spec; see `envgen.manifest.image_spec` for what it may say."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from envgen.manifest.document import BadValueError, items_at
from envgen.manifest.image_spec import (
    CORE,
    DROP,
    EXCLUDE,
    PACKAGES,
    PREFIX,
    SETS,
    BasePackage,
    BaseSpec,
    ImageSpec,
    ImageUser,
    Service,
)
from envgen.manifest.variables import has_login, parse_image_variables
from envgen.sizes import parse_size
from envgen.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envgen.manifest.document import Value

T = TypeVar("T")

_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp))?")
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")  # useradd(8)
_SERVICE = re.compile(r"[a-z][a-z0-9-]*")
_PACKAGE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]+)(?:\s*\[(?P<only>[a-z0-9 -]+)\])?")  # Debian Policy 5.6.1, 7.1
_ARCHITECTURES = ("amd64", "arm64")
_ROOTS = ("/opt", "/srv", "/home")
_SYSTEM_NAMES = re.compile(
    "root|daemon|bin|sys|sync|games|man|lp|mail|news|uucp|proxy|www-data|backup|list|irc|_apt|nobody|sshd"
)
"""Accounts that Debian's base has."""

_BUILT_IN = {"jupyter": 8888, "ssh": 2222}
_SERVICE_KEYS = {"jupyter": ("port",), "ssh": ("port", "forwarding")}
_KEYS = ("base", "prefix", "user", "services", "ports", "environment", "labels", "certificates", "layers")


def parse_image(section: Value) -> ImageSpec:
    """Read the section; faults go to its document, so the result counts only where `Document.check` passes."""
    keys = section.fields(_KEYS)
    user = _user(keys.get("user"))
    prefix = _one(keys, "prefix", _prefix) or PREFIX
    layers = keys["layers"].fields(("count", "size")) if "layers" in keys else {}
    places = {"prefix": prefix, "home": user.home, "user": user.name}
    found = ImageSpec(
        base=_base(keys.get("base")),
        prefix=prefix,
        user=user,
        services=_services(keys.get("services")),
        ports=tuple(p for item in items_at(keys, "ports") if (p := item.parsed(port)) is not None),
        environment=parse_image_variables(keys.get("environment"), places),
        labels=_labels(keys.get("labels")),
        certificates=tuple(c for item in items_at(keys, "certificates") if (c := item.parsed(_certificate))),
        layers=_one(layers, "count", _count) or 60,
        layer_size=_one(layers, "size", size) or 2_000_000_000,
    )
    _check_ports(keys, found)
    _check_base(keys, found)
    if prefix == user.home or f"{user.home}/".startswith(f"{prefix}/"):
        keys["prefix"].fault(f"`{keys['prefix'].key}`: `{prefix}` contains the home folder of `{user.name}`")
    return found


def port(text: str) -> str:
    """Read `8888`, `8888/tcp` or `5353/udp`; TCP goes without saying."""
    match = _PORT.fullmatch(text)
    if not match or not 1 <= int(match[1]) <= 65535:  # noqa: PLR2004  what TCP has
        raise BadValueError(f"not a port: {text!r}", hint="write a number from 1 to 65535, followed by `/udp` for UDP")
    return f"{int(match[1])}/udp" if match[2] == "udp" else str(int(match[1]))


def size(text: str) -> int:
    """Read `2 GB` or `512 MiB` as bytes."""
    try:
        found = parse_size(text)
    except ValueError as error:
        raise BadValueError(str(error), hint="for example `2 GB` or `512 MiB`") from error
    if found < 10**7:  # a layer of less is all headers
        raise BadValueError(f"expected at least 10 MB, got {text!r}")
    return found


def _count(text: str) -> int:
    # containerd and overlayfs stop at 127 layers; an image built on top needs some.
    if not text.isdecimal() or not 10 <= int(text) <= 120:  # noqa: PLR2004
        raise BadValueError(f"not a number of layers: {text!r}", hint="write a number from 10 to 120")
    return int(text)


def _service_port(text: str) -> int:
    found = port(text)
    if not found.isdecimal() or int(found) < 1024:  # noqa: PLR2004  below, only root may listen
        raise BadValueError(
            f"a service cannot listen on {text!r}",
            hint="use a TCP port from 1024 to 65535: services do not run as root",
        )
    return int(found)


def _prefix(text: str) -> str:
    path = PurePosixPath(text)
    below = any(path.is_relative_to(root) and path != PurePosixPath(root) for root in _ROOTS)
    if not below or ".." in path.parts:
        raise BadValueError(f"the environment cannot be at {text!r}", hint="use a path below /opt, /srv or /home")
    if not re.fullmatch(r"[A-Za-z0-9._/+-]+", text):
        raise BadValueError(f"the environment cannot be at {text!r}", hint="use letters, digits and `._/+-` only")
    return str(path)


def _user_name(text: str) -> str:
    if _SYSTEM_NAMES.fullmatch(text):
        raise BadValueError(f"`{text}` is a system account", hint="choose another name: the image runs as its own user")
    if not _NAME.fullmatch(text):
        raise BadValueError(f"not a user name: {text!r}", hint="use lower case letters, digits, `_` and `-`")
    return text


def _uid(text: str) -> int:
    # 60000 to 65535 are Debian's own and `nobody` (Debian Policy 9.2.2); 2**31 and above are negative somewhere.
    if not text.isdecimal() or not (1000 <= int(text) < 60000 or 65536 <= int(text) < 2**31):  # noqa: PLR2004
        raise BadValueError(
            f"not a user ID: {text!r}", hint="write a number from 1000 to 59999; lower ones belong to the system"
        )
    return int(text)


def _user(section: Value | None) -> ImageUser:
    keys = section.fields(("name", "uid")) if section else {}
    default = ImageUser()
    return ImageUser(name=_one(keys, "name", _user_name) or default.name, uid=_one(keys, "uid", _uid) or default.uid)


def package(text: str) -> BasePackage:
    """Read `git` or `libze1 [amd64]`."""
    match = _PACKAGE.fullmatch(text)
    if not match:
        raise BadValueError(
            f"not a Debian package: {text!r}", hint="write one name, for example `git` or `libze1 [amd64]`"
        )
    only = tuple((match["only"] or "").split())
    for architecture in only:
        if architecture not in _ARCHITECTURES:
            known = " and ".join(_ARCHITECTURES)
            raise BadValueError(
                f"unknown architecture `{architecture}`",
                hint=nearest(architecture, _ARCHITECTURES) or f"known are {known}",
            )
    return BasePackage(name=match["name"], only=only)


def _base(section: Value | None) -> BaseSpec:
    keys = section.fields(("suites", "sets", "packages", "exclude", "drop")) if section else {}
    of_sets = [package(name) for item in items_at(keys, "sets") for name in item.parsed(_set) or ()]
    own = tuple(p for item in items_at(keys, "packages") if (p := item.parsed(package)))
    exclude = tuple(e for item in items_at(keys, "exclude") if (e := item.parsed(_excluded)))
    drop = tuple(d for item in items_at(keys, "drop") if (d := item.parsed(_pattern)))
    suites = tuple(s for item in items_at(keys, "suites") if (s := item.parsed(_suite)))
    named = {p.name for p in (*of_sets, *own)}
    return BaseSpec(
        suites=suites,
        packages=(*map(package, PACKAGES), *of_sets, *own),
        exclude=tuple(dict.fromkeys((*(e for e in EXCLUDE if e not in named), *exclude))),
        drop=tuple(dict.fromkeys((*DROP, *drop))),
    )


def _set(text: str) -> tuple[str, ...]:
    if text not in SETS:
        known = ", ".join(f"`{name}`" for name in SETS)
        raise BadValueError(f"unknown set `{text}`", hint=nearest(text, SETS) or f"known are {known}")
    return SETS[text]


def _certificate(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BadValueError(f"not a path in the project: {text!r}", hint="for example `certificates/ca.pem`")
    return str(path)


def _excluded(text: str) -> str:
    name = package(text).name
    if name in CORE:
        raise BadValueError(f"`{name}` cannot be excluded: every image needs it")
    return text if text == name else name


def _suite(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]*", text):
        raise BadValueError(f"not a Debian suite: {text!r}", hint="for example `bookworm` or `bookworm-security`")
    return text


def _pattern(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BadValueError(f"not a relative path or pattern: {text!r}", hint="for example `usr/share/perl5/**`")
    return text


def _services(section: Value | None) -> tuple[Service, ...]:
    found = (_service(name, value) for name, value in section.fields().items()) if section else ()
    return tuple(service for service in found if service)


def _service(name: str, value: Value) -> Service | None:
    if not _SERVICE.fullmatch(name):
        value.fault(f"`{value.key}`: not a service name", "use lower case letters, digits and `-`")
        return None
    keys = value.fields(_SERVICE_KEYS.get(name, ("command", "port")))
    if name not in _BUILT_IN and "command" not in keys:
        value.fault(f"`{value.key}`: `command:` is missing", nearest(name, _BUILT_IN))
    listens = _one(keys, "port", _service_port)
    return Service(
        name=name,
        command=(keys["command"].text() or "") if "command" in keys else "",
        port=listens or _BUILT_IN.get(name),
        forwarding="forwarding" in keys and bool(keys["forwarding"].boolean()),
    )


def _labels(section: Value | None) -> dict[str, str]:
    fields = section.fields().items() if section else ()
    return {name: text for name, value in fields if (text := value.text()) is not None and not has_login(value, text)}


def _check_ports(keys: Mapping[str, Value], image: ImageSpec) -> None:
    """Report two services on one port."""
    first: dict[int, str] = {}
    for service in image.services:
        if service.port in first:
            keys["services"].fault(f"`{first[service.port]}` and `{service.name}` both listen on port {service.port}")
        if service.port is not None:
            first.setdefault(service.port, service.name)


def _check_base(keys: Mapping[str, Value], image: ImageSpec) -> None:
    """Report a service without its program."""
    if any(s.name == "ssh" for s in image.services) and "openssh-server" in image.base.exclude:
        keys["services"].fault("`ssh` needs `openssh-server`, which `image.base.exclude` excludes")


def _one(keys: Mapping[str, Value], key: str, parse: Callable[[str], T]) -> T | None:
    return keys[key].parsed(parse) if key in keys else None
