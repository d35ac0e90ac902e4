"""A Nix expression that needs no nixpkgs: every file of the locks as a fixed-output derivation.

`builtin:fetchurl` is the fetcher inside Nix (`<nix/fetchurl.nix>`): it asks each of `hashed-mirrors` for
`sha256/<digest>` first, then the address. The `blobs/` folder of a bundle has that shape. Written for Nix 2.8, which
knows the output hash modes `flat` and `recursive` alone.
"""

from __future__ import annotations

import re
from textwrap import indent
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.debs import Deb
from envgen.export.export_input import Exported
from envgen.export.nar import store_path
from envgen.packages import BuiltPackage, Wheel
from envgen.platforms import Platform
from envgen.templates import fill

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from envgen.digest import Sha256
    from envgen.export.export_input import ExportInput, NixTree
    from envgen.lock.model import Lock
    from envgen.packages import Package

SYSTEMS = {
    Platform.LINUX_64: "x86_64-linux",
    Platform.LINUX_AARCH64: "aarch64-linux",
    Platform.OSX_64: "x86_64-darwin",
    Platform.OSX_ARM64: "aarch64-darwin",
}
"""What Nix calls a platform; it has no Windows."""

_FETCHED = ("http://", "https://", "ftp://", "file://")
"""What `builtin:fetchurl` can open."""

_NO_ADDRESS = "file:///no-address-is-known-of-this-file-only-hashed-mirrors-have-it"
"""Stands where a derivation must have an address: Nix shows it where no mirror has the file."""

BUILDER = "builder"
"""Name of the archive with envgen, which Nix starts to make what `_BUILT` lists."""

_BUILT = {"envAt": "create", "image": "image"}
"""Attribute -> what envgen is to do. An image that was written as an archive takes the place of the built one."""

_SHOWN = 8
"""Names of files that one note lists."""

_LONGEST = 211
"""Characters of a name in the Nix store."""

_HEAD = """\
# {{ environment }} for {{ systems | join(", ") }}. Made by `envgen export nix`; evaluates without nixpkgs.
#     nix-build FILE -A {{ systems[0] }}.artifacts --option hashed-mirrors file:///.../BUNDLE/blobs
# BUNDLE is a folder of `envgen bundle --output BUNDLE/`. A daemon takes `hashed-mirrors` from trusted users only;
# without it, files come from the addresses below.
{%- if folder %}
#     nix-build FILE -A {{ systems[0] }}.env --argstr nars /FOLDER
# FOLDER holds the archives that `envgen export nix --nars` wrote: an absolute path, or an address without a last slash.
{ nars ? {{ folder }} }:
{%- endif %}
let
  fetched = name: mode: sha256: url: derivation {
    inherit name url;
    system = "builtin";
    builder = "builtin:fetchurl";
    outputHashAlgo = "sha256";
    outputHashMode = mode;
    outputHash = sha256;
    urls = [ url ];
    unpack = mode == "recursive";
    executable = false;
    preferLocalBuild = true;
  };
  fetch = name: fetched name "flat";
{%- if folder %}
  tree = name: fetched name "recursive";
  # a path is taken as well as an address
  escape = builtins.replaceStrings [ "%" " " "\\"" "#" "?" ] [ "%25" "%20" "%22" "%23" "%3F" ];
  archives = if builtins.substring 0 1 (toString nars) == "/" then "file://" + escape (toString nars) else nars;
{%- endif %}
{%- if built %}
  every = groups: builtins.filter (one: one ? outputHash)
    (builtins.concatMap builtins.attrValues (builtins.filter builtins.isAttrs (builtins.attrValues groups)));
  built = job: name: system: folder: artifacts: derivation {
    inherit name system job;
    builder = "${folder}/libc/ld.so";
    args = [
      "--library-path" "${folder}/libc:${folder}/python-lib"
      "${folder}/python/bin/python" "-I" "-B" "${folder}/build.py"
    ];
    files = builtins.concatStringsSep "\\n" (map (file: "${file.outputHash} ${file}") (every artifacts));
    passAsFile = [ "files" ];
  };
{%- endif %}
in
"""

