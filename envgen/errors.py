"""Everything that can go wrong, as types.

    EnvgenError                     70  a bug, unless a subclass says otherwise
    ├── UserError                    1  something the user wrote or asked for
    │   ├── SpecError                   faults of one document, all of them
    │   ├── LockError                   a lock is missing, unreadable or stale
    │   ├── HostError                   this machine lacks what the lock needs
    │   ├── NoBuildError                code of a recipe or source would have to run, and may not
    │   ├── BuildError                  the build of a source failed
    │   └── NoProgramError         127  what is to run in an environment is not there, as shells have it
    ├── UsageError                   2  the command line itself
    ├── UnsatisfiableError           3  no set of packages meets the requirements
    ├── NetworkError                 4  a source cannot be reached, or answers with an error
    │   ├── GoneError                   a locked artifact is no longer offered
    │   └── OfflineError                a file is not on this machine, and the network must not be used
    └── IntegrityError               5  bytes are not what they should be
        ├── DigestMismatchError
        ├── SignatureError
        └── ArtifactError               a wheel, .deb or .conda that must not be used
            ├── MissingLibrariesError   files of a Debian recipe need libraries that are not in it
            ├── InvalidMetadataError    a wheel whose METADATA breaks the standard, as old ones do
            └── RecordMismatchError     a wheel whose RECORD does not fit its files

Besides these, 0 is success, and 130 is what a user ended with Ctrl-C, as shells have it.

`environment` names the one that an error is about where a verb works on several, so that commands can name it.
The message says what, where, expected and got; `hint` says what to do and is printed on a line of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


class EnvgenError(Exception):
    """Base of every error that envgen raises on purpose."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.environment: str | None = None

    def __str__(self) -> str:
        return self.message


class UserError(EnvgenError):
    """Something that the user wrote or asked for cannot be."""

    exit_code = 1


class Fault(Struct, frozen=True, kw_only=True):
    """One fault of a document: `where` is `path:line` or a path into the document."""

    where: str
    what: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.hint})" if self.hint else "")


class SpecError(UserError):
    """A document has one or more faults; all of them are told at once."""

    def __init__(self, faults: tuple[Fault, ...], *, hint: str | None = None) -> None:
        super().__init__("\n".join(map(str, faults)), hint=hint)
        self.faults = faults


class LockError(UserError):
    """A lock is missing, unreadable or no longer true for its spec."""


class HostError(UserError):
    """This machine lacks what the lock needs."""


class NoBuildError(UserError):
    """The script of a recipe or the build of a source would have to run, and was forbidden to.

    Attributes:
        what: would have to be built, in words.
        where: its code can be read.
    """

    def __init__(self, message: str, *, what: str, where: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.what = what
        self.where = where

    @classmethod
    def of_recipe(cls, recipe: str) -> NoBuildError:
        """Build the error for a `recipe.yaml`."""
        return cls(
            f"recipe `{recipe}` is not in the store yet, and its script must not run (`--no-build`)",
            what=f"recipe `{recipe}`",
            where=f"recipes/{recipe}",
            hint="read its `recipe.yaml`, then run the same command without `--no-build`",
        )

    @classmethod
    def of_source(cls, project: str, version: str, source: str) -> NoBuildError:
        """Build the error for a source archive, a git repository or a project of the repository."""
        return cls(
            f"`{project}` {version} must be built from `{source}`, whose code must not run (`--no-build`)",
            what=f"`{project}` {version}",
            where=source,
            hint="require a version that has a wheel, or run the same command without `--no-build`",
        )


class BuildError(UserError):
    """The build of a source failed; the message has the end of its log."""


class NoProgramError(UserError):
    """A program that is to run in an environment is not there."""

    exit_code = 127


class UsageError(EnvgenError):
    """The command line asks for something that the command does not have."""

    exit_code = 2


class UnsatisfiableError(EnvgenError):
    """No set of packages meets the requirements."""

    exit_code = 3


class NetworkError(EnvgenError):
    """A source cannot be reached or answers with an error."""

    exit_code = 4


class GoneError(NetworkError):
    """A locked artifact is no longer offered by any configured source."""


class OfflineError(NetworkError):
    """Something would have to be fetched, and the network must not be used."""


class IntegrityError(EnvgenError):
    """Bytes are not what they should be."""

    exit_code = 5


class DigestMismatchError(IntegrityError):
    """The sha256 of some bytes differs from the one that was promised."""

    def __init__(self, *, what: str, where: str, expected: str, got: str, hint: str | None = None) -> None:
        super().__init__(f"{what} from {where} has sha256 {got}, expected {expected}", hint=hint)
        self.expected = expected
        self.got = got


class SignatureError(IntegrityError):
    """A signature is missing, broken or made by a key that is not trusted."""


class ArtifactError(IntegrityError):
    """A wheel, `.deb` or `.conda` that must not be used: unsafe or inconsistent content."""


class InvalidMetadataError(ArtifactError):
    """A wheel's METADATA breaks the standard where it counts. Old releases do: that candidate is unusable."""


class MissingLibrariesError(ArtifactError):
    """Files of a Debian recipe need libraries that are not in its packages."""

    def __init__(self, libraries: Mapping[str, tuple[str, ...]]) -> None:
        lines = (f"  - `{name}`, needed by `{paths[0]}`" for name, paths in sorted(libraries.items()))
        super().__init__(
            "\n".join(("the recipe's packages need libraries that are not in them:", *lines)),
            hint="exclude fewer packages, or add the files that need them to `drop`",
        )
        self.libraries = libraries


class RecordMismatchError(ArtifactError):
    """A wheel's RECORD does not fit its files; the spec may trust the wheel nevertheless."""
