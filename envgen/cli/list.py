"""`envgen list`: what is locked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import environments_argument, json_option, platform_option
from envgen.cli.several import by_environment, is_several, titles
from envgen.cli.sizes import counted, human_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.cli.console import Console
    from envgen.ops import Component, ListedPackage, LockListing
    from envgen.platforms import Platform

    _Listings = Mapping[tuple[str, Platform], LockListing]


@click.command("list", epilog=examples("envgen list --stack", "envgen list train serve --platform linux-64"))
@environments_argument
@platform_option("this platform only; may be repeated")
@click.option(
    "--stack", is_flag=True, help="only the accelerator stack: torch, CUDA, cuDNN, NCCL, MKL, oneCCL, SYCL, IPEX"
)
@json_option
@click.pass_obj
def command(
    console: Console, envs: tuple[str, ...], platforms: tuple[Platform, ...], stack: bool, as_json: bool
) -> None:
    """List the packages of the locks; of several environments side by side."""
    listings = {
        (one.environment, one.platform): one
        for one in ops.list_packages(console.context(), envs=envs, platforms=platforms)
    }
    if as_json:
        facts = _stack_json if stack else _packages_json
        console.json(by_environment({key: facts(one) for key, one in listings.items()}, envs))
    elif stack:
        _stack(console, listings, titles(listings, envs))
    elif is_several(envs):
        _side_by_side(console, listings, titles(listings, envs))
    else:
        _packages(console, listings.values())


def _stack(console: Console, listings: _Listings, title: Mapping[tuple[str, Platform], str]) -> None:
    rows = zip(*(listing.stack for listing in listings.values()), strict=True)
    columns = ("", *title.values())
    console.table(columns, [(parts[0].what, *(_version(part) for part in parts)) for parts in rows])


def _stack_json(listing: LockListing) -> dict[str, Any]:
    return {component.what: _component(component) for component in listing.stack}


def _version(component: Component) -> str:
    package = component.package
    return f"{package.version} ({package.name})" if package else "-"


def _component(component: Component) -> dict[str, str] | None:
    package = component.package
    return {"package": package.name, "version": package.version} if package else None


def _packages(console: Console, listings: Iterable[LockListing]) -> None:
    for listing in listings:
        packages = listing.packages
        about = f" ({listing.description})" if listing.description else ""
        console.say(f"{listing.environment}{about} for {listing.platform}: {counted(len(packages), 'package')}")
        rows = [(_name(p), p.version, p.kind, human_size(p.size) if p.size else "?") for p in packages]
        console.table(("name", "version", "from", "size"), rows, right=("size",))


def _side_by_side(console: Console, listings: _Listings, title: Mapping[tuple[str, Platform], str]) -> None:
    """Write a row for each package, with its version in each lock."""
    versions: dict[tuple[str, str], dict[tuple[str, Platform], str]] = {}
    for key, listing in listings.items():
        for package in listing.packages:
            versions.setdefault((_name(package), package.kind), {})[key] = package.version
    rows = [(*which, *(found.get(key, "-") for key in listings)) for which, found in sorted(versions.items())]
    console.table(("name", "from", *title.values()), rows)


def _packages_json(listing: LockListing) -> list[dict[str, Any]]:
    return [_package(package) for package in listing.packages]


def _name(package: ListedPackage) -> str:
    return f"{package.name} (for {', '.join(package.stands_for)})" if package.stands_for else package.name


def _package(package: ListedPackage) -> dict[str, Any]:
    return {
        "name": package.name,
        "version": package.version,
        "from": str(package.kind),
        "sha256": package.sha256,
        "bytes": package.size,
        "stands-for": list(package.stands_for),
    }
