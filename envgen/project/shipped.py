"""What ships with envgen: the name table, Debian's archive keys, recipes, the starter spec, the entry of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from envgen.licenses import LicenseTable
from envgen.meant import MeantTable
from envgen.names import NameTable, parse_families
from envgen.sources.recipes import find_recipes, output_names
from envgen.structs import replace

if TYPE_CHECKING:
    from envgen.sources.recipes import Recipe

_DATA = Path(__file__).parents[1] / "data"


def name_table() -> NameTable:
    """Read the shipped tables of names and families."""
    table = NameTable.from_toml((_DATA / "names.toml").read_text(encoding="utf-8"))
    return replace(table, families=parse_families((_DATA / "families.toml").read_text(encoding="utf-8")))


def license_table() -> LicenseTable:
    """Read the shipped table of licences."""
    return LicenseTable.from_toml((_DATA / "licenses.toml").read_text(encoding="utf-8"))


def meant_table() -> MeantTable:
    """Read the shipped table of names that are not those of projects."""
    return MeantTable.from_toml((_DATA / "meant.toml").read_text(encoding="utf-8"))


def starter_template() -> str:
    """Read the template of a new spec."""
    return (_DATA / "starter.yaml.j2").read_text(encoding="utf-8")


def shipped_specs() -> dict[str, Path]:
    """Find the specs that ship, by name; in a source checkout they stand beside the package."""
    shipped = _DATA / "environments"
    folder = shipped if shipped.is_dir() else _DATA.parent.parent / "environments"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def debian_keys() -> tuple[bytes, ...]:
    """Read the public keys that sign Debian's archive."""
    return tuple(path.read_bytes() for path in sorted((_DATA / "debian").glob("*.asc")))


def image_entry() -> str:
    """Read the script that images start with."""
    return (_DATA / "image" / "entry.sh").read_text(encoding="utf-8")


def report_texts() -> dict[str, str]:
    """Read what the page of `envgen report` is made of: file name -> text."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((_DATA / "report").iterdir())}


def recipes(root: Path) -> dict[str, Recipe]:
    """Find every recipe by name: those of the project at `root`, which are stronger, and those that ship.

    In a source checkout the shipped ones are not inside the package: they stand beside it.

    Raises:
        SpecError: as `find_recipes` says.
    """
    folders = (root / "recipes", _shipped_recipes())
    return find_recipes(tuple(dict.fromkeys(folder for folder in folders if folder.is_dir())))


def recipes_by_package(root: Path) -> dict[str, Recipe]:
    """Find every recipe by its name and by those of its outputs; the name of a recipe is stronger.

    Raises:
        SpecError: as `find_recipes` says.
    """
    found = recipes(root)
    outputs = {name: recipe for recipe in found.values() if not recipe.is_debian for name in output_names(recipe)}
    return outputs | found


def driver_probe() -> Path:
    """Find the program that asks the drivers of GPUs: it belongs to the shipped recipe `accel-runtime`."""
    return _shipped_recipes() / "accel-runtime/src/accel_runtime/drivers.py"


def shipped_recipes() -> tuple[Path, ...]:
    """List the folders of the recipes that ship, sorted."""
    return tuple(sorted(path for path in _shipped_recipes().iterdir() if path.is_dir()))


def bundle_start() -> bytes:
    """Read the script that stands in bundles and installs envgen out of them."""
    return (_DATA / "bundle" / "start.py").read_bytes()


def nix_build() -> bytes:
    """Read the program that a derivation of Nix starts."""
    return (_DATA / "nix" / "build.py").read_bytes()


def _shipped_recipes() -> Path:
    shipped = _DATA / "recipes"
    return shipped if shipped.is_dir() else _DATA.parent.parent / "recipes"
