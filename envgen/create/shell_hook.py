"""What a shell evaluates to activate an environment, and the function `deactivate` that takes all of it back.

Activation scripts of packages change variables that nobody declares: those of oneAPI put folders before
`LD_LIBRARY_PATH`, `LIBRARY_PATH`, `CLASSPATH` and `MANPATH`, and what they do on the way out leaves colons behind. So
the hook finds out which variables change, by activating once in a shell of its own; the code that it writes saves the
values of these, and restores them after the scripts of `deactivate.d` have run. An empty variable is not an unset one.

Hooks nest, also in environments that conda activated: the functions and saved values bear the level of `CONDA_SHLVL`.
"""

from __future__ import annotations

from shlex import quote
from shutil import which
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.create.activate import (
    ENTER,
    LEAVE,
    OF_THE_SHELL,
    Shell,
    activation,
    evaluated,
    fish_lines,
    fish_quote,
    posix_lines,
    scripts,
)
from envgen.errors import UserError
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from envgen.create.activate import Activation

_PROGRAMS = {Shell.BASH: "bash", Shell.ZSH: "zsh", Shell.POSIX: "sh", Shell.FISH: "fish"}


class PathChange(Struct, frozen=True, kw_only=True):
    """What activation does to the folders of a variable such as `PATH`.

    Attributes:
        added: what is in it then, with its colon.
        instead: what was at that place.
    """

    added: str
    instead: str


class _Saved(Struct, frozen=True, kw_only=True):
    """A variable that activation changes: whether programs see it before, and how it changes if it lists folders."""

    name: str
    exported: bool
    change: PathChange | None


class _Undo(Struct, frozen=True, kw_only=True):
    """What deactivation does: it sources `leave`, restores what was saved, and sources `enter` of the former one."""

    shell: Shell
    prefix: Path
    level: int
    leave: tuple[Path, ...]
    enter: tuple[Path, ...]
    saved: tuple[_Saved, ...]

    def key(self, name: str) -> str:
        """Name what is kept in the shell until deactivation."""
        return f"__envgen_{self.level}_{name}"


def write_shell_hook(prefix: Path, shell: Shell, environment: Mapping[str, str]) -> str:
    """Write what a shell must evaluate to activate an environment.

    Args:
        prefix: the environment, absolute.
        shell: which will evaluate it.
        environment: that shell's variables.

    Raises:
        UserError: see `activation`; or an activation script fails, or the shell that would run it is not on `PATH`.
    """
    found = activation(prefix, environment, shell=shell)
    is_fish = shell is Shell.FISH
    lines = tuple(fish_lines(found) if is_fish else posix_lines(found))
    if found.again:  # `deactivate` of the first time is there, unless conda activated the environment
        note = f"__envgen_{found.level}_note"
        lines = (*lines, f"functions -q {note}; and {note}" if is_fish else _posix_call(note))
    else:
        write = _with_fish_undo if is_fish else _with_posix_undo
        lines = tuple(write(_undo(found, shell, environment), lines))
    return "".join(f"{line}\n" for line in lines)


def path_change(before: str, after: str) -> PathChange | None:
    """Find what was put into a list of folders, so that it can be taken out where the user has changed the list since.

    None where the two have no folder in common at either end.
    """
    old, new = before.split(":"), after.split(":")
    last = _common(old[::-1], new[::-1])
    old, new = old[: len(old) - last], new[: len(new) - last]
    first = _common(old, new)
    if not before or not (first or last) or not new[first:]:
        return None

    def joined(folders: list[str]) -> str:
        text = ":".join(folders)
        return text and (f"{text}:" if last else f":{text}")

    return PathChange(added=joined(new[first:]), instead=joined(old[first:]))


