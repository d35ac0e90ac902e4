"""The JSON Schema of `environments/*.yaml` and of `recipes/*/debian.yaml`, for editors.

It has the keys, the kinds of their values, and words of a fixed set, not the names and versions that the parsers check.
A test compares it with the parsers. Format: JSON Schema, draft 7, which the YAML language server reads. An empty value
is allowed where the parser allows it, and a number where a text is expected: `python: 3.11`.
"""

from __future__ import annotations

from typing import Any

from envgen.checks import RULES
from envgen.manifest.image_spec import SETS
from envgen.platforms import Platform

Schema = dict[str, Any]

REQUIRED = ("name", "python", "platforms")
"""Keys of every spec, of which those that it extends may have all but the name."""

_DRAFT = "http://json-schema.org/draft-07/schema#"


def spec_schema() -> Schema:
    """Return the JSON Schema of a spec."""
    properties = _packages() | _adjustments() | _policies()
    return {
        "$schema": _DRAFT,
        "title": "envgen: a spec, environments/*.yaml",
        **_fields("a spec", properties),
        "type": "object",
        "anyOf": [{"required": list(REQUIRED)}, {"required": ["name", "extends"]}, {"not": {"required": ["name"]}}],
    }


def debian_schema() -> Schema:
    """Return the JSON Schema of a recipe from Debian packages."""
    edit = {key: _text(what) for key, what in _EDIT.items()}
    output = {key: _text(what) for key, what in _OUTPUT.items()}
    output |= {key: _list(what) for key, what in _RELATIONS.items()}
    lists = {key: _list(what) for key, what in (_DEBIAN_LISTS | _RELATIONS).items()}
    of_python = {**lists, "rebind": _map(_DEBIAN_MAPS["rebind"], _text(""))}
    properties = {
        **{key: _text(what) for key, what in _DEBIAN_TEXTS.items()},
        **lists,
        **{key: _map(what, _text("")) for key, what in _DEBIAN_MAPS.items()},
        "pythons": _map("minor version of Python: what is added for it", _fields("", of_python)),
        "edit": _list("changes of text; one that finds nothing is an error", _fields("", edit, required=tuple(edit))),
        "outputs": _list("further packages", _fields("", output, required=tuple(_OUTPUT))),
    }
    return {
        "$schema": _DRAFT,
        "title": "envgen: a recipe from Debian packages, recipes/*/debian.yaml",
        **_fields("a recipe", properties, required=("name", "version-from")),
        "type": "object",
    }


_DEBIAN_TEXTS = {
    "name": "name of the conda package",
    "version-from": "the Debian package whose upstream version the package gets",
    "summary": "summary of the package",
    "license": "licence of the package",
    "home": "home page of the package",
    "c-library": "folder for the C library that a compiler links programs with",
}
_DEBIAN_LISTS = {
    "suites": "Debian suites",
    "packages": "Debian packages; what they require is added",
    "exclude": "Debian packages at which the closure stops",
    "drop": "patterns of files that are left out",
    "relocate": "patterns of text files in which absolute paths are changed to Debian's folder in the prefix",
}
_DEBIAN_MAPS = {
    "links": "path: target, both relative to the prefix",
    "join": "path: pattern of the files that are concatenated into it",
    "files": "path: text file of the recipe",
    "rebind": "symbol of the C library: symbol and version that are bound in its place",
}
_RELATIONS = {"depends": "MatchSpecs that are required", "constrains": "MatchSpecs that hold if the package is there"}
_EDIT = {"files": "pattern of paths", "old": "text to find", "new": "text in its place"}
_OUTPUT = {"name": "name of the package", "version": "its version", "build": "its build string"}


def _packages() -> Schema:
    """Describe the keys that say what is installed, and from where."""
    facts = {
        "glibc": _text("glibc of the machines, such as 2.36"),
        "macos": _text("macOS of the machines, such as 13.0"),
        "cuda": _text("newest CUDA that their driver supports, such as 12.8"),
        "archspec": _text("microarchitecture, such as x86_64_v3"),
    }
    archive = {"url": _text("address of the archive"), "sha256": _text("of its bytes")}
    index = {
        "url": _text("address of a Simple API, a page of links or a folder; may have variables"),
        "projects": _list("projects, or patterns with `*`, that come from this index"),
        "undated": _text("why `exclude-newer` may be used although the index has no upload times"),
    }
    build = {
        "network": _text("why builds may use the network"),
        "reproducible": _text("why other machines may get other files"),
        "isolation": _text("why the build runs in the environment itself, and sees its packages"),
        "variables": _map("variables of the build", _text("")),
    }
    return {
        "name": _text("name of the environment, the same as that of the file"),
        "extends": {
            "description": "specs of this folder that this one is merged with",
            "type": ["string", "array", "null"],
            "items": _text(""),
        },
        "solve-group": _text("specs with the same group are solved together, so that they share versions"),
        "description": _text("a line about the environment"),
        "python": _text("minor version of Python, such as 3.11", pattern=r"^\d+\.\d+$"),
        "python-archive": _map(
            "relocatable archives that Python comes from", _fields("", archive, required=tuple(archive))
        ),
        "platforms": _map("platforms to lock, and what their machines have", _fields("", facts), names=list(Platform)),
        "channels": _list("conda channels, highest priority first"),
        "dependencies": _list("conda MatchSpecs, from channels and recipes"),
        "pypi": _list("PEP 508 requirements, from wheel indexes"),
        "indexes": _map("further wheel indexes", _fields("", index, required=("url", "projects"))),
        "names": _map("project: conda name of the same software", _text("")),
        "builds": _map("project: what its build may do", _fields("", build)),
        "build-constraints": _list("constraints for build environments"),
        "exclude-newer": _text("ignore later uploads: a date or an age, such as 2026-11-22 or `7 days`"),
        "keep-wheels": _flag("keep wheels in the cache"),
        "default": _flag("commands use this spec when several exist and none is named"),
    }