_FLAKE = """\
{
  description = {{ description }};
  outputs = { self }:
    let
      files = {{ files }};
    in {
      legacyPackages = files;
      packages = builtins.mapAttrs (_: one:
        removeAttrs one [ "artifacts" "recurseForDerivations" ] // (if one ? env then { default = one.env; } else { })
      ) (removeAttrs files [ "recurseForDerivations" ]);
    };
}
"""


class _NixFile(Struct, frozen=True, kw_only=True):
    """A file, with its name in the Nix store."""

    attribute: str
    name: str
    sha256: Sha256
    url: str

    @property
    def text(self) -> str:
        """Return the derivation."""
        return f'fetch {nix_string(self.name)} "{self.sha256}"\n  {nix_string(self.url)}'


class _NixGroup(Struct, frozen=True, kw_only=True):
    name: str
    files: tuple[_NixFile, ...]


class _NixPlatform(Struct, frozen=True, kw_only=True):
    system: str
    groups: tuple[_NixGroup, ...]
    trees: Mapping[str, NixTree]


def render(inputs: ExportInput) -> Exported:
    """Write the files of all locks; see `envgen/export/README.md` for how to build them."""
    locks = [lock for lock in inputs.locks if lock.platform in SYSTEMS]
    platforms = [
        _NixPlatform(
            system=SYSTEMS[lock.platform],
            groups=tuple(_groups(inputs, lock)),
            trees=inputs.nix.trees.get(lock.platform, {}),
        )
        for lock in locks
    ]
    environment = inputs.locks[0].environment
    folder = nix_string(inputs.nix.folder) if inputs.nix.trees else ""
    built = any(BUILDER in platform.trees for platform in platforms)
    systems = [platform.system for platform in platforms]
    head = fill(_HEAD, environment=environment, systems=systems, folder=folder, built=built)
    body = _set({platform.system: _platform(platform, environment) for platform in platforms})
    text = f"{head}{body}\n"
    return Exported(
        text=_flake(text, environment, is_function=bool(folder)) if inputs.nix.flake else text,
        notes=(*_notes(inputs, platforms), *_tree_notes(inputs, platforms, environment)),
    )


def _flake(text: str, environment: str, *, is_function: bool) -> str:
    files = f"(\n{indent(text, '        ')}      )" + (" { }" if is_function else "")
    return fill(_FLAKE, description=nix_string(f"{environment}, locked by envgen"), files=files)


def _tree_name(environment: str, attribute: str) -> str:
    return store_name(f"{environment}-{attribute}")


def _tree_notes(inputs: ExportInput, platforms: Iterable[_NixPlatform], environment: str) -> Iterator[str]:
    for platform in platforms:
        for attribute, tree in platform.trees.items():
            path = store_path(tree.sha256, _tree_name(environment, attribute), store=inputs.nix.store)
            yield f"{platform.system}.{attribute} is {path}, {tree.content}"
            yield f"  sha256:{tree.sha256} of {tree.size} bytes in `{tree.file}`"
    if inputs.nix.trees:
        yield "Nix keeps contents, links and whether a file is executable; other modes, times and owners are its own"


def _platform(platform: _NixPlatform, environment: str) -> str:
    """Write what there is for a platform; artifacts get a name where derivations are built from them."""
    groups = _set({group.name: _set({file.attribute: file.text for file in group.files}) for group in platform.groups})
    trees = {
        attribute: _tree(_tree_name(environment, attribute), tree)
        for attribute, tree in platform.trees.items()
        if attribute != BUILDER
    }
    builder = platform.trees.get(BUILDER)
    if builder is None:
        return _set({"artifacts": groups} | trees)
    built = {
        attribute: _built(job, _tree_name(environment, attribute), platform.system) for attribute, job in _BUILT.items()
    }
    named = indent(f"artifacts = {groups};\nbuilder = {_tree(_tree_name(environment, BUILDER), builder)};", "  ")
    return f"let\n{named}\nin {_set({'artifacts': 'artifacts'} | built | trees)}"


