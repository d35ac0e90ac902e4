"""What a Debian system has that no package brings as a file: folders, links and a few texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.image.entries import Link

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_STICKY = 0o1777

DIRECTORIES = {
    "boot": 0o755,
    "dev": 0o755,
    "etc/ld.so.conf.d": 0o755,  # NVIDIA's container toolkit fails where it is missing
    "etc/ssh": 0o755,
    "etc/ssl/private": 0o700,
    "home": 0o755,
    "media": 0o755,
    "mnt": 0o755,
    "opt": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "run": 0o755,
    "run/lock": _STICKY,
    "run/sshd": 0o755,  # sshd started as root insists
    "srv": 0o755,
    "sys": 0o755,
    "tmp": _STICKY,
    "usr/local/bin": 0o755,
    "usr/local/etc": 0o755,
    "usr/local/include": 0o755,
    "usr/local/lib": 0o755,
    "usr/local/sbin": 0o755,
    "usr/local/share": 0o755,
    "var/cache": 0o755,
    "var/lib": 0o755,
    "var/log": 0o755,
    "var/opt": 0o755,
    "var/tmp": _STICKY,
}
"""Folder -> permissions."""

_SSHD = """\
# Keys only, and nobody becomes root. What is particular to a container (port, host keys, whose keys) is written at
# its start and comes before this.
PubkeyAuthentication yes
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
PermitRootLogin no
PermitUserEnvironment no
UsePAM no
# The files with keys are named one by one, and lie where folders have the rights that containers give them.
StrictModes no
X11Forwarding no
PrintMotd no
PrintLastLog no
UseDNS no
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""

_NSSWITCH = """\
passwd:    files
group:     files
shadow:    files
hosts:     files dns
networks:  files
protocols: files
services:  files
ethers:    files
rpc:       files
"""

_HOSTS = """\
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
"""

TEXTS = {
    "etc/hosts": _HOSTS,
    "etc/nsswitch.conf": _NSSWITCH,
    "etc/resolv.conf": "",  # engines and Apptainer mount over it
    "etc/ssh/sshd_config": _SSHD,
    "etc/timezone": "Etc/UTC\n",
}
"""Files; those of packages come first."""

_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")

_ALTERNATIVES = {
    "usr/bin/awk": ("mawk", "gawk", "original-awk"),
    "usr/bin/c++": ("g++", "clang++"),
    "usr/bin/c89": ("c89-gcc",),
    "usr/bin/c99": ("c99-gcc",),
    "usr/bin/cc": ("gcc", "clang"),
    "usr/bin/editor": ("vim.basic", "vim.tiny", "nano"),
    "usr/bin/nawk": ("mawk", "gawk"),
    "usr/bin/nc": ("nc.openbsd", "nc.traditional"),
    "usr/bin/pager": ("less", "more"),
    "usr/bin/vi": ("vim.basic", "vim.tiny", "nvi"),
    "usr/bin/vim": ("vim.basic",),
    "usr/bin/which": ("which.debianutils",),
    "usr/lib/cpp": ("../bin/cpp",),
    "usr/sbin/rmt": ("rmt-tar",),
}
"""Link -> what it may lead to, the best first: what `update-alternatives` would choose. Without a detour by
`/etc/alternatives`, for nothing manages them in an image."""


def merged_links(paths: Collection[str]) -> Iterator[Link]:
    """Make the links of the top folders into `/usr`, for those that are there."""
    tops = {path.split("/", 2)[1] for path in paths if path.startswith("usr/") and path.count("/") > 1}
    yield from (Link(path=name, target=f"usr/{name}") for name in _MERGED if name in tops)


def alternatives(paths: Collection[str]) -> Iterator[Link]:
    """Make the links for which several packages could serve, as far as one of them is there."""
    for link, targets in _ALTERNATIVES.items():
        folder = link.rpartition("/")[0]
        inside = (target for target in targets if target.startswith("../") or f"{folder}/{target}" in paths)
        target = next(inside, None)
        if target and (not target.startswith("../") or f"usr/{target.removeprefix('../')}" in paths):
            yield Link(path=link, target=target)
