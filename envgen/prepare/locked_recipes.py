"""What a lock says of packages that a Debian recipe builds, in place of building them to know it.

The build string of the package with files holds a digest of the recipe, of the `.deb` files and of the builder. Where
the lock has the package under the same name, version and build, its digests are those that a build would give; `create`
builds it and compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.lock.conda_lock import dependencies_of
from envgen.packages import BuiltArchive
from envgen.prepare.built import known_facts
from envgen.records import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.convert.deb_plan import DebianRecipePackage
    from envgen.lock.model import Lock
    from envgen.names import CondaName
    from envgen.packages import BuiltPackage
    from envgen.platforms import Platform
    from envgen.sources.recipes import Recipe
    from envgen.system.store import Store


def locked_records(
    store: Store, recipe: Recipe, described: Sequence[DebianRecipePackage], lock: Lock | None, *, platform: Platform
) -> dict[CondaName, Record]:
    """Return the records of the packages of a recipe that need not be built, by name.

    Args:
        store: knows what was built on this machine, which counts for more than the lock.
        recipe: that builds them.
        described: all that it builds, the package with files first.
        lock: has them; None where they are to be built.
        platform: that they are for.
    """
    if lock is None or lock.recipes.get(recipe.name) != recipe.digest:
        return {}
    locked = {package.name: package for package in lock.built if package.recipe == recipe.name}
    if not _is_same(locked.get(described[0].name), described[0]):
        return {}
    found = ((one, locked.get(one.name)) for one in described)
    return {
        one.name: _record(one, package.archive, platform)
        for one, package in found
        if package and _is_same(package, one) and not _was_built_otherwise(store, one, package)
    }


def _is_same(package: BuiltPackage | None, described: DebianRecipePackage) -> bool:
    return (
        package is not None
        and package.size is not None
        and (package.dist, package.subdir) == (described.dist, described.subdir)
        and package.dependencies == dependencies_of(described.depends)
    )


def _was_built_otherwise(store: Store, described: DebianRecipePackage, package: BuiltPackage) -> bool:
    facts = known_facts(store, described.key)
    return facts is not None and facts.content != package.content


def foreseen_record(recipe: Recipe, described: DebianRecipePackage, platform: Platform) -> Record:
    """Return the record of a package before it is built: all of it but the digests and the size of its archive."""
    nothing = Sha256.of(b"")
    filename = f"{described.dist}.conda"
    origin = BuiltArchive(recipe=recipe.name, filename=filename, md5="", sha256=nothing, content=nothing, size=None)
    return _record(described, origin, platform)


def _record(described: DebianRecipePackage, origin: BuiltArchive, platform: Platform) -> Record:
    index = described.index(platform)
    return Record(
        name=described.name,
        version=described.version,
        build=described.build,
        build_number=index["build_number"],
        subdir=described.subdir,
        depends=described.depends,
        constrains=described.constrains,
        noarch=index.get("noarch"),
        origin=origin,
    )
