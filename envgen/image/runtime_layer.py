"""The last layer: what makes an image out of base and environment. Small, and different for every image."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.image.entries import EXECUTABLE, Directory, file
from envgen.image.ssh import ssh_config
from envgen.prefix.kernel import kernel_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from envgen.image.entries import Entry
    from envgen.manifest.image_spec import ImageSpec, ImageUser, Service

ENTRY = "usr/local/lib/envgen/entry"
"""Starts services or a command; `services` beside it says which, and `sshd_config` what the one of SSH offers."""

_FOLDER = ENTRY.rpartition("/")[0]

KERNELS = "usr/local/share/jupyter"
"""Where Jupyter finds a kernel `python3` that shows the environment's name, before the one that ipykernel brings."""

_USERS = """\
root:*:0:0:root:/root:/bin/bash
daemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:*:2:2:bin:/bin:/usr/sbin/nologin
sys:*:3:3:sys:/dev:/usr/sbin/nologin
sync:*:4:65534:sync:/bin:/bin/sync
games:*:5:60:games:/usr/games:/usr/sbin/nologin
man:*:6:12:man:/var/cache/man:/usr/sbin/nologin
lp:*:7:7:lp:/var/spool/lpd:/usr/sbin/nologin
mail:*:8:8:mail:/var/mail:/usr/sbin/nologin
news:*:9:9:news:/var/spool/news:/usr/sbin/nologin
uucp:*:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin
proxy:*:13:13:proxy:/bin:/usr/sbin/nologin
www-data:*:33:33:www-data:/var/www:/usr/sbin/nologin
backup:*:34:34:backup:/var/backups:/usr/sbin/nologin
list:*:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin
irc:*:39:39:ircd:/run/ircd:/usr/sbin/nologin
_apt:*:42:65534::/nonexistent:/usr/sbin/nologin
sshd:*:100:65534::/run/sshd:/usr/sbin/nologin
nobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
"""`passwd.master` of Debian 12's base-passwd, and the account of sshd. No passwords, hence no `/etc/shadow`."""

_GROUPS = (
    "root:0 daemon:1 bin:2 sys:3 adm:4 tty:5 disk:6 lp:7 mail:8 news:9 uucp:10 man:12 proxy:13 kmem:15 dialout:20 "
    "fax:21 voice:22 cdrom:24 floppy:25 tape:26 sudo:27 audio:29 dip:30 www-data:33 backup:34 operator:37 list:38 "
    "irc:39 src:40 shadow:42 utmp:43 video:44 sasl:45 plugdev:46 staff:50 games:60 users:100 nogroup:65534"
)
"""`group.master` of Debian 12's base-passwd."""

_HOME_MODE = 0o1777
"""Everybody may write: engines and clusters run images under uids that no image knows of."""


def runtime_entries(
    image: ImageSpec,
    *,
    environment: Mapping[str, str],
    entry_script: str,
    opencl: Mapping[str, str] | None = None,
    kernel: str | None = None,
) -> tuple[Entry, ...]:
    """Make the entries of the last layer, sorted by path.

    Args:
        image: what the spec says.
        environment: variables of the image, for login shells, which start from none.
        entry_script: starts services or a command.
        opencl: text of each file in `etc/OpenCL/vendors` of the environment, by name. OpenCL's loader looks in `/etc`
            alone, where NVIDIA's container toolkit adds its own.
        kernel: how Jupyter shows the environment's kernel; None where there is no Jupyter.

    Raises:
        UserError: the user has the name of a group of the system.
    """
    user = image.user
    entries: list[Entry] = [
        file("etc/group", _group(user)),
        file("etc/passwd", f"{_USERS}{user.name}:*:{user.uid}:{user.uid}::{user.home}:/bin/bash\n"),
        file("etc/profile.d/envgen.sh", _profile(environment)),
        Directory(path=user.home[1:], mode=_HOME_MODE, uid=user.uid, gid=user.uid),
        file(ENTRY, entry_script, mode=EXECUTABLE),
        file(f"{_FOLDER}/services", "".join(_services(image.services))),
        *(file(f"{_FOLDER}/sshd_config", ssh_config(s)) for s in image.services if s.name == "ssh"),
        *([file(f"{KERNELS}/kernels/python3/kernel.json", kernel_text(image.prefix, kernel))] if kernel else []),
        *(file(f"etc/OpenCL/vendors/{name}", _driver(image, text)) for name, text in (opencl or {}).items()),
    ]
    return tuple(sorted(entries, key=lambda entry: entry.path))


def _group(user: ImageUser) -> str:
    names = dict(pair.split(":") for pair in _GROUPS.split())
    if user.name in names:
        raise UserError(f"`image.user.name`: `{user.name}` is a system group", hint="choose another name")
    return "".join(f"{name}:*:{gid}:\n" for name, gid in {**names, user.name: user.uid}.items())


def _driver(image: ImageSpec, text: str) -> str:
    """Return the path of a driver. Intel's wheels name a folder of the machine that built them."""
    folder, _, library = text.strip().rpartition("/")
    return f"{image.prefix}/lib/{library}\n" if folder else text


def _profile(environment: Mapping[str, str]) -> str:
    """Write what login shells read. `/etc/profile` sets `PATH` again, other variables only where they are missing."""
    others = (
        f'export {name}="${{{name}:-{_inside(value)}}}"\n'
        for name, value in sorted(environment.items())
        if name not in {"PATH", "HOME", "USER", "SHELL"}  # a login has its own
    )
    head = "# The variables of the image, for shells that start from none.\n"
    return f"{head}export PATH={quote(environment['PATH'])}\n{''.join(others)}"


def _inside(value: str) -> str:
    """Quote a value for the inside of `"${NAME:-...}"`."""
    return "".join(f"\\{c}" if c in '\\"$`}' else c for c in value)


def _services(services: Iterable[Service]) -> Iterator[str]:
    """Write a line for each service; fields are separated by tabs, which a command cannot have in it."""
    for service in services:
        command = " ".join(service.command.split()) or "-"
        yield f"{service.name}\t{service.port or '-'}\t{command}\n"