def _adjustments() -> Schema:
    """Describe the keys that change what packages require, and exceptions by name."""
    return {
        "overrides": _list("requirements in place of those of packages"),
        "constraints": _list("requirements that only narrow versions"),
        "exclude": _map("project: projects that it is taken not to require", _list("")),
        "substitutes": _map("project: the project that is installed in its place", _text("")),
        "conflicts": _map("path or pattern: the package whose file is kept", _text("")),
        "trust-record": _map("project: why its wheel is accepted although RECORD does not fit", _text("")),
        "allow-older": _map("project: why a release older than the newest is accepted", _text("")),
    }


def _policies() -> Schema:
    """Describe the keys that a solve does not depend on."""
    ignored = {"reason": _text("why it is ignored"), "until": _text("last day, such as 2027-03-31")}
    licenses = {
        "allow": _list("SPDX identifiers or patterns; nothing else is allowed"),
        "deny": _list("SPDX identifiers or patterns"),
        "packages": _map("package: its licence, where it does not state one", _text("")),
    }
    accept = _map("rule, or rule and package: why the finding is accepted", _text(""))
    accept["propertyNames"] = {"pattern": f"^({'|'.join(RULES)})( .+)?$"}
    audit = {"ignore": _map("identifier of a vulnerability", _fields("", ignored, required=tuple(ignored)))}
    return {
        "licenses": _fields("licence policy", licenses),
        "check": _fields("accepted findings of `envgen check`", {"accept": accept}),
        "audit": _fields("vulnerabilities that are ignored until a day", audit),
        "env": _map("variables of activation, `envgen run` and the image; `${prefix}` is replaced", _text("")),
        "image": _fields("what surrounds the environment in an image", _image()),
    }


def _image() -> Schema:
    base = {
        "suites": _list("Debian suites"),
        "sets": _list("named lists of Debian packages", _text("", enum=list(SETS))),
        "packages": _list("Debian packages beside the default ones, such as `libze1 [amd64]`"),
        "exclude": _list("Debian packages that are left out"),
        "drop": _list("patterns of files that are left out"),
    }
    port = {"port": _text("TCP port from 1024 to 65535")}
    service = _fields("", {"command": _text("what starts the service"), **port}, required=("command",))
    services = _map("what starts when no command is given", service)
    services["properties"] = {
        "jupyter": _fields("JupyterLab", port),
        "ssh": _fields("OpenSSH", {**port, "forwarding": _flag("forward ports, sockets and the agent")}),
    }
    return {
        "base": _fields("Debian packages of the image", base),
        "prefix": _text("folder of the environment, below /opt, /srv or /home"),
        "user": _fields("account of the image", {"name": _text("its name"), "uid": _text("its number")}),
        "services": services,
        "ports": _list("exposed ports, such as 9000 or 5353/udp"),
        "environment": _map("variables; `${prefix}`, `${home}` and `${user}` are replaced", _text("")),
        "labels": _map("labels of the image", _text("")),
        "certificates": _list("files with further certificate authorities"),
        "layers": _fields("limits", {"count": _text("number of layers"), "size": _text("size, such as 2 GB")}),
    }


def _described(what: str, **schema: Any) -> Schema:
    return {"description": what, **schema} if what else schema


def _text(what: str, **more: Any) -> Schema:
    return _described(what, type=["string", "number"], **more)


def _flag(what: str) -> Schema:
    return _described(what, type=["boolean", "null"])


def _list(what: str, item: Schema | None = None) -> Schema:
    return _described(what, type=["array", "null"], items=item or _text(""))


def _map(what: str, value: Schema, *, names: list[Platform] | None = None) -> Schema:
    known = {"propertyNames": {"enum": [str(name) for name in names]}} if names else {}
    return _described(what, type=["object", "null"], additionalProperties=value, **known)


def _fields(what: str, properties: Schema, *, required: tuple[str, ...] = ()) -> Schema:
    needed = {"required": list(required)} if required else {}
    return _described(what, type=["object", "null"], properties=properties, additionalProperties=False, **needed)
