"""`init`: the first spec of a project."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.errors import SpecError, UsageError, UserError
from envgen.manifest import values
from envgen.manifest.document import BadValueError
from envgen.manifest.parse import parse_spec
from envgen.manifest.select import FOLDER
from envgen.ops._schema import MODELINE, refuse_other_schema, write_schema
from envgen.project import shipped
from envgen.project.starter import NewSpec, starter_text
from envgen.pythons import DEFAULT
from envgen.suggest import nearest
from envgen.system.fs import atomic_write
from envgen.system.host import probe_host

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from envgen.platforms import Platform


class InitOptions(Struct, frozen=True, kw_only=True):
    """What a person says about a new environment.

    Attributes:
        name: of it; that of the folder without, or of the template.
        python: the minor version.
        platforms: those to lock; this machine's without.
        channels: conda channels, strongest first.
        dependencies: MatchSpecs.
        pypi: requirements.
        cuda: newest CUDA of the machines' driver, or None without a GPU.
        template: name of a spec that ships with envgen, to be copied as it is.
        schema: also write the JSON Schema of specs, and name it in the first line of the spec.

    Raises:
        UsageError: something is asked for beside a template.
    """

    name: str | None = None
    python: str = DEFAULT
    platforms: Sequence[Platform] = ()
    channels: Sequence[str] = ()
    dependencies: Sequence[str] = ()
    pypi: Sequence[str] = ()
    cuda: str | None = None
    template: str | None = None
    schema: bool = False

    def __post_init__(self) -> None:
        if self.template and (self.channels or self.dependencies or self.pypi or self.cuda or self.platforms):
            raise UsageError(
                "`--from` cannot be combined with options that write a spec", hint="edit the copy afterwards"
            )


class InitResult(Struct, frozen=True, kw_only=True):
    """What `init` wrote.

    Attributes:
        file: the spec.
        spec: what went into it; None for a copied one.
        schema: path of the schema that was written, from the root of the project, or None.
    """

    file: Path
    spec: NewSpec | None = None
    schema: str | None = None


class InitField(StrEnum):
    """What a person may be asked for."""

    NAME = "name"
    PYTHON = "python"
    PLATFORM = "platform"
    CUDA = "cuda"
    PYPI = "pypi"
    DEPENDENCY = "dependency"


_PARSERS: dict[InitField, Callable[[str], Any]] = {
    InitField.NAME: values.environment_name,
    InitField.PYTHON: values.python_minor,
    InitField.PLATFORM: values.platform,
    InitField.CUDA: values.cuda,
    InitField.PYPI: values.requirement,
    InitField.DEPENDENCY: values.match_spec,
}


def check_init_field(field: InitField, text: str) -> str:
    """Return a text that can stand in a spec.

    Raises:
        UserError: it cannot.
    """
    try:
        _PARSERS[field](text)
    except BadValueError as error:
        raise UserError(str(error), hint=error.hint) from error
    return text


def init_defaults(directory: Path) -> InitOptions:
    """Return what `init` takes for what nobody says: the folder's name, where it can be one, and this platform."""
    try:
        name = values.environment_name(directory.name)
    except BadValueError:
        name = None
    return InitOptions(name=name, platforms=(probe_host().platform,))


def init(directory: Path, options: InitOptions, *, today: dt.date) -> InitResult:
    """Write the spec of a new environment.

    Args:
        directory: of the project.
        options: what goes in.
        today: stands in a comment.

    Raises:
        UsageError: there is no name, and the folder's cannot be one.
        UserError: there is such an environment already, no template of that name ships, or another file has the place
            of the schema.
        SpecError: something that was asked for is not valid.
    """
    if options.schema:
        refuse_other_schema(directory)
    head, spec = MODELINE if options.schema else "", None
    if options.template:
        name = options.name or options.template
        file = _write(directory, name, head + _copied(options.template, name))
    else:
        spec = _spec(options, directory)
        file = _write(directory, spec.name, head + starter_text(spec, today=today))
    return InitResult(file=file, spec=spec, schema=write_schema(directory) if options.schema else None)


def _spec(options: InitOptions, directory: Path) -> NewSpec:
    defaults = init_defaults(directory)
    name = options.name or defaults.name
    if name is None:
        raise UsageError(
            f"the name of the folder, {directory.name!r}, is not a valid environment name",
            hint="pass a name: `envgen init NAME`",
        )
    return NewSpec(
        name=name,
        python=options.python,
        platforms=options.platforms or defaults.platforms,
        channels=options.channels,
        dependencies=options.dependencies,
        pypi=options.pypi,
        cuda=options.cuda,
    )


def _copied(template: str, name: str) -> str:
    specs = shipped.shipped_specs()
    if template not in specs:
        known = ", ".join(f"`{one}`" for one in specs)
        raise UserError(f"unknown shipped spec `{template}`", hint=nearest(template, specs) or f"known specs: {known}")
    return specs[template].read_text(encoding="utf-8").replace(f"name: {template}\n", f"name: {name}\n")


def _write(directory: Path, name: str, text: str) -> Path:
    source = f"{FOLDER}/{name}.yaml"
    file = directory / source
    if file.exists():
        raise UserError(f"`{source}` already exists", hint="choose another name, or edit the file")
    try:
        parse_spec(text, source=source)
    except SpecError as error:
        raise SpecError(error.faults, hint="nothing was written") from error
    try:
        atomic_write(file, text)
    except OSError as error:
        raise UserError(f"failed to write `{file}`: {error.strerror}") from error
    return file
