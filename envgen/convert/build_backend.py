"""The backend of a source tree: its build requirements, its metadata and its wheel, by the hooks of PEP 517.

Everything but `static_requires` runs code of the source.
"""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyproject_hooks
from build import BuildBackendException, BuildException, ProjectBuilder
from msgspec import Struct, field
from packaging.requirements import InvalidRequirement, Requirement

from envgen import limits
from envgen.convert.build_log import TIMEOUT, lacks_memory, tail
from envgen.errors import ArtifactError, BuildError
from envgen.system.process import ProcessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envgen.names import ProjectName
    from envgen.system.sandbox import Sandbox

SOURCE, PREFIX, OUT = "source", "env", "out"
"""Folders of the sandbox: the unpacked source, the environment of the build, what comes out."""

_EPOCH = 315_619_200
"""SOURCE_DATE_EPOCH of every build: 1980-01-02, which a zip file can hold in every time zone."""

_VERSIONS = {
    "setuptools-scm was unable to detect version": "SETUPTOOLS_SCM_PRETEND_VERSION",
    "Versioning for this project requires either an sdist tarball": "PBR_VERSION",
    "Cannot find the version from SCM": "PDM_BUILD_SCM_VERSION",
}
"""What backends say that take the version from git (setuptools-scm, pbr, pdm-backend) -> a variable that gives it."""

_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '(\w+)")

_ANSWER = "/output.json"
"""The file in which `pyproject_hooks` expects what a hook returns."""

_DAMAGED = (BuildException, BuildBackendException, OSError, ValueError, TypeError, KeyError)
"""What `build` and `pyproject_hooks` raise for what a source says and for what its backend answers."""


class SourceName(Struct, frozen=True, kw_only=True):
    """What messages call a source: `docopt` 0.6.2 from `docopt-0.6.2.tar.gz`.

    Attributes:
        project: whose source.
        version: of it; empty while only the backend knows.
        origin: file, folder or address.
    """

    project: ProjectName
    version: str
    origin: str

    def __str__(self) -> str:
        version = f" {self.version}" if self.version else ""
        return f"`{self.project}`{version} from `{self.origin}`"