def _common(one: list[str], other: list[str]) -> int:
    pairs = zip(one, other, strict=False)
    return next((count for count, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _undo(found: Activation, shell: Shell, environment: Mapping[str, str]) -> _Undo:
    before, after = _difference(found, shell, environment)
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    names |= found.export.keys() | set(found.unset) | ({"PS1"} if shell is not Shell.FISH else set())
    return _Undo(
        shell=shell,
        prefix=found.prefix,
        level=found.level,
        leave=scripts(found.prefix, LEAVE, shell)[::-1],
        enter=scripts(found.former, ENTER, shell) if found.former else (),
        saved=tuple(
            _Saved(
                name=name,
                exported=name in environment,
                change=path_change(before.get(name, ""), after.get(name, "")),
            )
            for name in sorted(names - OF_THE_SHELL)
            if name.isidentifier() and name.isascii()
        ),
    )


def _difference(
    found: Activation, shell: Shell, environment: Mapping[str, str]
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the variables before and after activation; scripts run in a shell of the same kind.

    Raises:
        UserError: that shell is not on `PATH`, or a script fails.
    """
    if not (found.enter or found.leave):
        kept = {key: value for key, value in environment.items() if key not in found.unset}
        return environment, {**kept, **found.export}
    program = which(_PROGRAMS[shell], path=environment.get("PATH"))
    if program is None:
        raise UserError(
            f"the environment has activation scripts, and `{_PROGRAMS[shell]}` is not on PATH to run them",
            hint="choose another `--shell`",
        )
    command = [program, *(["-f"] if shell is Shell.ZSH else [])]
    nothing = replace(found, leave=(), unset=(), export={}, enter=())  # shells set variables of their own
    return evaluated(command, nothing, environment), evaluated(command, found, environment)


def _with_posix_undo(undo: _Undo, activate: tuple[str, ...]) -> Iterator[str]:
    key, saved = undo.key, undo.saved
    # the function of an earlier hook at this level, which `conda deactivate` left behind, is not worth restoring
    yield f"if command -v {key('deactivate')} >/dev/null 2>&1; then unset -f deactivate; fi"
    for one in saved:
        old = key(one.name)
        yield f'if [ -n "${{{one.name}+x}}" ]; then {old}=${one.name}; else unset {old}; fi'
    yield from activate
    listed = [one for one in saved if one.change]
    yield f"{key('note')}() {{"
    yield from (f"  {key('new')}_{one.name}=${{{one.name}-}}" for one in listed)
    yield "  :"
    yield "}"
    yield key("note")
    yield f"{key('deactivate')}() {{"
    yield f'  if [ "${{CONDA_PREFIX-}}" != {quote(str(undo.prefix))} ]; then'
    yield f"    echo {quote(f'deactivate: `{undo.prefix}` is not the active environment')} >&2; return 1"
    yield "  fi"
    yield from (_posix_change(one.name, one.change, key) for one in saved if one.change)
    restore = [_posix_restore(one, key(one.name), undo.shell) for one in saved]
    yield from (*map(_posix_source, undo.leave), *restore)
    if undo.enter:
        yield from (*map(_posix_source, undo.enter), *restore)
    kept = [*(key(one.name) for one in saved), *(f"{key('new')}_{one.name}" for one in listed)]
    yield f"  unset {' '.join(kept)}"
    yield from _posix_former(undo)
    yield f"  unset -f {key('deactivate')} {key('note')}"
    yield "}"
    # bash and zsh print functions, so that of a virtual environment comes back
    yield f"if typeset -f deactivate >/dev/null 2>&1; then {key('former')}=$(typeset -f deactivate); fi"
    yield f"deactivate() {{ {key('deactivate')}; }}"


def _posix_change(name: str, change: PathChange, key: Callable[[str], str]) -> str:
    """Write what takes the folders of the environment out of a list that the user has changed since."""
    added = quote(change.added)
    kept = f"{key(name)}=${{{name}%%{added}*}}{quote(change.instead)}${{{name}#*{added}}}"
    return f'  case "${{{name}-}}" in "${key("new")}_{name}") ;; *{added}*) {kept} ;; esac'


def _posix_call(function: str) -> str:
    return f"if command -v {function} >/dev/null 2>&1; then {function}; fi"


def _posix_source(script: Path) -> str:
    return f"  if [ -r {quote(str(script))} ]; then . {quote(str(script))}; fi"


def _posix_restore(one: _Saved, old: str, shell: Shell) -> str:
    """Write what restores a variable; programs see it again only if they saw it before.

    Zsh must not unset `PATH` or `PS1`: they would be ordinary variables from then on.
    """
    name = one.name
    if one.exported:
        again = f"{name}=${old}; export {name}"
    elif shell is Shell.POSIX:
        again = f"unset {name}; {name}=${old}"
    else:
        again = f"{name}=${old}; {'export -n' if shell is Shell.BASH else 'typeset -g +x'} {name}"
    return f'  if [ -n "${{{old}+x}}" ]; then {again}; else unset {name}; fi'


def _posix_former(undo: _Undo) -> Iterator[str]:
    former, outer = undo.key("former"), f"__envgen_{undo.level - 1}_deactivate"
    yield "  unset -f deactivate"
    yield f'  if [ -n "${{{former}-}}" ]; then eval "${former}"'  # dash prints no functions, but ours has a name
    yield f"  elif command -v {outer} >/dev/null 2>&1; then deactivate() {{ {outer}; }}; fi"
    yield f"  unset {former}"


def _with_fish_undo(undo: _Undo, activate: tuple[str, ...]) -> Iterator[str]:
    key = undo.key
    yield f"functions -q {key('note')}; and functions -e deactivate {key('former')}"
    for one in undo.saved:
        yield f"set -q {one.name}; and set -g {key(one.name)} ${one.name}; or set -e {key(one.name)}"
    yield from activate
    lists = [one for one in undo.saved if one.change and one.name.endswith("PATH")]
    yield f"function {key('note')}"
    yield from (f"  set -g {key('new')}_{one.name} ${one.name}" for one in lists)
    yield "end"
    yield key("note")
    yield f"functions -q deactivate; and functions -c deactivate {key('former')}"
    yield "function deactivate"
    yield f'  if test "$CONDA_PREFIX" != {fish_quote(str(undo.prefix))}'
    yield f"    echo {fish_quote(f'deactivate: `{undo.prefix}` is not the active environment')} >&2; return 1"
    yield "  end"
    yield from (_fish_change(one.name, one.change, key) for one in lists if one.change)
    restore = [_fish_restore(one, key(one.name)) for one in undo.saved]
    yield from (*map(_fish_source, undo.leave), *restore)
    if undo.enter:
        yield from (*map(_fish_source, undo.enter), *restore)
    yield from (f"  set -e {key(one.name)}" for one in undo.saved)
    yield from (f"  set -e {key('new')}_{one.name}" for one in lists)
    yield f"  functions -e deactivate {key('note')}"
    yield f"  if functions -q {key('former')}"
    yield f"    functions -c {key('former')} deactivate; functions -e {key('former')}"
    yield "  end"
    yield "end"


def _fish_change(name: str, change: PathChange, key: Callable[[str], str]) -> str:
    """Write the same for fish, where variables whose name ends with PATH are lists."""
    joined = f"(string join : -- ${name})"
    added, instead = fish_quote(change.added), fish_quote(change.instead)
    kept = f"(string split : -- (string replace -- {added} {instead} {joined}))"
    is_changed = f'test "${name}" != "${key("new")}_{name}"'
    return f"  if {is_changed}; and string match -q -- '*'{added}'*' {joined}; set -g {key(name)} {kept}; end"


def _fish_source(script: Path) -> str:
    return f"  test -r {fish_quote(str(script))}; and source {fish_quote(str(script))}"


def _fish_restore(one: _Saved, old: str) -> str:
    scope = "-gx" if one.exported else "-g"
    return f"  set -e {one.name}; set -q {old}; and set {scope} {one.name} ${old}"
