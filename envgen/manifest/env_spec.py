"""What a person wants, as types: the parsed form of `environments/<env>.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from packaging.requirements import Requirement

    from envgen.builds import BuildTerms
    from envgen.indexes import NamedIndex
    from envgen.licenses import LicensePolicy
    from envgen.manifest.audit_parse import Ignored
    from envgen.manifest.image_spec import ImageSpec
    from envgen.manifest.python_archive import PythonArchive
    from envgen.names import ProjectName
    from envgen.platforms import Platform, PythonMinor, Target


class EnvSpec(Struct, frozen=True, kw_only=True):
    """One environment.

    Attributes:
        name: of the environment, also the stem of its file and locks.
        python: the minor version of Python.
        python_archive: platform -> archive that Python comes from; for each Linux platform, or for none.
        targets: platform -> what its machines have; `python` stands in each.
        channels: conda channels (names, URLs or paths), first is strongest; may be empty.
        dependencies: MatchSpecs, from channels and recipes.
        pypi: PEP 508 requirements with markers and extras, from the wheel indexes.
        indexes: name -> wheel index beside the default one, sorted by name.
        names: project -> conda name, on top of the shipped name table.
        overrides: requirements that replace every requirement on their projects, from any package.
        constraints: requirements that narrow the versions of their projects, and ask for nothing.
        exclude: project -> projects that it is taken not to require.
        substitutes: project -> project that substitutes it everywhere.
        conflicts: path or pattern below the prefix -> package that keeps its file there, by either name, as written.
        trust_record: project -> why its wheel is taken although its RECORD does not fit.
        allow_older: project -> why a release older than the newest is accepted.
        builds: project -> what its build may do beyond the usual.
        build_constraints: requirements that narrow the versions of what builds run in.
        exclude_newer: ignore whatever was uploaded after this moment (aware, UTC), or None.
        cooldown: the same as an age: ignore what is younger when a lock is solved, or None; not both.
        image: what is around the environment in an OCI image, or None where no image is made of it.
        licenses: which licences the project accepts, or None where it does not say.
        accept: rule of `check`, or rule and package with a space between -> why its findings are accepted.
        audit: identifier of an advisory -> why the project ignores it, and until when.
        keep_wheels: whether wheels stay in the store after packages were made of them, also where no image needs them.
        solve_group: environments with the same one are solved together; None for one that is solved alone.
        description: a line for readers; may be empty.
        env: variable of activation, `run` and the image -> its value, as `variables.env_at` reads it.
        default: whether commands without an ENV argument take this one.
        source: path of the file, relative to the project root, with forward slashes.
        bases: paths of the files that it extends, likewise, sorted.
    """

    name: str
    python: PythonMinor
    targets: Mapping[Platform, Target]
    python_archive: Mapping[Platform, PythonArchive] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    pypi: tuple[Requirement, ...] = ()
    indexes: Mapping[str, NamedIndex] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[Requirement, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    exclude: Mapping[ProjectName, tuple[ProjectName, ...]] = field(default_factory=dict)
    substitutes: Mapping[ProjectName, ProjectName] = field(default_factory=dict)
    conflicts: Mapping[str, str] = field(default_factory=dict)
    trust_record: Mapping[ProjectName, str] = field(default_factory=dict)
    allow_older: Mapping[ProjectName, str] = field(default_factory=dict)
    builds: Mapping[ProjectName, BuildTerms] = field(default_factory=dict)
    build_constraints: tuple[Requirement, ...] = ()
    exclude_newer: dt.datetime | None = None
    cooldown: dt.timedelta | None = None
    image: ImageSpec | None = None
    licenses: LicensePolicy | None = None
    accept: Mapping[str, str] = field(default_factory=dict)
    audit: Mapping[str, Ignored] = field(default_factory=dict)
    keep_wheels: bool = False
    solve_group: str | None = None
    description: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    default: bool = False
    source: str
    bases: tuple[str, ...] = ()