class Backend(Struct, frozen=True, kw_only=True):
    """The backend of a source in a sandbox, whose folders are there.

    Attributes:
        sandbox: with the source below `SOURCE` and the environment below `PREFIX`.
        name: for messages.
        log: file that gets what the backend prints, step after step.
        variables: that the spec sets for it.
        isolated: whether its environment is its own.
        timeout: seconds of each step.
    """

    sandbox: Sandbox
    name: SourceName
    log: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    isolated: bool = True
    timeout: float = limits.BUILD_SECONDS

    def requires(self) -> tuple[str, ...]:
        """Return what the backend requires beyond `static_requires`, sorted.

        Raises:
            BuildError: it fails.
        """
        with self._step("asking for build requirements"):
            found = tuple(sorted(self._builder().get_requires_for_build("wheel")))
        if odd := next((text for text in found if not _is_requirement(text)), None):
            raise BuildError(f"the backend of {self.name} requires {odd!r}, which is not a requirement")
        return found

    def metadata(self) -> bytes:
        """Return the METADATA that the wheel will have.

        Raises:
            BuildError: it fails.
        """
        with self._step("preparing metadata") as out:
            folder = self._builder().prepare("wheel", out)
            if folder is not None:
                return _small(out / folder / "METADATA")
        from envgen.convert.canonical_wheel import metadata_of  # noqa: PLC0415  few backends lack the hook

        return metadata_of(self.wheel())

    def wheel(self) -> Path:
        """Build the wheel and return its path below the sandbox.

        Raises:
            BuildError: it fails.
        """
        with self._step("building the wheel") as out:
            found = out / self._builder().build("wheel", out)
            if found.parent != out or not found.is_file() or found.is_symlink():
                raise BuildError(f"the backend of {self.name} returned `{found.name}`, which is not a file")
            return found

    def editable(self) -> Path | None:
        """Build the wheel that links to the source, by the hook of PEP 660, and return its path below the sandbox.

        Returns:
            None where the backend lacks the hook, or requires more for it than for a wheel: that is not locked.

        Raises:
            BuildError: it fails.
        """
        with self._step("building the editable wheel") as out:
            builder = self._builder()
            if builder.get_requires_for_build("editable") - builder.get_requires_for_build("wheel"):
                return None
            try:
                return out / Path(builder.build("editable", out)).name
            except BuildBackendException as error:
                if isinstance(error.exception, pyproject_hooks.HookMissing):
                    return None
                raise

    @property
    def source(self) -> str:
        """Folder of the source, as the backend sees it."""
        return self._inside(SOURCE)

    def _builder(self) -> ProjectBuilder:
        return ProjectBuilder(
            self.sandbox.work / SOURCE, python_executable=self._inside(f"{PREFIX}/bin/python"), runner=self._run
        )

    def _inside(self, path: str) -> str:
        return self.sandbox.path(self.sandbox.work / path)

    def _run(self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
        del cwd  # always the source's folder
        extra = {name: self.sandbox.seen(value) for name, value in (extra_environ or {}).items()}
        with self.log.open("ab") as output:
            self.sandbox.run(
                [self.sandbox.seen(str(part)) for part in cmd],
                folder=SOURCE,
                env={**self._environment(), **self.variables, **extra},
                output=output,
                timeout=self.timeout,
                python=self._inside(f"{PREFIX}/bin/python"),
            )

    def _environment(self) -> dict[str, str]:
        """Return the variables of a build: nothing of the user's, and nothing that differs between machines."""
        mapped = f"-ffile-prefix-map={self._inside(SOURCE)}=. -ffile-prefix-map={self._inside(PREFIX)}=/env"
        return {
            "PATH": f"{self._inside(f'{PREFIX}/bin')}:/usr/local/bin:/usr/bin:/bin",
            "HOME": self._inside("home"),
            "TMPDIR": self._inside("tmp"),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": str(_EPOCH),
            "PYTHONHASHSEED": "0",
            "PYTHONNOUSERSITE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "CFLAGS": mapped,
            "CXXFLAGS": mapped,
        }

    @contextmanager
    def _step(self, what: str) -> Iterator[Path]:
        """Yield an empty folder for what the backend writes; explain what goes wrong."""
        warnings.simplefilter("ignore", pyproject_hooks.BuildBackendWarning)  # what it warns of, nobody here can change
        out = self.sandbox.work / OUT
        out.mkdir(exist_ok=True)
        try:
            yield out
        except ProcessError as error:
            how = error.message.rpartition("` ")[2].partition("\n")[0]
            raise self._failed(what, how) from error
        except _DAMAGED as error:
            cause = error.exception if isinstance(error, BuildBackendException) else error
            if isinstance(cause, ProcessError):
                raise self._failed(what, cause.message.rpartition("` ")[2].partition("\n")[0]) from error
            raise self._failed(what, f"failed: {_words(cause)}") from error

    def _failed(self, what: str, how: str) -> BuildError:
        lines = tail(self.log)
        shown = "".join(f"\n    {line}" for line in lines)
        return BuildError(
            f"failed to build {self.name}: {what} {how}{shown}\nthe whole log is `{self.log}`",
            hint=self._hint("\n".join(lines), how),
        )

    def _hint(self, log: str, how: str) -> str | None:
        if how.startswith("did not finish"):
            return f"set {TIMEOUT} to more seconds for each step"
        if lacks_memory(log, how):
            entry = (
                f'builds: {{{self.name.project}: {{variables: {{MAX_JOBS: "1", CMAKE_BUILD_PARALLEL_LEVEL: "1"}}}}}}'
            )
            return f"memory may have run out: free some, or compile one file at a time, as in `{entry}`"
        return self._version_hint(log) or self._module_hint(log)

    def _version_hint(self, log: str) -> str | None:
        """Return what to write where a backend looked for the version in the history of git, which is not copied."""
        found = next((variable for words, variable in _VERSIONS.items() if words in log), None)
        if found is None or found in self.variables:
            return None
        entry = f'builds: {{{self.name.project}: {{variables: {{{found}: "1.0"}}}}}}'
        return f"builds have no history of git: write the version into the spec, as in `{entry}`"

    def _module_hint(self, log: str) -> str | None:
        """Return what to write where a backend imports what it does not require."""
        found = _NO_MODULE.search(log)
        if found is None:
            return None
        module = found[1]
        if not self.isolated:
            return f"a build without isolation sees what the spec asks for: add the project of `{module}` to `pypi`"
        entry = f'builds: {{{self.name.project}: {{isolation: "imports {module}"}}}}'
        return f"where `{module}` is a package of the environment, let the build see it: `{entry}`"


def static_requires(folder: Path, name: SourceName) -> tuple[str, ...]:
    """Return the build requirements that an unpacked source states, sorted; runs none of its code.

    Raises:
        ArtifactError: it is not a Python project, or its `[build-system]` is malformed.
    """
    try:
        found = tuple(sorted(ProjectBuilder(folder).build_system_requires))
    except UnicodeDecodeError as error:
        raise ArtifactError(f"failed to build {name}: `pyproject.toml` is not UTF-8: {error.reason}") from error
    except (BuildException, ValueError) as error:
        raise ArtifactError(f"failed to build {name}: {str(error).replace(str(folder), '`.`')}") from error
    for text in found:
        if not _is_requirement(text):
            raise ArtifactError(f"failed to build {name}: {text!r} in `build-system.requires` is not a requirement")
    return found


def _is_requirement(text: str) -> bool:
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _words(cause: BaseException) -> str:
    """Return what a backend did wrong that answered something else than PEP 517 says, or nothing."""
    match cause:
        case TypeError():
            return f"the backend returned a value of another type than PEP 517 says ({cause})"
        case FileNotFoundError() if str(cause.filename).endswith(_ANSWER):
            return "the backend ended without an answer"
    return str(cause)


def _small(path: Path) -> bytes:
    with path.open("rb") as stream:
        raw = stream.read(limits.METADATA + 1)
    if len(raw) > limits.METADATA:
        raise ArtifactError(f"METADATA has more than {limits.METADATA} bytes, which is the limit")
    return raw