def _built(job: str, name: str, system: str) -> str:
    return f'built "{job}" {nix_string(name)} "{system}" {BUILDER} artifacts'


def _tree(name: str, tree: NixTree) -> str:
    return f'tree {nix_string(name)} "{tree.sha256}"\n  (archives + {nix_string("/" + tree.file)})'


def _set(members: Mapping[str, str]) -> str:
    """Write an attribute set that `nix-build` descends into."""
    lines = [f"{_attribute(name)} = {text};" for name, text in members.items()]
    return "{\n" + indent("\n".join(["recurseForDerivations = true;", *lines]), "  ") + "\n}"


def nix_string(text: str) -> str:
    """Return a text as a string of the Nix language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${").replace("\n", "\\n")
    return f'"{escaped}"'


def store_name(text: str) -> str:
    """Return what a file is called in the Nix store, which permits `[A-Za-z0-9+._?=-]` and no dot in front."""
    found = re.sub(r"[^A-Za-z0-9+._?=-]", "_", text)
    return (f"_{found}" if found.startswith(".") else found)[-_LONGEST:].lstrip(".")


def _groups(inputs: ExportInput, lock: Lock) -> Iterator[_NixGroup]:
    debian = inputs.debian.get(lock.platform)
    recipes = {user for deb in debian.packages for user in deb.used_by} if debian else set()
    wheels = [package for package in lock.packages if isinstance(package, Wheel)]
    # what a recipe makes of Debian packages is not a file of a bundle: its packages are
    archives = [
        package
        for package in lock.packages
        if not isinstance(package, Wheel) and not (isinstance(package, BuiltPackage) and package.recipe in recipes)
    ]
    for name, packages in (("wheels", wheels), ("channel", archives), ("debs", debian.packages if debian else ())):
        if packages:
            yield _NixGroup(name=name, files=_files(inputs, packages))


def _files(inputs: ExportInput, packages: Iterable[Package | Deb]) -> tuple[_NixFile, ...]:
    found: dict[str, _NixFile] = {}
    for package in packages:
        # nix-build passes over attributes whose names are not of this form
        attribute = re.sub(r"[^A-Za-z0-9_+-]", "_", str(package.name))
        attribute = attribute if re.match(r"[A-Za-z_]", attribute) else f"_{attribute}"
        if attribute in found:
            attribute = f"{attribute}-{package.sha256[:8]}"
        found[attribute] = _NixFile(
            attribute=attribute,
            name=store_name(_file_name(package)),
            sha256=package.sha256,
            url=_address(inputs, package),
        )
    return tuple(found.values())


def _attribute(name: str) -> str:
    """Return a name as an attribute: in quotes where it is not an identifier, or a word of the language."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name)
    return name if plain and name not in _KEYWORDS else nix_string(name)


_KEYWORDS = frozenset({"assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"})


def _file_name(package: Package | Deb) -> str:
    return package.path.rpartition("/")[2] if isinstance(package, Deb) else package.filename


def _address(inputs: ExportInput, package: Package | Deb) -> str:
    if isinstance(package, Wheel) and package.made:  # the address is that of its source
        return _NO_ADDRESS
    found = inputs.urls.get(package.sha256, package.url)
    return found if found.startswith(_FETCHED) else _NO_ADDRESS


def _notes(inputs: ExportInput, platforms: Iterable[_NixPlatform]) -> Iterator[str]:
    left = [str(lock.platform) for lock in inputs.locks if lock.platform not in SYSTEMS]
    if left:
        yield f"left out, as Nix has no such system: {', '.join(left)}"
    files = [file for platform in platforms for group in platform.groups for file in group.files]
    bare = list(dict.fromkeys(f"`{file.attribute}`" for file in files if file.url == _NO_ADDRESS))
    if bare:
        more = f" and {len(bare) - _SHOWN} more" if len(bare) > _SHOWN else ""
        names = ", ".join(bare[:_SHOWN]) + more
        yield f"no address that Nix can open is known of {names}: only `hashed-mirrors` with a bundle has them"
