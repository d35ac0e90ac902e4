"""`envgen list`: what is locked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.options import env_argument, json_option, platform_option
from envgen.cli.sizes import counted, human_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.cli.console import Console
    from envgen.ops import Component, ListedPackage, LockListing
    from envgen.platforms import Platform


@click.command("list")
@env_argument
@platform_option("this platform only; may be repeated")
@click.option(
    "--stack", is_flag=True, help="only the accelerator stack: torch, CUDA, cuDNN, NCCL, MKL, oneCCL, SYCL, IPEX"
)
@json_option
@click.pass_obj
def command(console: Console, env: str | None, platforms: tuple[Platform, ...], stack: bool, as_json: bool) -> None:
    """List the packages of the locks."""
    listings = ops.list_packages(console.context(), env=env, platforms=platforms)
    if stack:
        _stack(console, listings, as_json=as_json)
    else:
        _packages(console, listings, as_json=as_json)


def _stack(console: Console, listings: Sequence[LockListing], *, as_json: bool) -> None:
    tables = {str(listing.platform): listing.stack for listing in listings}
    if as_json:
        console.json({platform: {c.what: _component(c) for c in table} for platform, table in tables.items()})
        return
    rows = zip(*tables.values(), strict=True)
    columns = ("", *tables)
    console.table(columns, [(parts[0].what, *(_version(part) for part in parts)) for parts in rows])


def _version(component: Component) -> str:
    package = component.package
    return f"{package.version} ({package.name})" if package else "-"


def _component(component: Component) -> dict[str, str] | None:
    package = component.package
    return {"package": package.name, "version": package.version} if package else None


def _packages(console: Console, listings: Sequence[LockListing], *, as_json: bool) -> None:
    if as_json:
        console.json({str(listing.platform): [_package(p) for p in listing.packages] for listing in listings})
        return
    for listing in listings:
        packages = listing.packages
        about = f" ({listing.description})" if listing.description else ""
        console.say(f"{listing.environment}{about} for {listing.platform}: {counted(len(packages), 'package')}")
        rows = [(_name(p), p.version, p.kind, human_size(p.size) if p.size else "?") for p in packages]
        console.table(("name", "version", "from", "size"), rows, right=("size",))


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
