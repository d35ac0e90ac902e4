"""Programs that other people wrote, kept from the network and from the paths of this machine as far as the kernel can.

A user namespace needs no privilege. In it the program has a network with a loopback alone, and sees its folder at a
fixed path, so that what it writes down is the same on every machine; what it leaves running ends with it. https://man7.org/linux/man-pages/man1/unshare.1.html
"""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen import limits
from envgen.system.process import Completed, ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

_PLACES = ("/mnt", "/media", "/srv", "/opt")
"""Folders of every Linux system, of which one is hidden by the program's own folder."""

_TRIAL = 20.0
"""Seconds that the trial of namespaces may take; it takes 10 ms."""

_UNSHARE = ("unshare", "--user", "--map-current-user", "--keep-caps", "--mount", "--pid", "--fork", "--kill-child")
"""The program is the first of its process namespace: all others of it end with it, daemons as well."""

_LOOPBACK = (
    "import fcntl, socket, struct; "
    # SIOCSIFFLAGS with IFF_UP | IFF_RUNNING
    'fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh22x", b"lo", 0x41))'
)

_ENTER = f"""
work=$1 inside=$2 memory=$3 folder=$4 loopback=$5; shift 5
if [ "$work" != "$inside" ]; then mount --bind "$work" "$inside" || exit 125; fi
umask 022; ulimit -c 0; ulimit -v "$memory"
if [ -n "$loopback" ]; then "$loopback" -I -S -c '{_LOOPBACK}' || :; fi
cd "$inside/$folder" && unset OLDPWD && exec "$@"
"""
"""Runs inside the namespaces, before the program: mounts its folder, sets limits, starts the loopback."""


class Sandbox(Struct, frozen=True, kw_only=True):
    """Where a program runs.

    Attributes:
        work: its folder, the only one that it needs to write to.
        inside: path at which it sees that folder.
        network: whether it may use the network.
        refused: why it is not confined; empty where it is.
    """

    work: Path
    inside: str
    network: bool = False
    refused: str = ""

    @classmethod
    def of(cls, work: Path, *, network: bool = False, needed: Sequence[Path] = ()) -> Sandbox:
        """Choose where a program sees its folder; its real place where the kernel refuses namespaces.

        Args:
            work: the folder.
            network: let it use the network.
            needed: paths of this machine that it must see, too.
        """
        if refused := refusal():
            return cls(work=work, inside=str(work), network=True, refused=refused)
        paths = (work, *needed)
        free = (place for place in _PLACES if not any(path.is_relative_to(place) for path in paths))
        inside = next((place for place in free if Path(place).is_dir()), str(work))
        return cls(work=work, inside=inside, network=network)

    def path(self, path: Path) -> str:
        """Return a path below the folder as the program sees it."""
        return f"{self.inside}/{path.relative_to(self.work).as_posix()}"

    def seen(self, text: str) -> str:
        """Return a text in which paths below the folder are those that the program sees."""
        return text.replace(str(self.work), self.inside)

    def run(
        self,
        argv: Sequence[str],
        *,
        folder: str,
        env: Mapping[str, str],
        output: BinaryIO,
        timeout: float,
        python: str,
    ) -> Completed:
        """Run a program to its end.

        Args:
            argv: the program and its arguments, as it is to see them.
            folder: below the sandbox's own, where it starts.
            env: its whole environment.
            output: gets what it writes.
            timeout: seconds.
            python: an interpreter inside, which starts the loopback.

        Raises:
            ProcessError: see `process.run`.
        """
        outside = () if self.refused else (*_UNSHARE, *(() if self.network else ("--net",)), "--")
        loopback = "" if self.refused or self.network else python
        arguments = (str(self.work), self.inside, str(_memory() >> 10), folder, loopback)
        enter = ("/bin/sh", "-c", _ENTER, "build", *arguments, *argv)
        return run([*outside, *enter], env=env, output=output, timeout=timeout, most=limits.BUILD_LOG)


@functools.cache
def refusal() -> str:
    """Return why this machine cannot confine a program; empty where it can."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            run([*_UNSHARE, "--net", "--", "/bin/sh", "-c", 'mount --bind "$0" /mnt', folder], timeout=_TRIAL)
    except ProcessError as error:
        return error.tail.partition("\n")[0] or str(error)
    return ""


def _memory() -> int:
    """Return the bytes of memory of this machine: what one program may have at most."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
